"""What must hold of every run is looked at; what does not hold is counted, logged and exported."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.scheduler.invariants import check_invariants
from shared.db.pool import Pool
from shared.domain.questions.suites import Scorer
from shared.domain.runs import RunId
from shared.settings import Settings
from tests.factories import make_suite, plan_run, submit_run
from tests.integration.importing import import_rows, make_rows
from tests.integration.pipeline import JUDGE, Installation, install
from tests.integration.serving import Api

SUITE = make_suite(3, scorer=Scorer())
PRICE = {"input_cost_per_token": 1e-5, "output_cost_per_token": 1e-5}
ALL_WELL = {
    "run_closes_in_time": 0,
    "run_costs_what_its_parts_cost": 0,
    "completed_run_has_aggregates": 0,
    "completed_run_has_no_open_pair": 0,
    "closed_run_keeps_no_provider_keys": 0,
}


@pytest.fixture
async def here(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    models, prices = {"bright": {"skill": 1.0}}, {"bright": PRICE, "judge": PRICE}
    async with install(database_url, redis_url, tmp_path, SUITE, models, parameters=prices) as installation:
        yield installation


async def look(pool: Pool, settings: Settings, *, later: timedelta = timedelta()) -> dict[str, int]:
    return await check_invariants(pool, settings, datetime.now(UTC) + later)


async def measured_run(here: Installation) -> RunId:
    """A run that was answered, judged and paid for."""
    run_id = await here.submit(SUITE, "bright", judge=JUDGE)
    await here.work()
    assert (await here.run(run_id)).spent_usd > 0
    return run_id


async def tamper(pool: Pool, statement: str, run_id: RunId) -> None:
    """Do what no program can: the triggers that guard facts, and foreign keys, are off."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(statement, run_id)


async def test_all_is_well_where_runs_are_run(here: Installation) -> None:
    await measured_run(here)
    await plan_run(here.pool)
    assert await look(here.pool, here.settings) == ALL_WELL


async def test_all_is_well_with_imported_runs(api: Api) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    await import_rows(api, *make_rows(3, 1, 1, run_at=yesterday, cost_usd=0.25))
    assert await look(api.desk.pool, api.desk.settings) == ALL_WELL


@pytest.mark.parametrize(
    ("invariant", "statement"),
    [
        (
            "run_costs_what_its_parts_cost",
            "UPDATE runs SET spent_usd = spent_usd + 0.000000001 WHERE id = $1",
        ),
        ("run_costs_what_its_parts_cost", "UPDATE pairs SET cost_usd = 1 WHERE run_id = $1"),
        ("run_costs_what_its_parts_cost", "UPDATE pairs SET judge_cost_usd = NULL WHERE run_id = $1"),
        (
            "run_costs_what_its_parts_cost",
            "INSERT INTO anchor_judgements (run_id, anchor_id, score, cost_usd) VALUES ($1, 1, 1, 0.01)",
        ),
        ("completed_run_has_aggregates", "DELETE FROM run_aggregates WHERE run_id = $1"),
        (
            "completed_run_has_no_open_pair",
            "UPDATE pairs SET state = 'pending', score = NULL, passed = NULL, closed_at = NULL"
            " WHERE run_id = $1",
        ),
        (
            "closed_run_keeps_no_provider_keys",
            "INSERT INTO run_provider_keys (run_id, provider, sealed) VALUES ($1, 'openai', '')",
        ),
    ],
)
async def test_what_is_broken_is_counted_logged_and_exported(
    here: Installation, invariant: str, statement: str
) -> None:
    await tamper(here.pool, statement, await measured_run(here))
    with capture_logs() as logs:
        assert await look(here.pool, here.settings) == {**ALL_WELL, invariant: 1}
    assert [(entry["event"], entry["invariant"], entry["runs"]) for entry in logs] == [
        ("invariant.broken", invariant, 1)
    ]
    for name in ALL_WELL:
        exported = REGISTRY.get_sample_value("driftwarden_invariants_broken", {"invariant": name})
        assert exported == (name == invariant)


async def test_a_run_that_stays_open_for_too_long_is_told(here: Installation) -> None:
    await plan_run(here.pool)
    async with here.pool.acquire() as connection:
        await submit_run(connection)
    assert await look(here.pool, here.settings, later=timedelta(hours=5.9)) == ALL_WELL
    assert await look(here.pool, here.settings, later=timedelta(hours=6.1)) == {
        **ALL_WELL,
        "run_closes_in_time": 2,
    }


async def test_anchors_and_answers_scored_again_are_paid_for_where_they_were_asked(
    here: Installation,
) -> None:
    """A run that scores stored answers again pays its judge for them, and not the models once more."""
    first, again = await measured_run(here), await measured_run(here)
    await tamper(
        here.pool,
        "INSERT INTO anchor_judgements (run_id, anchor_id, score, cost_usd) VALUES ($1, 1, 1, 0.01)",
        first,
    )
    await tamper(here.pool, "UPDATE runs SET spent_usd = spent_usd + 0.01 WHERE id = $1", first)
    await tamper(
        here.pool,
        "INSERT INTO anchor_judgements (run_id, anchor_id, repeat, score, cost_usd, is_booked)"
        " VALUES ($1, 1, 2, 1, 0.02, false)",
        first,
    )
    await tamper(
        here.pool,
        "UPDATE runs r SET kind = 'rerun', rejudges = r.id, spent_usd = r.spent_usd -"
        " (SELECT sum(cost_usd) FROM pairs WHERE run_id = r.id) WHERE id = $1",
        again,
    )
    assert await look(here.pool, here.settings) == ALL_WELL
