"""/backtest and `driftwarden backtest`: the watch over what is stored."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from services.api import backtests
from shared.domain.telling.incidents import EventKind
from tests.integration.commands import Terminal, open_terminal
from tests.integration.importing import import_rows, make_row
from tests.integration.serving import Api
from tests.integration.watching import Past, Story, begin_past

BACKTEST = "/api/v1/backtest"
QUESTIONS = 80


def history(nights: int, change: int, *, models: tuple[str, ...] = ("bright", "dim")) -> list[dict[str, Any]]:
    """Imported nights; from the one numbered `change` on, `dim` answers hardly any question right."""
    chance = np.random.default_rng(3)
    return [
        make_row(
            question,
            model=model,
            run_id=f"night {night}",
            run_at=f"2025-03-{night:02}T02:00:00Z",
            category="even" if question % 2 else "odd",
            score=int(chance.random() < (0.3 if model == "dim" and night >= change else 0.9)),
        )
        for night in range(1, nights + 1)
        for model in models
        for question in range(QUESTIONS)
    ]


async def ask(api: Api, **body: Any) -> dict[str, Any]:
    response = await api.client.post(BACKTEST, json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_imported_history_is_gone_over_night_by_night(api: Api) -> None:
    await import_rows(api, *history(8, change=6))
    found = await ask(api, suite="golden")
    assert (found["entries"], found["watched_models"]) == (8, 2)
    bright, dim = found["items"]
    [event] = [event for event in dim["events"] if event["kind"] == "opened"]
    assert (event["night"], event["since"], event["severity"]) == ("2025-03-06", "2025-03-06", "critical")
    assert bright["events"] == []
    assert found["summary"]["quiet_models"] == ["bright"]
    assert found["summary"]["sentence"].startswith(
        "1 incident and 0 improvements told of 2 models over 8 entries"
    )


async def test_models_and_runs_can_be_chosen(api: Api) -> None:
    runs = await import_rows(api, *history(8, change=6))
    one = await ask(api, suite="golden", models=["dim"], runs=3)
    assert (one["entries"], one["first_night"], one["watched_models"]) == (3, "2025-03-06", 1)
    assert one["items"][0]["events"] == []
    two = await ask(api, suite="golden", runs=[runs[4]["run_id"], runs[5]["run_id"]])
    assert (two["first_night"], two["last_night"]) == ("2025-03-05", "2025-03-06")


async def test_a_rarer_false_alarm_takes_more_evidence(api: Api) -> None:
    await import_rows(api, *history(7, change=6))
    usual, rare = await ask(api, suite="golden"), await ask(api, suite="golden", nights_per_false_alarm=1e6)

    def ratio(found: dict[str, Any]) -> float:
        return float(found["items"][1]["events"][0]["evidence_ratio"])

    assert ratio(usual) == pytest.approx(ratio(rare) * 1e6 / 365)


async def test_what_is_asked_for_wrongly_is_refused_by_name(api: Api) -> None:
    await import_rows(api, *history(2, change=9))
    for body, field in (
        ({}, "schedule"),
        ({"schedule": "nightly", "suite": "golden"}, "schedule"),
        ({"schedule": "nightly"}, "schedule"),
        ({"suite": "unheard-of"}, "suite"),
        ({"suite": "golden", "models": ["dim", "nobody"]}, "models[1]"),
        ({"suite": "golden", "runs": [str(uuid4())]}, "runs[0]"),
        ({"suite": "golden", "runs": 0}, "runs"),
        ({"suite": "golden", "nights_per_false_alarm": 0.5}, "nights_per_false_alarm"),
        ({"suite": "golden", "night": 3}, "night"),
    ):
        response = await api.client.post(BACKTEST, json=body)
        assert response.status_code == 422, body
        assert field in [error["field"].partition(".")[0] for error in response.json()["errors"]], body


async def test_too_much_history_is_refused_with_the_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await import_rows(api, *history(3, change=9))
    monkeypatch.setattr(backtests, "MOST_PAIRS", 100)
    response = await api.client.post(BACKTEST, json={"suite": "golden"})
    assert response.status_code == 422
    assert "3 entries with 480 answers; a backtest takes 1,000 entries and 100 answers" in response.text


@pytest.fixture
async def past(api: Api) -> Past:
    return await begin_past(api.desk.pool, api.desk.redis, ["bright", "dim"])


def fall_and_rise(model: str, night: int) -> float | None:
    """The one is out on night 9, the other falls from night 12 on."""
    if model == "bright":
        return None if night == 9 else 0.8
    return 0.45 if night >= 12 else 0.8


async def test_a_schedules_backtest_tells_what_the_scheduler_told(api: Api, past: Past) -> None:
    await past.live(16, Story(fall_and_rise))
    found = await ask(api, schedule=past.schedule.name)

    told = {each["model"]: each for each in found["items"]}
    incidents = await past.incidents()
    assert {one.model for one in incidents} == {"bright", "dim"}
    for incident in incidents:
        opened = next(event for event in told[incident.model]["events"] if event["kind"] == EventKind.OPENED)
        assert opened["cause"] == incident.cause
        assert opened["since"] == incident.findings["since"]
        closed = [event["kind"] for event in told[incident.model]["events"]][-1]
        assert (closed == "outage_over") is (incident.status == "closed")
    async with api.desk.connection() as connection:
        events = await connection.fetch(
            "SELECT i.model, e.kind, e.run_id FROM incident_events e JOIN incidents i ON i.id = e.incident_id"
            " ORDER BY e.id"
        )
        states = await connection.fetch("SELECT model, state FROM monitors WHERE subject = 'model'")
    assert {(row["model"], row["kind"]) for row in events} == {
        (each["model"], event["kind"]) for each in found["items"] for event in each["events"]
    }
    assert {row["model"]: row["state"] for row in states} == {
        each["model"]: each["state"] for each in found["items"]
    }


async def test_the_command_tells_when_why_and_what_would_be_noticed(served_api: Api, tmp_path: Path) -> None:
    await import_rows(served_api, *history(8, change=6))
    terminal: Terminal = open_terminal(served_api, tmp_path / "work")
    done = await terminal("backtest", "--suite", "golden")
    lines = done.out.splitlines()
    assert done.code == 0
    assert [line.split()[:2] for line in lines if "ALARM" in line] == [["2025-03-06", "ALARM"]]
    assert "accuracy" in done.out
    assert "what an alarm takes" in done.out
    assert any(
        line.startswith("bright") and "in 7 nights" in line.replace("\N{NO-BREAK SPACE}", " ")
        for line in lines
    )
    assert lines[-1].startswith("1 incident and 0 improvements told of 2 models over 8 entries")

    both = await terminal("backtest", "--suite", "golden", "--schedule", "nightly")
    assert (both.code, "one of --schedule and --suite" in both.err) == (2, True)
    assert (await terminal("backtest", "--suite", "golden", "--json")).json["entries"] == 8
