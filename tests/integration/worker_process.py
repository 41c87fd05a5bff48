"""A worker as a process of its own: its jobs tell Redis that they begin and end, and wait for a gate."""

import asyncio
import json
import os
import sys
from typing import Any

from arq.worker import func

from services.worker.claim import ClaimingWorker
from services.worker.pace import Allowance, Pace
from shared.queue import open_redis


async def evaluate_pair(ctx: dict[str, Any], *_: object) -> None:
    redis, job_id = ctx["redis"], ctx["job_id"]
    await redis.rpush("begun", f"{os.getpid()} {job_id}")
    while not await redis.exists("gate"):  # noqa: ASYNC110  # the gate is another process
        await asyncio.sleep(0.02)
    await redis.rpush("ended", f"{os.getpid()} {job_id}")


async def main(redis_url: str, options: dict[str, Any]) -> None:
    limit = options.pop("limit")
    async with open_redis(redis_url) as redis:
        pace = Pace(lambda _: Allowance(limit), patience_seconds=60)
        jobs = [func(evaluate_pair, name="evaluate_pair")]
        worker = ClaimingWorker(jobs, redis=redis, pace=pace, **options)
        await worker.main()
        await worker.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
