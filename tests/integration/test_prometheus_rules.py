"""What Prometheus is told to scrape, record and alert on: valid, tested rule by rule, and true of our CLI."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from services.cli.main import app
from tests.e2e.prometheus import find_program
from tests.unit.test_metrics_page import list_metrics

FOLDER = Path(__file__).parents[2] / "deploy/prometheus"


@pytest.fixture(scope="module")
def promtool() -> str:
    return find_program("promtool")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def list_rules() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("rules/*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def read_tests() -> str:
    return "\n".join(path.read_text() for path in sorted(FOLDER.glob("tests/*.yml")))


def test_the_configuration_with_its_rules_is_valid(promtool: str) -> None:
    assert run(promtool, "check", "config", "prometheus.yml") == ""


@pytest.mark.slow
def test_the_rules_do_what_their_tests_say(promtool: str) -> None:
    assert run(promtool, "test", "rules", *sorted(FOLDER.glob("tests/*.yml"))) == ""


def test_every_rule_has_a_test() -> None:
    tested = set(re.findall(r"alertname: (\w+)", read_tests()))
    tested |= set(re.findall(r"expr: .*?(driftwarden:\w+:\w+)", read_tests()))
    assert {rule.get("alert") or rule["record"] for rule in list_rules()} == tested


def test_every_alert_is_tested_both_ways() -> None:
    tests = [
        test for path in FOLDER.glob("tests/*.yml") for test in yaml.safe_load(path.read_text())["tests"]
    ]
    told = {
        (one["alertname"], bool(one["exp_alerts"]))
        for test in tests
        for one in test.get("alert_rule_test", ())
    }
    alerts = {rule["alert"] for rule in list_rules() if "alert" in rule}
    assert told == {(alert, fires) for alert in alerts for fires in (True, False)}


def test_every_alert_tells_what_happened_and_what_to_do() -> None:
    for rule in list_rules():
        if "alert" in rule:
            assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
            assert rule["annotations"]["summary"].endswith("."), rule["alert"]


def test_rules_ask_only_for_what_is_told() -> None:
    asked = set(re.findall(r"\bdriftwarden_\w+", " ".join(rule["expr"] for rule in list_rules())))
    told = {row.split("`")[1] for row in list_metrics()}
    assert {name.removesuffix("_bucket") for name in asked} <= told


def test_every_alert_is_on_the_page_of_metrics() -> None:
    page = (FOLDER.parents[1] / "docs/metrics.md").read_text()
    alerts = {rule["alert"] for rule in list_rules() if "alert" in rule}
    assert set(re.findall(r"`(Driftwarden\w+)`", page)) == alerts


def test_the_commands_that_alerts_name_exist() -> None:
    texts = " ".join(rule["annotations"]["description"] for rule in list_rules() if "alert" in rule)
    commands = re.findall(r"`driftwarden ([^`]+)`", texts)
    assert len(commands) >= 4
    for command in commands:
        find_command(get_command(app), command.split())


def find_command(known: Any, words: list[str]) -> None:
    """Walk down to the command that the words name, and look for its options there."""
    while words and hasattr(known, "commands"):
        known = known.commands[words.pop(0)]
    options = {option for parameter in known.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_what_is_scraped_is_what_compose_starts() -> None:
    compose = yaml.safe_load((FOLDER.parents[1] / "docker-compose.yml").read_text())
    metrics_port = int(compose["x-driftwarden"]["environment"]["DRIFTWARDEN_METRICS_PORT"])
    scraped = {
        config["job_name"]: (one["names"], one["port"])
        for config in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
        for one in config["dns_sd_configs"]
    }
    assert scraped == {
        "driftwarden-api": (["api"], 8700),
        "driftwarden-worker": (["worker"], metrics_port),
        "driftwarden-scheduler": (["scheduler"], metrics_port),
    }
    assert {"api", "worker", "scheduler"} <= compose["services"].keys()
