"""What a lease is good for: a running job has one holder, and only its holder ends it."""

import asyncio
from typing import Any

import structlog
from arq.connections import ArqRedis

from shared.domain.runs import RunId
from shared.queue import (
    count_alive,
    enqueue_pairs,
    model_queue,
    note_worker,
    pair_job_id,
    running_pairs,
    slots_key,
)
from tests.integration.fleet import (
    Floor,
    LateRenewals,
    pairs_of,
    until,
    until_equal,
    until_nothing_is_left,
    worker_for,
    working,
)

QUEUE = model_queue("slow")


async def test_a_job_that_runs_is_not_begun_again(redis: ArqRedis, run_id: RunId) -> None:
    """Neither by enqueueing it again nor by lasting for several leases beside an idle worker."""
    floor, pairs = Floor(), pairs_of(run_id, "slow", range(5))
    await enqueue_pairs(redis, run_id, pairs)
    options: dict[str, Any] = {"lease_seconds": 0.3, "poll_seconds": 0.02}
    async with working(*(worker_for(redis, floor.evaluate_pair, **options) for _ in range(2))):
        await floor.until_begun(5)
        assert await enqueue_pairs(redis, run_id, pairs) == 0
        [(_, lease_end_ms)] = await redis.zrange(slots_key(QUEUE), 0, 0, withscores=True)

        async def three_more_leases_are_over() -> bool:
            return bool((await redis.time())[0] * 1000 > lease_end_ms + 900)

        await until(three_more_leases_are_over)
        floor.gate.set()
        await until_nothing_is_left(redis)
    assert sorted(floor.begun) == [("slow", i) for i in range(5)]


async def test_workers_are_counted_while_they_live(redis: ArqRedis, run_id: RunId) -> None:
    assert await count_alive(redis) == (0, False)
    floor = Floor()
    workers = [worker_for(redis, floor.evaluate_pair) for _ in range(2)]
    async with working(*workers):
        await until_equal(lambda: count_alive(redis), (2, False))
        await workers[0].close()
        assert await count_alive(redis) == (1, False)
    await note_worker(redis, "dead", -1.0)
    assert (await count_alive(redis))[0] < 2, "one that was last heard of too long ago does not count"


async def test_who_lost_the_lease_cannot_end_the_job(redis: ArqRedis, run_id: RunId) -> None:
    floor, [pair] = Floor(), pairs_of(run_id, "slow", [1])
    job_id = pair_job_id(pair)
    await enqueue_pairs(redis, run_id, [pair])
    async with working(worker_for(redis, floor.evaluate_pair)):
        await floor.until_begun(1)
        await redis.set(f"arq:in-progress:{job_id}", "somebody else")
        floor.gate.set()
        await floor.until_ended(1)
    assert await redis.get(f"arq:in-progress:{job_id}") == b"somebody else"
    assert await redis.zscore(QUEUE, job_id) == 1
    assert await redis.zcard(slots_key(QUEUE)) == 1
    assert await redis.exists(f"arq:job:{job_id}")


async def test_a_lost_lease_cancels_the_task(redis: ArqRedis, run_id: RunId) -> None:
    floor, pairs = Floor(), pairs_of(run_id, "slow", [1, 2])
    await enqueue_pairs(redis, run_id, pairs)
    async with working(worker_for(redis, floor.evaluate_pair, lease_seconds=0.3)):
        await floor.until_begun(2)
        await redis.set(f"arq:in-progress:{pair_job_id(pairs[0])}", "somebody else")
        await floor.until_ended(1)
        assert floor.cancelled == [("slow", 1)]
        assert floor.now == {"slow": 1}


async def test_a_renewal_on_its_way_does_not_outlive_the_job(redis: ArqRedis, run_id: RunId) -> None:
    """The job ends while its lease is being renewed. Renewed after its end, it would be held by nobody."""
    floor, late = Floor(), LateRenewals(redis)
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "slow", [1]))
    async with asyncio.timeout(20), working(worker_for(late, floor.evaluate_pair, lease_seconds=3)):
        late.gate.clear()
        await late.on_the_way.wait()
        floor.gate.set()
        await floor.until_ended(1)
        await asyncio.gather(*(redis.ping() for _ in range(50)))
        late.gate.set()
        await late.arrived.wait()
        await until_equal(lambda: redis.zcard(QUEUE), 0)
        assert await redis.keys("arq:in-progress:*") == []
        assert await redis.zcard(slots_key(QUEUE)) == 0


async def test_a_job_that_could_not_be_read_is_given_back(redis: ArqRedis, run_id: RunId) -> None:
    """An error of Redis before the job began costs nothing but time."""
    floor, [pair] = Floor(), pairs_of(run_id, "quick", [1])
    await enqueue_pairs(redis, run_id, [pair])
    counter_of_tries = f"arq:retry:{pair_job_id(pair)}"
    await redis.set(counter_of_tries, "no number")
    with structlog.testing.capture_logs() as logs:
        async with working(worker_for(redis, floor.evaluate_pair, lease_seconds=1)):

            async def it_was_given_back() -> bool:
                return bool(logs) and await redis.zcard(slots_key(model_queue("quick"))) == 0

            await until(it_was_given_back)
            await redis.delete(counter_of_tries)
            await floor.until_ended(1)
    assert logs[0]["event"] == "queue.redis_is_away"


async def test_jobs_that_run_survive_a_flush(redis: ArqRedis, run_id: RunId) -> None:
    """Once their leases are renewed, enqueueing everything again begins only what did not run."""
    floor, pairs = Floor(), pairs_of(run_id, "slow", range(8))
    await enqueue_pairs(redis, run_id, pairs)
    async with working(worker_for(redis, floor.evaluate_pair, lease_seconds=0.5)):
        await floor.until_begun(5)
        await redis.flushall()
        await until_equal(lambda: redis.zcard(slots_key(QUEUE)), 5)
        assert len(await running_pairs(redis, run_id)) == 5
        assert await enqueue_pairs(redis, run_id, pairs) == 8
        floor.gate.set()
        await until_nothing_is_left(redis)
    assert sorted(floor.begun) == sorted(floor.ended) == [("slow", i) for i in range(8)]
