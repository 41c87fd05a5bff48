"""How fast the queue is: `python -m tests.benchmarks.queue` prints JSON.

`jobs_per_second` and `cpu_ms_per_job` are of jobs that do nothing: the queue's own cost, beside a model call
of a second. A round trip is one read by the server.
"""

import asyncio
import json
import sys
import time
from typing import Any
from uuid import uuid4

from arq.connections import ArqRedis
from arq.worker import func

from services.worker.claim import ClaimingWorker
from services.worker.pace import Allowance, Pace
from shared.domain.runs import PairKey, RunId
from shared.queue import enqueue_pairs, open_redis
from tests.integration.fleet import ROOT, serve_valkey, until

MODELS = [f"model-{number}" for number in range(10)]
ENQUEUED_JOBS = 100_000
WORKED_JOBS = 20_000
PROCESSES = (1, 2, 4, 8, 16)
SLOTS = 200


async def measure_enqueueing(redis: ArqRedis) -> dict[str, float]:
    """Jobs per second, memory per job, and the time it takes to enqueue all again, which adds none."""
    run_id, before = RunId(uuid4()), await _memory(redis)
    pairs = [PairKey(run_id, model, i, 1) for i in range(ENQUEUED_JOBS // 10) for model in MODELS]
    started = time.perf_counter()
    added = await enqueue_pairs(redis, run_id, pairs)
    seconds = time.perf_counter() - started
    assert added == ENQUEUED_JOBS
    used = await _memory(redis) - before
    started = time.perf_counter()
    assert await enqueue_pairs(redis, run_id, pairs) == 0
    return {
        "jobs": added,
        "seconds": round(seconds, 2),
        "jobs_per_second": round(added / seconds),
        "bytes_per_job": round(used / added),
        "seconds_again": round(time.perf_counter() - started, 2),
    }


async def measure_working(redis: ArqRedis, redis_url: str, processes: int) -> dict[str, float]:
    run_id = RunId(uuid4())
    pairs = [PairKey(run_id, model, i, 1) for i in range(WORKED_JOBS // 10) for model in MODELS]
    await enqueue_pairs(redis, run_id, pairs)
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.benchmarks.queue",
            redis_url,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]

    async def all_are_ready() -> bool:
        return bool(await redis.scard("ready") == processes)  # type: ignore[misc]

    await until(all_are_ready)
    before = await _server_costs(redis)
    started = time.time()
    await redis.set("go", 1)
    reports = [json.loads((await worker.communicate())[0]) for worker in workers]
    after = await _server_costs(redis)
    assert sum(report["jobs"] for report in reports) == WORKED_JOBS
    seconds = max(report["ended_at"] for report in reports) - started
    return {
        "processes": processes,
        "jobs_per_second": round(WORKED_JOBS / seconds),
        "cpu_ms_per_job": round(sum(report["cpu_seconds"] for report in reports) / WORKED_JOBS * 1000, 3),
        "redis_ms_per_job": round((after[0] - before[0]) / WORKED_JOBS * 1000, 3),
        "round_trips_per_job": round((after[1] - before[1]) / WORKED_JOBS, 2),
    }


async def work(redis_url: str) -> None:
    """One worker process: wait for the start, run until the queues are empty, report."""

    async def evaluate_pair(ctx: dict[Any, Any], *_: object) -> None:
        pass

    async with open_redis(redis_url) as redis:
        worker = ClaimingWorker(
            [func(evaluate_pair, name="evaluate_pair")],
            redis=redis, pace=Pace(lambda _: Allowance(SLOTS), 60),
            max_jobs=SLOTS, burst=True, handle_signals=False,
        )  # fmt: skip
        await redis.sadd("ready", worker.owner)  # type: ignore[misc]

        async def the_start_is_given() -> bool:
            return bool(await redis.exists("go"))

        await until(the_start_is_given, within_seconds=60)
        cpu_seconds = time.process_time()
        await worker.main()
        report = {
            "jobs": worker.jobs_complete,
            "ended_at": time.time(),
            "cpu_seconds": time.process_time() - cpu_seconds,
        }
        await worker.close()
    print(json.dumps(report))


async def main() -> None:
    async with serve_valkey() as valkey, open_redis(valkey.url) as redis:
        figures: dict[str, Any] = {"enqueueing": await measure_enqueueing(redis), "working": []}
        for processes in PROCESSES:
            await redis.flushall()
            figures["working"].append(await measure_working(redis, valkey.url, processes))
    print(json.dumps(figures, indent=2))


async def _memory(redis: ArqRedis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def _server_costs(redis: ArqRedis) -> tuple[float, int]:
    """CPU seconds and reads of the server so far."""
    info = await redis.info("everything")
    return info["used_cpu_user"] + info["used_cpu_sys"], info["total_reads_processed"]


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]) if len(sys.argv) > 1 else main())
