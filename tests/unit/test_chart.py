"""The Helm chart: what it makes is valid, means what docker-compose.yml means, and may do little."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import uvicorn
import yaml

from services.api.app import DRAIN_SECONDS
from services.api.routes.health import router as health_routes
from services.cli.main import app as cli
from shared.health import READY_SECONDS
from shared.models import ENVIRONMENT_REFERENCE, Catalogue
from shared.settings import Settings
from tests.unit.charts import (
    CHART,
    VARIANTS,
    Rendering,
    everywhere,
    lint,
    may_connect,
    need,
    render,
    rendered,
    setting_names,
)

ROOT = CHART.parents[1]
KUBERNETES = ("1.27", "1.37")  # the oldest that Chart.yaml admits, and a late one
ENDPOINT = {"port": str, "path": str, "interval": str, "relabelings": list}
# What these operators take, as far as the chart uses it. A name that is not here is a slip.
CUSTOM: dict[str, dict[str, Any]] = {
    "ServiceMonitor": {"selector": dict, "endpoints": [ENDPOINT]},
    "PrometheusRule": {"groups": [{"name": str, "rules": list}]},
    "ScaledObject": {
        "scaleTargetRef": {"name": str},
        "minReplicaCount": int,
        "maxReplicaCount": int,
        "triggers": [
            {
                "type": str,
                "name": str,
                "metricType": str,
                "metadata": {"serverAddress": str, "query": str, "threshold": str},
            }
        ],
    },
}


@everywhere
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_object(variant: str, version: str) -> None:
    need("kubernetes_validate")
    import kubernetes_validate

    for each in rendered(variant).objects:
        if each["kind"] in CUSTOM:
            assert_shape(each["spec"], CUSTOM[each["kind"]])
        else:
            kubernetes_validate.validate(each, version, strict=True)


def test_helm_finds_no_fault() -> None:
    assert lint() == []


def test_the_chart_has_the_version_of_the_product() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    product = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert chart["version"] == chart["appVersion"] == product
    assert {container["image"] for _, container in rendered().containers()} == {f"driftwarden:{product}"}


@everywhere
def test_every_variable_is_one_that_is_read(variant: str) -> None:
    models = yaml.safe_load(models_file(rendered(variant)))
    of_models = {
        value.removeprefix(ENVIRONMENT_REFERENCE)
        for value in texts(models)
        if value.startswith(ENVIRONMENT_REFERENCE)
    }
    for component, container in rendered(variant).containers():
        names = {each["name"] for each in container.get("env", ())}
        assert names <= set(setting_names().values()) | of_models | {"FORWARDED_ALLOW_IPS"}, component


def test_processes_run_as_compose_runs_them() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for component, container in rendered().containers():
        assert container["args"] == services[component]["command"], component
        if component not in ("migrate", "control"):
            ours, theirs = rendered().plain_environment(component), services[component]["environment"]
            addresses = {"DRIFTWARDEN_CONTROL_URL", "DRIFTWARDEN_SIMULATOR_URL"}
            assert {each["name"] for each in container["env"]} >= theirs.keys() - addresses
            assert all(ours[name] == theirs[name] for name in ours.keys() & theirs.keys() - addresses)


def test_settings_are_those_that_the_pods_rely_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings themselves read the pods' environment; the model file is where the ConfigMap is mounted."""
    for component in ("api", "worker", "scheduler"):
        with monkeypatch.context() as patch:
            for name, value in rendered().plain_environment(component).items():
                patch.setenv(name, value)
            settings = Settings(_env_file=None)  # type: ignore[call-arg]
        assert (settings.host, settings.port, settings.metrics_port) == ("0.0.0.0", 8700, 9400)
        mounts = {each["name"]: each["mountPath"] for each in rendered().container(component)["volumeMounts"]}
        assert settings.models == Path(mounts["models"]) / "models.yaml"


def test_the_control_can_be_asked_with_the_models_that_come_along(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(models_file(rendered()))
    catalogue = Catalogue.load(tmp_path / "models.yaml", rendered().plain_environment("worker"))
    [service] = [name for name in rendered().of_kind("Service") if name.endswith("-control")]
    assert catalogue.resolve("control").api_base == f"http://{service}:9200/v1"
    assert may_connect(rendered(), "worker", "control", 9200)


def test_own_models_replace_them_and_restart_the_pods() -> None:
    own = render({"models": "model_list: [{model_name: a, litellm_params: {model: openai/a}}]\n"})
    assert "openai/a" in models_file(own)
    for component in ("api", "worker", "scheduler"):
        before, after = (each.pods()[component]["metadata"]["annotations"] for each in (rendered(), own))
        assert before != after


@everywhere
def test_every_command_is_one_of_ours(variant: str) -> None:
    commands = typer.main.get_command(cli)
    for _, container in rendered(variant).containers():
        assert "command" not in container, "the image's entry point is `driftwarden`"
        name, *arguments = container["args"]
        commands.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


@everywhere
def test_what_is_secret_comes_from_the_secret(variant: str) -> None:
    for component in ("api", "worker", "scheduler"):
        container = rendered(variant).container(component)
        taken = {each["name"] for each in container["env"] if "valueFrom" in each}
        assert taken == {"DATABASE_URL", "REDIS_URL", "DRIFTWARDEN_SECRET_KEY"}
        assert container["envFrom"] == [{"secretRef": {"name": "driftwarden"}}]
    assert [each["name"] for each in rendered(variant).container("migrate")["env"]] == [
        "DATABASE_URL",
        "DRIFTWARDEN_LOG_FORMAT",
    ]


def test_migrations_can_go_past_a_pooler() -> None:
    direct = render({"migrate": {"databaseUrlKey": "DIRECT_URL"}}).container("migrate")["env"][0]
    assert (direct["name"], direct["valueFrom"]["secretKeyRef"]["key"]) == ("DATABASE_URL", "DIRECT_URL")


def test_migrations_run_before_anything_else_and_need_nothing_of_the_release() -> None:
    [job] = rendered().of_kind("Job").values()
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "volumes" not in job["spec"]["template"]["spec"]


@everywhere
def test_probes_ask_where_there_is_an_answer(variant: str) -> None:
    served = {route.path for route in health_routes.routes}  # type: ignore[attr-defined]
    ports = {"api": 8700, "worker": 9400, "scheduler": 9400, "control": 9200}
    for component, container in rendered(variant).containers():
        if component == "migrate":
            continue
        [port] = container["ports"]
        assert port["containerPort"] == ports[component]
        probes = {name: each for name, each in container.items() if name.endswith("Probe")}
        assert {"livenessProbe", "readinessProbe"} <= probes.keys()
        for name, probe in probes.items():
            assert probe["httpGet"]["port"] == port["name"], (component, name)
            assert probe["httpGet"]["path"] in served
            assert probe["timeoutSeconds"] > READY_SECONDS + 1, "the process itself asks for so long"
        # A database that is away is no reason to restart what waits for it.
        assert probes["livenessProbe"]["httpGet"]["path"] == "/healthz"


@everywhere
def test_no_container_may_be_root_or_write_to_its_root(variant: str) -> None:
    for component, pod in rendered(variant).pods().items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"], component
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all({"emptyDir", "configMap"} & volume.keys() for volume in spec.get("volumes", ()))
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    # runAsNonRoot can be checked by a kubelet only where the image names its user by number.
    users = re.findall(r"^USER (\S+)$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert users[-1].isdigit()
    assert int(users[-1]) > 0


@everywhere
def test_no_other_service_is_taken_for_a_setting(variant: str) -> None:
    """A Service called `driftwarden` would give every pod DRIFTWARDEN_PORT=tcp://..., a port for Settings."""
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in rendered(variant).pods().values())


@everywhere
def test_what_stops_has_the_time_it_takes(variant: str) -> None:
    usual = Settings.model_fields["drain_seconds"].default
    drain_seconds = VARIANTS[variant].get("settings", {}).get("DRIFTWARDEN_DRAIN_SECONDS", usual)
    grace = {
        name: pod["spec"].get("terminationGracePeriodSeconds")
        for name, pod in rendered(variant).pods().items()
    }
    assert grace["worker"] >= drain_seconds + 10
    [_, waits] = rendered(variant).container("api")["lifecycle"]["preStop"]["exec"]["command"]
    assert grace["api"] > int(waits) + DRAIN_SECONDS


def test_links_lead_to_the_ingress(monkeypatch: pytest.MonkeyPatch) -> None:
    release = rendered("reached from outside, two schedulers")
    for component in ("api", "worker", "scheduler"):
        assert (
            release.plain_environment(component)["DRIFTWARDEN_PUBLIC_URL"]
            == "https://driftwarden.example.org"
        )
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", release.plain_environment("api")["FORWARDED_ALLOW_IPS"])
    assert uvicorn.Config("a:b").forwarded_allow_ips == "10.0.0.0/8,fd00::/8"
    plain = render({"ingress": {"enabled": True, "host": "eval.internal"}})
    assert plain.plain_environment("api")["DRIFTWARDEN_PUBLIC_URL"] == "http://eval.internal"


def test_two_releases_can_live_side_by_side() -> None:
    names = {(each["kind"], each["metadata"]["name"]) for each in render(release="second").objects}
    assert not names & {(each["kind"], each["metadata"]["name"]) for each in rendered().objects}


def models_file(release: Rendering) -> str:
    [config] = release.of_kind("ConfigMap").values()
    text: str = config["data"]["models.yaml"]
    return text


def texts(node: Any) -> list[str]:
    match node:
        case dict():
            return [text for inner in node.values() for text in texts(inner)]
        case list():
            return [text for inner in node for text in texts(inner)]
        case str():
            return [node]
        case _:
            return []


def assert_shape(node: Any, shape: Any) -> None:
    """Exactly these names, with values of these types."""
    match shape:
        case dict():
            assert node.keys() == shape.keys()
            for name, inner in shape.items():
                assert_shape(node[name], inner)
        case [inner]:
            assert node
            for each in node:
                assert_shape(each, inner)
        case type():
            assert isinstance(node, shape)
