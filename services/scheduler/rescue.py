"""The rescuer: it assumes that processes die, and brings back what they left lying.

It evaluates nothing itself: what PostgreSQL says is open and Redis has forgotten goes back on the queue.
"""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

import structlog
from arq.connections import ArqRedis

from shared.db import anchors, pairs, runs
from shared.db.pool import Pool
from shared.db.runs import Run
from shared.domain.runs import RunId, RunState
from shared.queue import (
    enqueue_pairs,
    enqueue_run_job,
    model_of,
    plant_sentinel,
    queue_states,
    was_flushed,
)

INTERVAL_SECONDS = 10
ANCHORS_WORTH_JUDGING = timedelta(days=1)  # after that, what the judge says is no longer of that night
PATIENCE = timedelta(seconds=INTERVAL_SECONDS)

log = structlog.get_logger()


async def rescue(pool: Pool, redis: ArqRedis, now: datetime) -> Counter[str]:
    """Look once at every open run; return what was done, by name. Doing it twice does no harm."""
    if await was_flushed(redis):
        # Workers put back what they hold within one renewal; enqueueing it earlier would have it done twice.
        await plant_sentinel(redis)
        log.info("rescue.redis_is_new")
        return Counter(redis_is_new=1)

    queued = await _count_queued(
        redis
    )  # first: what finishes before the database is read is not taken for lost
    done: Counter[str] = Counter()
    async with pool.acquire() as connection:
        open_runs = await runs.list_open_runs(connection)
        open_pairs = await pairs.count_lines(connection, [run.id for run in open_runs if _is_running(run)])
        for run in open_runs:
            job = _missing_job(run, open_pairs.get(run.id))
            if job is not None and now - run.created_at >= PATIENCE:
                done[job] += await enqueue_run_job(redis, job, run.id)
        for run_id, model in _lost(open_pairs, queued):
            lost = (await pairs.list_lines(connection, run_id, model))[model]
            done["pairs_requeued"] += await enqueue_pairs(redis, run_id, lost, line=model)
        created = now - ANCHORS_WORTH_JUDGING, now - PATIENCE
        for run_id in await anchors.list_owing_runs(connection, *created):
            done["judge_anchors"] += await enqueue_run_job(redis, "judge_anchors", run_id)
    if done.total():
        log.warning("rescue.done", **done)
    return done


def _is_running(run: Run) -> bool:
    return run.state is RunState.RUNNING and run.stop_reason is None


def _missing_job(run: Run, open_pairs: Counter[str] | None) -> str | None:
    """The control job that an open run waits for, if any."""
    if run.stop_reason is not None:
        return "stop_run"
    if run.state in (RunState.SUBMITTED, RunState.PLANNED):
        return "plan_run"
    return "finalize_run" if not open_pairs else None


def _lost(open_pairs: dict[RunId, Counter[str]], queued: dict[str, int]) -> list[tuple[RunId, str]]:
    """The (run, model) with pairs in line, for every model that has more of them than Redis knows jobs."""
    per_model: Counter[str] = sum(open_pairs.values(), Counter())
    return [
        (run_id, model)
        for run_id, models in open_pairs.items()
        for model in models
        if per_model[model] > queued[model]
    ]


async def _count_queued(redis: ArqRedis) -> dict[str, int]:
    queued: dict[str, int] = defaultdict(int)
    for state in await queue_states(redis):
        if (model := model_of(state.queue)) is not None:
            queued[model] = state.waiting + state.running
    return queued
