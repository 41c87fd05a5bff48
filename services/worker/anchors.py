"""The judge judged: after each night's questions it scores the same frozen answers again."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import structlog
from arq.connections import ArqRedis

from services.worker.bench import Bench
from services.worker.evaluate import ask_judge
from services.worker.finalize import finalize_run
from services.worker.provider import Permanent, Transient
from services.worker.stop import stop_for_budget
from shared import metrics
from shared.db import anchors
from shared.db.anchors import Unjudged
from shared.domain.answers.judging import Judge
from shared.domain.answers.scoring import Outcome, Unscored
from shared.domain.errors import ErrorKind
from shared.domain.retrying import wait_seconds
from shared.domain.runs import Answer, RunId
from shared.queue import enqueue_detection

AT_ONCE = 10

log = structlog.get_logger()


async def judge_anchors(bench: Bench, redis: ArqRedis, run_id: RunId, repeats: int) -> None:
    """Bring a run's judgements of its anchors to `repeats` of each. Done twice, only what is missing is asked
    and paid for.

    What failed in passing is asked again after the rest, as often as a pair is; the last failure is stored.
    """
    judge = (await bench.terms_of(run_id)).judge
    for attempt in range(1, bench.settings.max_attempts + 1):
        async with bench.pool.acquire() as connection:
            owed = await anchors.list_unjudged(connection, run_id, repeats)
        if not owed:
            break
        assert judge is not None, "a run without a judge owes nothing"
        is_last = attempt == bench.settings.max_attempts
        faults = await _judge_all(bench, redis, run_id, judge, owed, is_last=is_last)
        if not faults:
            break
        longest = max((fault.retry_after_seconds or 0 for fault in faults), default=0)
        seconds = wait_seconds(attempt, longest, seed=f"anchors:{run_id}")
        log.info("anchors.retry", run=str(run_id), missing=len(faults), attempt=attempt, wait_seconds=seconds)
        await asyncio.sleep(seconds)
    # Booking a cost holds the run's row; a close that met it then has left the run to us.
    await finalize_run(bench.pool, run_id)
    await enqueue_detection(redis, run_id)


async def _judge_all(
    bench: Bench, redis: ArqRedis, run_id: RunId, judge: Judge, owed: Sequence[Unjudged], *, is_last: bool
) -> list[Transient]:
    """Ask for each of these judgements once, AT_ONCE at a time; return what failed in passing."""
    waiting = iter(owed)
    faults: list[Transient] = []

    async def judge_one_after_the_other() -> None:
        for each in waiting:
            fault = await _judge_one(bench, redis, run_id, judge, each, is_last=is_last)
            if fault is not None:
                faults.append(fault)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(judge_one_after_the_other())
    except ExceptionGroup as group:
        # What a job can try again is told by the kind of its error.
        raise group.exceptions[0] from group
    return faults


async def _judge_one(
    bench: Bench, redis: ArqRedis, run_id: RunId, judge: Judge, owed: Unjudged, *, is_last: bool
) -> Transient | None:
    """Ask for one judgement and store what comes of it; the fault, if another attempt is worth it."""
    async with bench.pool.acquire() as connection:
        allowance = await anchors.read_allowance(connection, run_id)
    if allowance.is_stopped:
        return None
    if allowance.is_used_up:
        spent = Unscored(ErrorKind.BUDGET, "The run's allowance was used up before this was judged.")
        await _store(bench, redis, run_id, owed, spent, None)
        return None
    try:
        outcome, judgement = await ask_judge(
            bench, judge, owed.question, owed.response, (await bench.terms_of(run_id)).sealed_keys
        )
    except Transient as fault:
        metrics.count_retry(judge.model, fault.kind)
        if not is_last:
            return fault
        await _store(bench, redis, run_id, owed, Unscored(ErrorKind.JUDGE_UNAVAILABLE, str(fault)), None)
    except Permanent as fault:
        await _store(bench, redis, run_id, owed, Unscored(ErrorKind.JUDGE_UNAVAILABLE, str(fault)), None)
    else:
        await _store(bench, redis, run_id, owed, outcome, judgement)
    return None


async def _store(
    bench: Bench, redis: ArqRedis, run_id: RunId, owed: Unjudged, outcome: Outcome, judgement: Answer | None
) -> None:
    cost_usd: Decimal | None = judgement.cost_usd if judgement else None
    async with bench.pool.acquire() as connection:
        async with connection.transaction():
            spent = await anchors.store_judgement(connection, run_id, owed, outcome, cost_usd)
        if spent:
            await stop_for_budget(connection, redis, run_id)
    log.info(
        "anchor.judged",
        run=str(run_id),
        anchor=owed.anchor_id,
        repeat=owed.repeat,
        score=None if isinstance(outcome, Unscored) else outcome.score,
        reason=outcome.kind if isinstance(outcome, Unscored) else None,
        judge_ms=round(1000 * judgement.latency_seconds) if judgement else None,
        cost_usd=str(cost_usd or 0),
    )
