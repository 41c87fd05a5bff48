"""The real Prometheus scrapes the real processes, and our rules find in them what they look for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.prometheus import RULES, Prometheus, find_free_ports, find_program, run_prometheus
from tests.e2e.standalone import import_suite, run_standalone, run_to_end

SIMULATOR = {
    "seed": 7,
    "models": {
        "bright": {"skill": 0.9, "noise": 0.0},
        "broken": {"skill": 0.9, "faults": {"content_filter": 1.0}},
    },
}
QUESTIONS = 30
# What needs a schedule, or a night that is late.
NOT_YET = {
    "driftwarden:drift_evidence:ratio",
    "driftwarden:incidents_open:count",
    "driftwarden:night_overdue:seconds",
    "driftwarden:queue_oldest_job:seconds",
    "driftwarden:cost_usd:increase1d",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stack that has measured one run, scraped since before."""

    prometheus: Prometheus
    run: dict[str, Any]

    async def value(self, expression: str) -> float:
        [series] = await self.prometheus.query(expression)
        return series.value


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    find_program("prometheus")
    suite = tmp_path / "sums.csv"
    rows = [f"q-{n},math,What is {n} + {n}?,{2 * n},numeric" for n in range(1, QUESTIONS + 1)]
    suite.write_text("\n".join(["id,category,input,target,scorer", *rows]))
    (tmp_path / "prometheus").mkdir()
    metrics = find_free_ports(2)
    simulator = {**SIMULATOR, "suites": [str(suite)]}
    async with run_standalone(tmp_path, simulator, workers=1, metrics_port=metrics) as client:
        targets = {
            "driftwarden-api": [httpx.URL(client.base_url).netloc.decode()],
            "driftwarden-scheduler": [f"127.0.0.1:{metrics}"],
            "driftwarden-worker": [f"127.0.0.1:{metrics + 1}"],
        }
        async with run_prometheus(tmp_path / "prometheus", targets) as prometheus:
            await prometheus.until_data('driftwarden_answers_total{model="bright"}')
            await import_suite(client, suite, "sums")
            run = await run_to_end(client, suite="sums", models=["bright", "broken"])
            yield Stage(prometheus, run)


@pytest.mark.slow
async def test_a_run_shows_in_every_process_and_in_the_rules(stage: Stage) -> None:
    prometheus = stage.prometheus
    measured = {
        each["model"]: each["accuracy"] for each in stage.run["aggregates"] if each["category"] == "all"
    }

    accuracy = await prometheus.until_data('driftwarden:accuracy:ratio{category="all"}')
    assert {one.labels["model"]: one.value for one in accuracy} == {"bright": measured["bright"]}
    assert measured["broken"] is None

    await prometheus.until_data('driftwarden:answers_failed:ratio1h{model="broken"} > 0')
    assert await stage.value('driftwarden:answers_failed:ratio1h{model="broken"}') == pytest.approx(1)
    assert await stage.value('driftwarden:answers_failed:ratio1h{model="bright"}') == 0
    answers = 'sum(driftwarden_answers_total{job="driftwarden-worker",model="bright",outcome="scored"})'
    assert await stage.value(answers) == QUESTIONS
    assert await stage.value('sum(driftwarden_runs_closed_total{state="completed"})') == 1
    assert await stage.value("min(driftwarden_quality_up) + min(driftwarden_queue_up)") == 2
    assert {one.labels["job"] for one in await prometheus.query("driftwarden_build_info")} == {
        "driftwarden-api",
        "driftwarden-scheduler",
        "driftwarden-worker",
    }


@pytest.mark.slow
async def test_every_rule_runs_on_what_the_processes_tell(stage: Stage) -> None:
    """promtool's tests invent their series; here they are the real ones."""
    prometheus = stage.prometheus
    rules = [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    await prometheus.until_data('driftwarden:request_duration_seconds:p95_5m{model="bright"} > 0')
    await prometheus.until_data("driftwarden:accuracy:ratio")

    recorded = {rule["record"] for rule in rules if "record" in rule}
    assert {name for name in recorded if not await prometheus.query(name)} == NOT_YET
    for rule in rules:
        await prometheus.query(rule["expr"])
    assert await prometheus.firing() == {}
