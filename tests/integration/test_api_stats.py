"""The statistics of a period."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.statistics import KEPT_SECONDS, StatsBoard
from tests.factories import plan_run
from tests.integration.importing import import_rows, make_row, make_rows
from tests.integration.serving import Api, finished_run

STATS = "/api/v1/stats"


async def stats(api: Api, period: str = "all") -> dict[str, Any]:
    """What is told at the first look; a second one within a minute would be told the same."""
    response = await api.client.get(STATS, params={"period": period})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


async def test_nothing_measured_is_no_score_of_zero(api: Api) -> None:
    assert await stats(api) == {
        "period": "all",
        "summary": {"runs": 0, "average_score": None, "items": 0},
        "top_models": [],
        "score_distribution": {"perfect": 0, "partial": 0, "failed": 0, "unscored": 0},
        "runs_over_time": [],
        "latency_over_time": [],
        "top_datasets": [],
    }


async def test_models_are_ranked_by_their_questions_over_all_runs(api: Api) -> None:
    await import_rows(
        api,
        *make_rows(1, 0, model="mixed", run_at=ago(hours=3)),
        *make_rows(1, 8, model="mixed", run_at=ago(hours=2)),
        *make_rows(3, 1, model="steady", run_at=ago(hours=2)),
        *make_rows(0, unscored=4, model="silent", run_at=ago(hours=2)),
    )
    told = await stats(api)
    assert told["top_models"] == [
        {"model": "steady", "accuracy": 0.75, "questions": 4, "runs": 1},
        {"model": "mixed", "accuracy": 0.2, "questions": 10, "runs": 2},
    ]
    assert told["summary"] == {"runs": 4, "average_score": pytest.approx(5 / 14), "items": 18}


async def test_scores_are_distributed_over_questions(api: Api) -> None:
    half = [make_row(9, score=0.5), make_row(10, repeat=1, score=1), make_row(10, repeat=2, score=0)]
    await import_rows(api, *make_rows(3, 2, unscored=1), *half)
    told = await stats(api)
    assert told["score_distribution"] == {"perfect": 3, "partial": 2, "failed": 2, "unscored": 1}
    assert told["summary"]["items"] == 9


async def test_a_period_holds_what_finished_within_it(api: Api) -> None:
    ages = {
        "24h": ago(hours=1),
        "7d": ago(days=6),
        "30d": ago(days=29),
        "90d": ago(days=89),
        "all": ago(days=400),
    }
    await import_rows(api, *(make_row(run_at=run_at) for run_at in ages.values()))
    found = [(await stats(api, period))["summary"]["runs"] for period in ages]
    assert found == [1, 2, 3, 4, 5]


async def test_days_and_hours_begin_in_utc(api: Api) -> None:
    await import_rows(
        api,
        make_row(run_at="2025-03-01T23:30:00Z", latency_seconds=1.0),
        make_row(run_at="2025-03-02T00:10:00+01:00", score=0, latency_seconds=3.0),
        make_row(run_at="2025-03-02T00:30:00Z"),
    )
    told = await stats(api)
    assert told["runs_over_time"] == [
        {"at": "2025-03-01T00:00:00Z", "runs": 2, "items": 2, "average_score": 0.5},
        {"at": "2025-03-02T00:00:00Z", "runs": 1, "items": 1, "average_score": 1.0},
    ]
    assert told["latency_over_time"] == [
        {"at": "2025-03-01T00:00:00Z", "latency_mean_seconds": 2.0, "latency_p95_seconds": 3.0},
        {"at": "2025-03-02T00:00:00Z", "latency_mean_seconds": None, "latency_p95_seconds": None},
    ]


async def test_the_last_day_is_told_by_the_hour(api: Api) -> None:
    moments = [ago(hours=2), ago(hours=5)]
    await import_rows(api, *(make_row(run_at=run_at) for run_at in moments))
    hours = [at[:13] + ":00:00" for at in sorted(moments)]
    assert [each["at"].removesuffix("Z") for each in (await stats(api, "24h"))["runs_over_time"]] == hours


async def test_the_mean_latency_is_that_of_answers(api: Api) -> None:
    await import_rows(
        api,
        *make_rows(3, model="quick", latency_seconds=1.0),
        *make_rows(1, model="slow", latency_seconds=5.0, run_at="2025-03-01T05:00:00Z"),
        *make_rows(4, model="unknown", run_at="2025-03-01T06:00:00Z"),
    )
    (day,) = (await stats(api))["latency_over_time"]
    assert (day["latency_mean_seconds"], day["latency_p95_seconds"]) == (2.0, 5.0)


async def test_suites_are_ranked_by_their_runs(api: Api) -> None:
    await import_rows(
        api,
        *make_rows(2, suite="once"),
        make_row(suite="twice", run_at=ago(days=2)),
        make_row(suite="twice", run_at=ago(days=1), score=None, error_kind="timeout"),
    )
    assert (await stats(api))["top_datasets"] == [
        {"suite": "twice", "runs": 2, "items": 2, "average_score": 1.0},
        {"suite": "once", "runs": 1, "items": 2, "average_score": 1.0},
    ]


async def test_only_completed_runs_count(api: Api) -> None:
    await finished_run(api)
    await plan_run(api.desk.pool)
    assert (await stats(api, "24h"))["summary"] == {"runs": 1, "average_score": 1.0, "items": 3}


async def test_a_period_is_read_once_a_minute(api: Api) -> None:
    now = 0.0
    board = StatsBoard(clock=lambda: now)

    async def runs() -> int:
        return (await board.read(api.desk, "all")).summary.runs

    assert await runs() == 0
    await import_rows(api, make_row())
    now = KEPT_SECONDS - 1
    assert await runs() == 0
    assert (await board.read(api.desk, "90d")).summary.runs == 0
    now = KEPT_SECONDS
    assert await runs() == 1


async def test_a_period_that_is_not_known_is_refused(api: Api) -> None:
    response = await api.client.get(STATS, params={"period": "1y"})
    assert [error["field"] for error in response.json()["errors"]] == ["period"]
    assert (await api.client.get(STATS)).json()["period"] == "7d"
