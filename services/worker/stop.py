"""Stopping a run: what was not begun is skipped, what is being asked right now is still paid for and kept."""

from arq.connections import ArqRedis

from services.worker.finalize import finalize_run
from shared.db import pairs, runs
from shared.db.pool import Connection, Pool
from shared.domain.errors import ErrorKind
from shared.domain.runs import RunId, RunState
from shared.queue import enqueue_run_job, running_pairs, withdraw_pairs

REASONS = {RunState.CANCELLED: ErrorKind.CANCELLED, RunState.STOPPED_BY_BUDGET: ErrorKind.BUDGET}


async def stop_run(pool: Pool, redis: ArqRedis, run_id: RunId) -> None:
    """Skip a run's open pairs, once its stop was requested, and close it when nothing is in flight.

    The request is committed before this reads who is running. So a pair begun later sees the request and
    skips itself, and a pair begun earlier is in the list and is left to finish.
    """
    async with pool.acquire() as connection:
        run = await runs.find_run(connection, run_id)
        if run is None or run.stop_reason is None or run.state.is_final:
            return
        in_flight = await running_pairs(redis, run_id)
        kind = REASONS[RunState(run.stop_reason)]
        await pairs.skip_open_pairs(connection, run_id, kind, except_for=in_flight)
    await withdraw_pairs(redis, run_id)
    await finalize_run(pool, run_id)


async def stop_for_budget(connection: Connection, redis: ArqRedis, run_id: RunId) -> None:
    """Have a run stopped whose allowance is used up."""
    if await runs.request_stop(connection, run_id, RunState.STOPPED_BY_BUDGET):
        await enqueue_run_job(redis, "stop_run", run_id)
