"""Who is told to stop ends, whatever it is at: a cancellation can be lost inside redis-py on Python 3.11."""

import asyncio
from typing import Any

from services.worker.writes import BATCH_ROWS, ResultWriter
from shared.db.pairs import PairStep
from shared.db.pool import open_pool
from shared.domain.answers.scoring import Verdict
from shared.domain.runs import PairState
from shared.ending import end
from shared.queue import open_redis
from shared.settings import Settings
from tests.factories import make_answer, make_suite, plan_run
from tests.integration.fleet import worker_for


async def idle(ctx: dict[Any, Any]) -> None: ...


async def test_workers_end_that_are_told_so_amid_a_renewal(redis_url: str) -> None:
    """They renew all the time, so some of the renewals swallow the cancellation that ends them."""
    async with open_redis(redis_url) as redis:
        workers = [worker_for(redis, idle, lease_seconds=0.0, poll_seconds=0.01) for _ in range(20)]

        async def begin_and_stop(steps: int) -> None:
            working = asyncio.create_task(workers[steps].main())
            for _ in range(steps + 20):
                await asyncio.sleep(0)
            workers[steps].stop()
            await working

        async with asyncio.timeout(15):
            await asyncio.gather(*(begin_and_stop(steps) for steps in range(len(workers))))


async def test_a_writer_ends_amid_a_full_batch(database_url: str) -> None:
    async def nothing(_: object) -> None: ...

    right = Verdict(1.0, True, "")
    async with open_pool(Settings(database_url=database_url)) as pool, asyncio.timeout(15):  # type: ignore[arg-type]
        for steps in range(6):
            keys = await plan_run(pool, content=make_suite(BATCH_ROWS))
            writer = ResultWriter(pool, on_closed=nothing, on_spent=nothing)
            async with writer.writing():
                await asyncio.sleep(0)
                recording = [
                    asyncio.create_task(writer.record(PairStep(
                        key, PairState.PENDING, PairState.SCORED, answer=make_answer(), outcome=right
                    )))
                    for key in keys
                ]  # fmt: skip
                for _ in range(steps):
                    await asyncio.sleep(0)
            await end(*recording)


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    begun = asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await begun.wait()
    async with asyncio.timeout(10):
        await end(task)
    assert task.cancelled()
