"""Planning: one run becomes its pairs, in the database first, on the queue second."""

import structlog
from arq.connections import ArqRedis

from services.worker.finalize import finalize_run
from shared.db import anchors, pairs, rejudging, runs, suites
from shared.db.pool import Connection, Pool
from shared.db.runs import Run
from shared.domain.questions.suites import sample
from shared.domain.runs import RunId, RunKind
from shared.queue import enqueue_pairs, enqueue_run_job

log = structlog.get_logger()


async def plan_run(pool: Pool, redis: ArqRedis, run_id: RunId) -> None:
    """Fan a run out. Done twice, only what is missing appears, in the database as on the queue."""
    async with pool.acquire() as connection:
        async with connection.transaction():
            run = await runs.lock_run(connection, run_id)
            if run is None or run.state.is_final:
                return
            if run.stop_reason is None:
                planned = await _plan_pairs(connection, run)
                await runs.mark_planned(connection, run_id, planned)
                log.info("run.planned", run=str(run_id), pairs=planned, models=len(run.models))
        for model, waiting in (await pairs.list_lines(connection, run_id)).items():
            await enqueue_pairs(redis, run_id, waiting, line=model)
        if run.kind is RunKind.NIGHTLY:
            await enqueue_run_job(redis, "probe_identity", run_id)
        if not await anchors.are_judged(connection, run_id):
            await enqueue_run_job(redis, "judge_anchors", run_id)
        await runs.mark_running(connection, run_id)
    await finalize_run(pool, run_id)


async def _plan_pairs(connection: Connection, run: Run) -> int:
    if run.rejudges is not None:
        return await rejudging.copy_pairs(connection, run.id, run.rejudges)
    stored = await suites.read_questions(connection, run.suite_version_id)
    chosen = sample([s.question for s in stored], run.sample or len(stored))
    ids = {question.id for question in chosen}
    numbers = [s.number for s in stored if s.question.id in ids]
    return await pairs.plan_pairs(connection, run.id, run.models, numbers, run.repeats)
