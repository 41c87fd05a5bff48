"""Planning: one run becomes its pairs, in the database first, on the queue second."""

import structlog
from arq.connections import ArqRedis

from services.worker.finalize import finalize_run
from shared.db import pairs, runs, suites
from shared.db.pool import Pool
from shared.domain.runs import RunId
from shared.domain.suites import sample
from shared.queue import enqueue_pairs

log = structlog.get_logger()


async def plan_run(pool: Pool, redis: ArqRedis, run_id: RunId) -> None:
    """Fan a run out. Done twice, only what is missing appears, in the database as on the queue."""
    async with pool.acquire() as connection:
        async with connection.transaction():
            run = await runs.lock_run(connection, run_id)
            if run is None or run.state.is_final:
                return
            if run.stop_reason is None:
                stored = await suites.read_questions(connection, run.suite_version_id)
                chosen = sample([s.question for s in stored], run.sample or len(stored))
                ids = {question.id for question in chosen}
                numbers = [s.number for s in stored if s.question.id in ids]
                planned = await pairs.plan_pairs(connection, run_id, run.models, numbers, run.repeats)
                await runs.mark_planned(connection, run_id, planned)
                log.info("run.planned", run=str(run_id), pairs=planned, models=len(run.models))
        await enqueue_pairs(redis, run_id, await pairs.list_open_pairs(connection, run_id))
        await runs.mark_running(connection, run_id)
    await finalize_run(pool, run_id)
