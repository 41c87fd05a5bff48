"""What people may write into values.yaml: what Settings read, and nothing that is misspelt."""

import json
from typing import Any

import pytest
import yaml

from shared.settings import Settings
from tests.unit.charts import CHART, ChartRefused, render, setting_names

OWN = {"port", "metrics_port", "models", "data"}  # the chart's own
ONLY_ON_LOOPBACK = {"auth"}  # where alone it can be off
OPEN = ("settings", "pod", "resources")  # values.yaml shows these as a whole
GLOBAL = "global"  # of a chart that this one is a part of


def test_a_large_number_stays_one() -> None:
    made = render({"settings": {"DRIFTWARDEN_WORKER_SLOTS": 1_000_000}})
    assert made.plain_environment("worker")["DRIFTWARDEN_WORKER_SLOTS"] == "1000000"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"wroker": {}}, "wroker"),
        ({"worker": {"keda": {"enable": True}}}, "enable"),
        ({"settings": {"DRIFTWARDEN_WORKER_SLOT": 5}}, "DRIFTWARDEN_WORKER_SLOT"),
        ({"settings": {"DRIFTWARDEN_MODEL_SLOTS": 0}}, "DRIFTWARDEN_MODEL_SLOTS"),
        ({"settings": {"DRIFTWARDEN_SECRET_KEY": "in clear"}}, "DRIFTWARDEN_SECRET_KEY"),
        ({"pod": {"hostNetwork": True}}, "hostNetwork"),
        ({"scheduler": {"replicas": 0}}, "replicas"),
        ({"networkPolicy": {"providerPorts": "443"}}, "providerPorts"),
    ],
)
def test_a_slip_is_refused_by_its_name(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ChartRefused, match=told):
        render(values)


def test_the_schema_knows_every_setting_that_is_no_secret_and_not_the_charts_own() -> None:
    fields = Settings.model_json_schema(by_alias=False)["properties"]
    secret = {
        name for name, field in fields.items() if "SecretStr" in str(Settings.model_fields[name].annotation)
    }
    expected = {
        setting_names()[name]: bounds(field)
        for name, field in fields.items()
        if name not in OWN | ONLY_ON_LOOPBACK | secret
    }
    told = schema()["properties"]["settings"]["properties"]
    assert {name: bounds(field) for name, field in told.items()} == expected, "correct values.schema.json"


def test_every_value_is_shown_with_its_default() -> None:
    def names(node: dict[str, Any]) -> dict[str, Any]:
        node = schema()["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        known = node.get("properties", {})
        return {name: {} if name in OPEN else names(inner) for name, inner in known.items() if name != GLOBAL}

    def shown(node: Any) -> dict[str, Any]:
        inner = node.items() if isinstance(node, dict) else ()
        return {name: {} if name in OPEN else shown(value) for name, value in inner}

    assert shown(yaml.safe_load((CHART / "values.yaml").read_text())) == names(schema())


def schema() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return told


def bounds(field: dict[str, Any]) -> dict[str, Any]:
    """What a setting must be; what may be left out is not set, and lists are one text in the environment."""
    [one] = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    if one["type"] == "array":
        return {"type": "string"}
    return {key: one[key] for key in ("type", "minimum", "exclusiveMinimum", "enum") if key in one}
