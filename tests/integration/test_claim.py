"""Which jobs a worker takes, how many at once, and in which order."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import structlog
from arq.connections import ArqRedis
from arq.worker import Retry

from services.worker.claim import CONTROL_SLOTS
from shared.domain.runs import RunId
from shared.queue import enqueue_pairs, enqueue_run_job, model_queue, pair_job_id
from tests.integration.fleet import (
    Floor,
    pairs_of,
    until,
    until_nothing_is_left,
    work_off,
    worker_for,
    working,
)


async def test_a_models_limit_holds_over_all_workers(redis: ArqRedis, run_id: RunId) -> None:
    """Three workers, limits 7 and 3: never more at once and as many as that, and each job once."""
    floor, limits = Floor(), {"quick-a": 7, "quick-b": 3}
    for model in limits:
        await enqueue_pairs(redis, run_id, pairs_of(run_id, model, range(300)))
    options: dict[str, Any] = {"limit_for": limits.__getitem__, "burst": True, "poll_seconds": 0.01}
    workers = [worker_for(redis, floor.evaluate_pair, **options) for _ in range(3)]
    await work_off(*workers)

    assert sorted(floor.ended) == sorted((model, i) for model in limits for i in range(300))
    assert floor.peak == limits
    assert all(worker.jobs_complete for worker in workers)
    assert [key for key in await redis.keys() if not key.startswith(b"driftwarden:worker")] == []


async def test_a_limit_of_zero_pauses_a_model_until_it_is_raised(redis: ArqRedis, run_id: RunId) -> None:
    floor, limits = Floor(), {"quick": 0}

    async def claims() -> int:
        return int((await redis.info("commandstats")).get("cmdstat_eval", {"calls": 0})["calls"])

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "quick", range(8)))
    before = await claims()
    options: dict[str, Any] = {"limit_for": limits.__getitem__, "poll_seconds": 0.01}
    async with working(worker_for(redis, floor.evaluate_pair, **options)):

        async def it_was_asked_for_three_times() -> bool:
            return await claims() > before + 6

        await until(it_was_asked_for_three_times)
        assert floor.begun == []
        limits["quick"] = 2
        await until_nothing_is_left(redis)
    assert len(floor.ended) == 8


async def test_a_hanging_model_costs_the_others_nothing(redis: ArqRedis, run_id: RunId) -> None:
    floor = Floor()
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "hangs", range(50)))
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "quick", range(50)))
    async with working(worker_for(redis, floor.evaluate_pair)):
        await floor.until_ended(50)
        assert floor.now == {"hangs": 5, "quick": 0}


async def test_a_slow_job_does_not_hold_up_those_behind_it(redis: ArqRedis, run_id: RunId) -> None:
    """Running jobs stay at the head of their queue; the claim reads past them."""
    gate, ended = asyncio.Event(), []

    async def evaluate_pair(ctx: dict[Any, Any], run_id: str, model: str, question_id: int, _: int) -> None:
        if question_id < 2:
            await gate.wait()
        ended.append(question_id)
        if len(ended) == 10:
            gate.set()

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(12)))
    await work_off(worker_for(redis, evaluate_pair, limit=3, burst=True))
    assert ended[:10] == list(range(2, 12))


async def test_a_process_takes_no_more_than_it_has_room_for(redis: ArqRedis, run_id: RunId) -> None:
    """When room is short, the model that has least here goes first."""
    floor, hanging, polled = Floor(), pairs_of(run_id, "hangs", range(20)), asyncio.Event()

    async def plan_run(ctx: dict[Any, Any], run_id: str) -> None:
        polled.set()

    await enqueue_pairs(redis, run_id, hanging)
    worker = worker_for(redis, floor.evaluate_pair, plan_run, limit=10, max_jobs=10)
    async with working(worker):
        await floor.until_begun(10)
        await enqueue_pairs(redis, run_id, pairs_of(run_id, "late", range(10)))
        await enqueue_run_job(redis, "plan_run", run_id)
        await asyncio.wait_for(polled.wait(), 20)
        assert floor.now == {"hangs": 10}
        worker.tasks[pair_job_id(hanging[0])].cancel()
        await floor.until_begun(11)
        assert floor.begun[-1][0] == "late"


async def test_control_jobs_and_pairs_do_not_take_each_others_room(redis: ArqRedis, run_id: RunId) -> None:
    floor, stopped = Floor(), asyncio.Event()

    async def plan_run(ctx: dict[Any, Any], run_id: str) -> None:
        await enqueue_pairs(ctx["redis"], RunId(UUID(run_id)), pairs_of(RunId(UUID(run_id)), "hangs", [1]))
        await floor.until_begun(1)
        await enqueue_run_job(ctx["redis"], "stop_run", RunId(UUID(run_id)))
        await stopped.wait()

    async def stop_run(ctx: dict[Any, Any], run_id: str) -> None:
        stopped.set()
        floor.gate.set()

    await enqueue_run_job(redis, "plan_run", run_id)
    await work_off(worker_for(redis, floor.evaluate_pair, plan_run, stop_run, max_jobs=1, burst=True))
    assert floor.ended == [("hangs", 1)]


async def test_control_jobs_are_bounded_too(redis: ArqRedis) -> None:
    gate, begun, peak = asyncio.Event(), [], 0

    async def plan_run(ctx: dict[Any, Any], run_id: str) -> None:
        begun.append(run_id)
        if len(begun) == CONTROL_SLOTS:
            gate.set()
        await gate.wait()

    async def stop_run(ctx: dict[Any, Any], run_id: str) -> None:
        nonlocal peak
        peak = len(begun)

    for _ in range(CONTROL_SLOTS):
        await enqueue_run_job(redis, "plan_run", RunId(uuid4()))
    await enqueue_run_job(redis, "stop_run", RunId(uuid4()))
    await work_off(worker_for(redis, plan_run, stop_run, burst=True))
    assert peak == CONTROL_SLOTS


async def test_a_short_run_does_not_wait_for_a_long_one(redis: ArqRedis, run_id: RunId) -> None:
    """Both advance in turn from the moment that the second is submitted."""
    floor, short = Floor(), RunId(uuid4())
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "quick", range(1_000, 1_500)))
    await enqueue_pairs(redis, short, pairs_of(short, "quick", range(20)))
    await work_off(worker_for(redis, floor.evaluate_pair, limit=1, burst=True))
    order = [question_id for _, question_id in floor.ended]
    assert len(order) == 520
    assert max(order.index(question_id) for question_id in range(20)) < 40


async def test_a_retry_waits_without_a_slot_and_then_comes_first(redis: ArqRedis, run_id: RunId) -> None:
    tries: list[tuple[int, int]] = []

    async def evaluate_pair(ctx: dict[Any, Any], run_id: str, model: str, question_id: int, _: int) -> None:
        tries.append((question_id, ctx["job_try"]))
        if tries[-1] == (0, 1):
            raise Retry(defer=0.2)
        if question_id == 1:
            [(_, due_ms)] = await redis.zrange(model_queue("a"), -1, -1, withscores=True)

            async def retry_is_due() -> bool:
                seconds, micros = await redis.time()
                return bool(seconds * 1000 + micros / 1000 > due_ms)

            await until(retry_is_due)

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(4)))
    await work_off(worker_for(redis, evaluate_pair, limit=1, burst=True))
    assert tries == [(0, 1), (1, 1), (0, 2), (2, 1), (3, 1)]


async def test_a_burst_waits_for_retries_to_come_due(redis: ArqRedis, run_id: RunId) -> None:
    tries = []

    async def evaluate_pair(ctx: dict[Any, Any], *_: object) -> None:
        tries.append(ctx["job_try"])
        if len(tries) < 3:
            raise Retry(defer=0.05)

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", [1]))
    await work_off(worker_for(redis, evaluate_pair, burst=True, poll_seconds=0.02))
    assert tries == [1, 2, 3]
    assert await redis.keys("arq:*") == []


async def test_a_retry_without_delay_keeps_its_place(redis: ArqRedis, run_id: RunId) -> None:
    tries: list[int] = []

    async def evaluate_pair(ctx: dict[Any, Any], run_id: str, model: str, question_id: int, _: int) -> None:
        tries.append(question_id)
        if tries.count(question_id) < 5:
            raise Retry

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(3)))
    await work_off(worker_for(redis, evaluate_pair, limit=1, burst=True))
    assert tries == [0] * 5 + [1] * 5 + [2] * 5


async def test_a_job_whose_body_has_expired_is_dropped(redis: ArqRedis, run_id: RunId) -> None:
    floor, pairs = Floor(), pairs_of(run_id, "quick", [1, 2])
    await enqueue_pairs(redis, run_id, pairs)
    await redis.delete(f"arq:job:{pair_job_id(pairs[0])}")
    await work_off(worker_for(redis, floor.evaluate_pair, burst=True))
    assert floor.ended == [("quick", 2)]
    assert await redis.keys("arq:*") == []


async def test_log_context_bound_at_the_start_of_a_job_reaches_it(redis: ArqRedis, run_id: RunId) -> None:
    seen = []

    async def bind(ctx: dict[Any, Any]) -> None:
        structlog.contextvars.bind_contextvars(job=ctx["job_id"])

    async def evaluate_pair(ctx: dict[Any, Any], *_: object) -> None:
        seen.append((ctx["job_id"], structlog.contextvars.get_contextvars(), ctx["resource"]))

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(3)))
    options: dict[str, Any] = {"on_job_start": bind, "ctx": {"resource": "pool"}, "burst": True}
    await work_off(worker_for(redis, evaluate_pair, **options))
    assert sorted(seen) == [
        (f"pair:{run_id}:a:{i}:1", {"job": f"pair:{run_id}:a:{i}:1"}, "pool") for i in range(3)
    ]
    assert structlog.contextvars.get_contextvars() == {}
