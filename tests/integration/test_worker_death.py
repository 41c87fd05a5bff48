"""What becomes of jobs when their worker is killed, frozen or told to stop, or when Redis goes away."""

import signal
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import structlog
from arq.connections import ArqRedis

from shared.domain.runs import RunId
from shared.queue import enqueue_pairs, model_queue, open_redis, pair_job_id, slots_key
from tests.integration.fleet import (
    Floor,
    LateRenewals,
    count_begun,
    pairs_of,
    serve_valkey,
    start_worker,
    until,
    until_equal,
    until_nothing_is_left,
    worker_for,
    working,
)

QUEUE = model_queue("a")
RUN = RunId(uuid4())
PAIRS = pairs_of(RUN, "a", range(5))
JOBS = {pair_job_id(pair) for pair in PAIRS}


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A Redis on which one job for each of PAIRS waits."""
    async with open_redis(redis_url) as redis:
        await enqueue_pairs(redis, RUN, PAIRS)
        yield redis


async def test_a_killed_workers_jobs_are_taken_when_its_leases_end(redis_url: str, redis: ArqRedis) -> None:
    async with start_worker(redis_url) as first, start_worker(redis_url) as second:
        await until_equal(lambda: count_begun(redis), 5)
        if await second.noted(redis, "begun"):
            first, second = second, first
        first.send(signal.SIGKILL)
        leases = await redis.zrange(slots_key(QUEUE), 0, -1, withscores=True)
        await until_equal(lambda: second.noted(redis, "begun"), JOBS)
        seconds, micros = await redis.time()
        assert seconds * 1000 + micros / 1000 - max(end_ms for _, end_ms in leases) < 2_000
        await redis.set("gate", 1)
        await until_nothing_is_left(redis)
        assert await second.noted(redis, "ended") == JOBS


async def test_a_frozen_workers_jobs_run_twice_and_never_three_times(redis_url: str, redis: ArqRedis) -> None:
    """When it thaws it learns that its leases are lost: its tasks are cancelled, and end nothing."""
    async with start_worker(redis_url) as frozen:
        await until_equal(lambda: frozen.noted(redis, "begun"), JOBS)
        async with start_worker(redis_url) as second:
            frozen.send(signal.SIGSTOP)
            await until_equal(lambda: second.noted(redis, "begun"), JOBS)
            frozen.send(signal.SIGCONT)
            frozen.send(signal.SIGTERM)
            # The gate is shut, so it has nothing left to drain only when it gave up what it lost.
            assert await frozen.exit_code() == 0
            assert await redis.zcard(slots_key(QUEUE)) == await redis.zcard(QUEUE) == 5
            await redis.set("gate", 1)
            await until_nothing_is_left(redis)
            assert await second.noted(redis, "ended") == JOBS
            assert await frozen.noted(redis, "ended") == set()
            assert await count_begun(redis) == 10


async def test_a_worker_told_to_stop_lets_its_jobs_end(redis_url: str, redis: ArqRedis) -> None:
    async with start_worker(redis_url, limit=3) as worker:
        await until_equal(lambda: count_begun(redis), 3)
        worker.send(signal.SIGTERM)
        await redis.set("gate", 1)
        assert await worker.exit_code() == 0
        begun = await worker.noted(redis, "begun")
        assert await worker.noted(redis, "ended") == begun
        assert {job_id.decode() for job_id in await redis.zrange(QUEUE, 0, -1)} == JOBS - begun
        assert await redis.keys("driftwarden:worker:*") == []


@pytest.mark.parametrize(
    ("drain_seconds", "signals"), [(0.2, [signal.SIGTERM]), (60, [signal.SIGTERM, signal.SIGINT])]
)
async def test_what_does_not_end_in_time_is_given_back_at_once(
    redis_url: str, redis: ArqRedis, drain_seconds: float, signals: list[signal.Signals]
) -> None:
    """Time is up after `drain_seconds`, or at the second signal. Nothing waits for a lease to end."""
    async with start_worker(redis_url, lease_seconds=60, drain_seconds=drain_seconds) as worker:
        await until_equal(lambda: worker.noted(redis, "begun"), JOBS)
        before = await redis.zrange(QUEUE, 0, -1, withscores=True)
        for signum in signals:
            worker.send(signum)
        assert await worker.exit_code() == 0
    assert await redis.zrange(QUEUE, 0, -1, withscores=True) == before
    assert await redis.keys("arq:in-progress:*") == []
    assert await redis.zcard(slots_key(QUEUE)) == 0


async def test_workers_outlive_their_redis() -> None:
    """Redis is away for longer than a lease. Jobs run on, are not begun again, and end when it is back.

    Every lease has lapsed by then. The worker that is back first does not take what the other one still runs.
    """
    floor = Floor()
    async with serve_valkey() as valkey, open_redis(valkey.url) as redis:
        late = LateRenewals(redis)
        options: dict[str, Any] = {"limit": 10, "lease_seconds": 0.6}

        async def leases() -> int:
            return len(await redis.keys("arq:in-progress:*"))

        async def until_later(seconds: float) -> None:
            end = time.monotonic() + seconds

            async def is_later() -> bool:
                return time.monotonic() > end

            await until(is_later)

        await enqueue_pairs(redis, RUN, PAIRS)
        async with working(worker_for(late, floor.evaluate_pair, **options)):
            await floor.until_begun(5)
            with structlog.testing.capture_logs() as logs:
                async with working(worker_for(redis, floor.evaluate_pair, **options)):
                    await valkey.stop()
                    late.gate.clear()
                    await until_later(1.0)
                    await valkey.start()
                    assert await leases() == 0

                    async def one_is_back() -> bool:
                        return "queue.redis_is_back" in [entry["event"] for entry in logs]

                    await until(one_is_back)
                    await until_later(0.5)
                    late.gate.set()
                    await until_equal(leases, 5)
                    floor.gate.set()
                    await enqueue_pairs(redis, RUN, pairs_of(RUN, "quick", [7]))
                    await until_nothing_is_left(redis)
    assert [entry["event"] for entry in logs].count("queue.redis_is_away") == 2
    assert sorted(floor.begun) == sorted(floor.ended) == [*(("a", i) for i in range(5)), ("quick", 7)]
