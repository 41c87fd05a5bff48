"""What is around the processes of the Helm chart: network, scaling, and what watches them."""

import re

import pytest
import yaml

from shared import metrics
from tests.unit.charts import CHART, NAMESPACE, everywhere, labels_of, may_connect, rendered, selects

ROOT = CHART.parents[1]


@pytest.mark.parametrize(
    ("source", "target", "port", "may"),
    [
        *((component, None, 5432, True) for component in ("api", "worker", "scheduler", "migrate")),
        *((component, None, 6379, True) for component in ("api", "worker", "scheduler")),
        ("worker", None, 443, True),
        ("worker", "control", 9200, True),
        ("scheduler", None, 443, True),
        ("scheduler", None, 587, True),
        (None, "api", 8700, True),
        (None, "worker", 9400, True),
        (None, "scheduler", 9400, True),
        ("api", None, 443, False),
        ("api", "control", 9200, False),
        ("worker", None, 80, False),  # a cloud's metadata
        ("scheduler", None, 80, False),
        ("migrate", None, 6379, False),
        ("control", None, 443, False),
        (None, "control", 9200, False),
        (None, "worker", 8700, False),
        (None, "migrate", 8700, False),
    ],
)
def test_each_part_reaches_what_it_needs_and_no_more(
    source: str | None, target: str | None, port: int, may: bool
) -> None:
    assert may_connect(rendered(), source, target, port) is may


def test_every_pod_may_ask_for_names() -> None:
    policy = rendered().of_kind("NetworkPolicy")["driftwarden-names"]["spec"]
    assert {(each["port"], each["protocol"]) for each in policy["egress"][0]["ports"]} == {
        (53, "UDP"),
        (53, "TCP"),
    }
    assert all(
        selects(policy["podSelector"]["matchLabels"], labels_of(pod)) for pod in rendered().pods().values()
    )


@everywhere
def test_what_refers_to_something_finds_it(variant: str) -> None:
    release = rendered(variant)
    pods = [labels_of(pod) for pod in release.pods().values()]
    for service in release.of_kind("Service").values():
        [target] = [
            pod for pod in release.pods().values() if selects(service["spec"]["selector"], labels_of(pod))
        ]
        names = {port["name"] for port in target["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for budget in release.of_kind("PodDisruptionBudget").values():
        assert sum(selects(budget["spec"]["selector"]["matchLabels"], labels) for labels in pods) == 1
        assert budget["spec"]["maxUnavailable"] == 1, "a node can always be emptied"
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in release.of_kind(kind).values():
            target = release.of_kind("Deployment")[scaler["spec"]["scaleTargetRef"]["name"]]
            assert "replicas" not in target["spec"], "an upgrade would undo what the scaler did"
    for ingress in release.of_kind("Ingress").values():
        [path] = ingress["spec"]["rules"][0]["http"]["paths"]
        backend = release.of_kind("Service")[path["backend"]["service"]["name"]]
        assert path["backend"]["service"]["port"]["name"] in {
            port["name"] for port in backend["spec"]["ports"]
        }


def test_workers_are_scaled_by_cpu_or_by_what_waits_never_by_both() -> None:
    assert set(rendered().of_kind("HorizontalPodAutoscaler")) == {"driftwarden-worker"}
    by_queue = rendered("scaled by the queue, watched")
    assert by_queue.of_kind("HorizontalPodAutoscaler") == {}
    [scaler] = by_queue.of_kind("ScaledObject").values()
    asked = [trigger["metadata"]["query"] for trigger in scaler["spec"]["triggers"]]
    known = [metrics.QUEUE_DEPTH.name, metrics.QUEUE_OLDEST.name]
    assert [re.findall(r"driftwarden_\w+", query) for query in asked] == [[name] for name in known]
    assert all(f'{{namespace="{NAMESPACE}"}}' in query for query in asked)


def test_the_rules_are_those_of_prometheus() -> None:
    groups = []
    for rules in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml")):
        copy = CHART / "files/rules" / rules.name
        assert copy.read_text() == rules.read_text(), f"cp {rules.relative_to(ROOT)} {copy.relative_to(ROOT)}"
        groups += yaml.safe_load(rules.read_text())["groups"]
    [made] = rendered("scaled by the queue, watched").of_kind("PrometheusRule").values()
    assert made["spec"]["groups"] == groups
    assert made["metadata"]["labels"]["release"] == "prometheus"


def test_the_models_that_come_along_are_those_of_compose() -> None:
    assert (CHART / "files/models.yaml").read_text() == (ROOT / "deploy/models.yaml").read_text(), (
        "cp deploy/models.yaml deploy/kubernetes/files/models.yaml"
    )


def test_prometheus_finds_every_process_under_the_name_that_the_rules_know() -> None:
    release = rendered("scaled by the queue, watched")
    [monitor] = release.of_kind("ServiceMonitor").values()
    [parts] = monitor["spec"]["selector"]["matchExpressions"]
    found = {
        labels["app.kubernetes.io/component"]
        for service in release.of_kind("Service").values()
        if selects(monitor["spec"]["selector"]["matchLabels"], labels := service["metadata"]["labels"])
        and labels[parts["key"]] in parts["values"]
        and {port["name"] for port in service["spec"]["ports"]}
        & {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
    }
    rules = (ROOT / "deploy/prometheus/rules/alerts.yml").read_text()
    assert found == set(re.findall(r'job="driftwarden-(\w+)"', rules)) == {"api", "worker", "scheduler"}
    for endpoint in monitor["spec"]["endpoints"]:
        [relabeling] = endpoint["relabelings"]
        assert relabeling["targetLabel"] == "job"
        assert relabeling["replacement"] == "driftwarden-$1"
