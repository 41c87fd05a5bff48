"""Closing a run: exactly one caller does it, and what it writes is final."""

import structlog
from arq.connections import ArqRedis

from shared import metrics
from shared.db import aggregates, runs
from shared.db.deliveries import owe_callback
from shared.db.pool import Pool
from shared.domain.runs import RunId
from shared.queue import enqueue_delivery, enqueue_detection

log = structlog.get_logger()


async def finalize_run(pool: Pool, run_id: RunId) -> bool:
    """Close a run and write its aggregates, if nothing of it is open; True for the one call that did.

    Call it after the last pair's commit, never inside that transaction: there, two last pairs would each see
    the other as open, and the run would stay open for good.
    """
    async with pool.acquire() as connection, connection.transaction():
        if not await runs.claim_close(connection, run_id):
            return False
        await aggregates.store_aggregates(connection, await aggregates.compute_aggregates(connection, run_id))
        state = await runs.close_run(connection, run_id)
        await owe_callback(connection, run_id)
    metrics.RUNS_CLOSED.labels(state).inc()
    log.info("run.closed", run=str(run_id), state=state)
    return True


async def finalize_and_tell(pool: Pool, redis: ArqRedis, run_id: RunId) -> bool:
    """Close a run as `finalize_run` does, and have the watch look at it and its callers told at once."""
    is_closed = await finalize_run(pool, run_id)
    if is_closed:
        await enqueue_detection(redis, run_id)
        await enqueue_delivery(redis)
    return is_closed
