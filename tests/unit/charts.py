"""The Helm chart as a cluster gets it: rendered by Helm's own library.

In a process of its own, for the library brings Go's runtime along.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import Settings

CHART = Path(__file__).parents[2] / "deploy/kubernetes"
RELEASE, NAMESPACE = "driftwarden", "evaluation"
Object = dict[str, Any]

VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "scaled by the queue, watched": {
        "worker": {"keda": {"enabled": True}},
        "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "reached from outside, two schedulers": {
        "scheduler": {"replicas": 2},
        "api": {"autoscaling": {"enabled": True}},
        "worker": {"autoscaling": {"enabled": False}},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "tlsSecret": "driftwarden-tls",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "200m"},
            "trustedProxies": ["10.0.0.0/8", "fd00::/8"],
        },
        "settings": {"DRIFTWARDEN_DRAIN_SECONDS": 90.5},
        "control": {"enabled": False},
        "pod": {"nodeSelector": {"disk": "fast"}, "imagePullSecrets": [{"name": "ours"}]},
    },
}
everywhere = pytest.mark.parametrize("variant", VARIANTS)

_RENDER = """
import json, sys, helm_python
chart, name, namespace, values = json.load(sys.stdin)
with helm_python.Chart.load(chart) as loaded:
    try:
        print(json.dumps({"files": loaded.render(values, name=name, namespace=namespace)}))
    except helm_python.HelmError as error:
        print(json.dumps({"refused": str(error)}))
"""
_LINT = """
import json, sys, helm_python
print(json.dumps(helm_python.lint(json.load(sys.stdin), strict=True)))
"""


class ChartRefused(Exception):
    """Helm does not render these values; the message tells which is wrong."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """Every object of a release."""

    objects: Sequence[Object]

    def of_kind(self, kind: str) -> dict[str, Object]:
        """The objects of a kind by their names."""
        return {each["metadata"]["name"]: each for each in self.objects if each["kind"] == kind}

    def pods(self) -> dict[str, Object]:
        """The pod templates by their component: api, worker, ..."""
        found = [each["spec"]["template"] for each in self.objects if "template" in each.get("spec", {})]
        return {labels_of(template)["app.kubernetes.io/component"]: template for template in found}

    def containers(self) -> Iterator[tuple[str, Object]]:
        for component, pod in self.pods().items():
            for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
                yield component, container

    def container(self, component: str) -> Object:
        [found] = [container for name, container in self.containers() if name == component]
        return found

    def plain_environment(self, component: str) -> dict[str, str]:
        """The variables whose values are written down, not read from the Secret."""
        return {each["name"]: each["value"] for each in self.container(component)["env"] if "value" in each}


def render(values: Mapping[str, Any] | None = None, release: str = RELEASE) -> Rendering:
    """Render the chart with these values over its own.

    Raises:
        ChartRefused: the values are not what the chart's schema allows.
    """
    answer = _ask(_RENDER, [str(CHART), release, NAMESPACE, values or {}])
    if "refused" in answer:
        raise ChartRefused(answer["refused"])
    texts = [text for path, text in answer["files"].items() if not path.endswith("NOTES.txt")]
    return Rendering([each for text in texts for each in yaml.safe_load_all(text) if each])


@cache
def rendered(variant: str = "as it comes") -> Rendering:
    return render(VARIANTS[variant])


def lint() -> list[str]:
    """What Helm warns of, or calls an error."""
    warning = 2
    return [each["error"] for each in _ask(_LINT, str(CHART))["messages"] if each["severity"] >= warning]


def setting_names() -> dict[str, str]:
    """Each field of Settings by its name in the environment."""
    return {
        name: field.alias or f"DRIFTWARDEN_{name.upper()}" for name, field in Settings.model_fields.items()
    }


def labels_of(template: Object) -> dict[str, str]:
    labels: dict[str, str] = template["metadata"]["labels"]
    return labels


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def may_connect(rendering: Rendering, source: str | None, target: str | None, port: int) -> bool:
    """Whether the network policies let a component (None: anything outside) open a TCP connection."""
    pods = {name: labels_of(template) for name, template in rendering.pods().items()}
    leaves = source is None or _allows(rendering, "Egress", pods[source], pods.get(target or ""), port)
    return leaves and (
        target is None or _allows(rendering, "Ingress", pods[target], pods.get(source or ""), port)
    )


def _allows(
    rendering: Rendering, way: str, mine: Mapping[str, str], other: Mapping[str, str] | None, port: int
) -> bool:
    policies = [
        each["spec"]
        for each in rendering.of_kind("NetworkPolicy").values()
        if way in each["spec"]["policyTypes"] and selects(each["spec"]["podSelector"]["matchLabels"], mine)
    ]
    rules = [rule for policy in policies for rule in policy.get(way.lower(), ())]
    return not policies or any(
        _is_among(rule.get("to" if way == "Egress" else "from"), other)
        and any(each["port"] == port and each["protocol"] == "TCP" for each in rule["ports"])
        for rule in rules
    )


def _is_among(peers: Sequence[Object] | None, labels: Mapping[str, str] | None) -> bool:
    """No peers are all peers; of the kinds of peers, the chart itself names pods beside it alone."""
    return not peers or any(
        labels is not None and selects(peer["podSelector"]["matchLabels"], labels) for peer in peers
    )


def _ask(program: str, question: object) -> Any:
    need("helm_python")
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def need(module: str) -> None:
    """Skip where a module that has not a build for every machine is missing; in CI it is to be there."""
    if find_spec(module) is None and not os.environ.get("CI"):
        pytest.skip(f"{module}, which the chart is tried with, is not installed here")
