"""The rescuer finds what dead processes left lying, and only that."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.scheduler.rescue import rescue
from shared.db import pairs, runs
from shared.db.pairs import PairStep
from shared.domain.answers.scoring import Verdict
from shared.domain.runs import PairState, RunState
from shared.queue import enqueue_pairs, plant_sentinel
from tests.factories import make_answer, make_suite, plan_run, submit_run
from tests.integration.pipeline import Installation, install

SUITE = make_suite(4)


@pytest.fixture
async def here(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    models = {"bright": {"skill": 1.0, "noise": 0.0}, "dim": {"skill": 0.0, "noise": 0.0}}
    async with install(database_url, redis_url, tmp_path, SUITE, models) as installation:
        await plant_sentinel(installation.redis)
        yield installation


async def look(here: Installation, *, later: float = 60) -> dict[str, int]:
    """Rescue once, as if `later` seconds had passed."""
    return dict(await rescue(here.pool, here.redis, datetime.now(UTC) + timedelta(seconds=later)))


async def test_a_run_that_nobody_planned_is_planned(here: Installation) -> None:
    async with here.pool.acquire() as connection:
        run_id = await submit_run(connection, content=SUITE)
    assert await look(here, later=1) == {}, "its own job may still be on the way"
    assert await look(here) == {"plan_run": 1}
    assert (await look(here)).get("plan_run", 0) == 0, "the job waits already"
    await here.work()
    assert (await here.run(run_id)).state is RunState.COMPLETED


async def test_everything_queued_survives_the_loss_of_redis(here: Installation) -> None:
    keys = await plan_run(here.pool, content=SUITE, models=("bright", "dim"))
    await enqueue_pairs(here.redis, keys[0].run_id, keys)
    await here.redis.flushall()
    assert await look(here) == {"redis_is_new": 1}
    assert await look(here) == {"pairs_requeued": 8}
    assert await look(here) == {}
    await here.work()
    assert (await here.run(keys[0].run_id)).state is RunState.COMPLETED
    assert await here.requests("bright") + await here.requests("dim") == 8


async def test_only_the_lost_jobs_of_a_model_are_put_back(here: Installation) -> None:
    keys = await plan_run(here.pool, content=SUITE, models=("bright", "dim"))
    lost = [key for key in keys if key.model == "dim"][:3]
    await enqueue_pairs(here.redis, keys[0].run_id, [key for key in keys if key not in lost])
    assert await look(here) == {"pairs_requeued": 3}


async def test_a_run_whose_last_worker_died_before_closing_it_is_closed(here: Installation) -> None:
    keys = await plan_run(here.pool, content=SUITE)
    right = Verdict(1.0, True, "")
    steps = [
        PairStep(key, PairState.PENDING, PairState.SCORED, answer=make_answer(), outcome=right)
        for key in keys
    ]
    async with here.pool.acquire() as connection:
        await pairs.record_steps(connection, steps)
    assert await look(here) == {"finalize_run": 1}
    await here.work()
    assert (await here.run(keys[0].run_id)).state is RunState.COMPLETED


async def test_a_wish_to_stop_is_not_forgotten(here: Installation) -> None:
    keys = await plan_run(here.pool, content=SUITE)
    async with here.pool.acquire() as connection:
        await runs.request_stop(connection, keys[0].run_id, RunState.CANCELLED)
    assert await look(here) == {"stop_run": 1}
    await here.work()
    assert (await here.run(keys[0].run_id)).state is RunState.CANCELLED
    assert {row["state"] for row in await here.results(keys[0].run_id)} == {"skipped"}
    assert await here.requests("bright") == 0


async def test_what_is_well_is_left_alone(here: Installation) -> None:
    keys = await plan_run(here.pool, content=SUITE)
    await enqueue_pairs(here.redis, keys[0].run_id, keys)
    assert await look(here) == {}
