"""Many runs and many readers at once: `python -m tests.benchmarks.load [PAIRS] [REQUESTS_PER_SECOND]`.

Fifty runs of models that take a second are submitted together and worked off, 50 pairs at once, while the API
is read at a steady rate, open loop: a request is sent when it is due, whether or not earlier ones have been
answered. Then every pair must have its score, and the memory of each program in the last third of the time is
set against the second third. Figures in docs/performance.md.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from tests.benchmarks.processes import memory_mb_by_program
from tests.benchmarks.stage import MODELS, Stage, set_the_stage, write_sums

RUNS = 50
SUITE_QUESTIONS = 100
READERS = (
    "/runs",
    "/runs/{run}",
    "/stats?period=24h",
    "/models?suite=sums",
    "/incidents",
    "/runs/{run}/results",
)


async def measure(pairs: int, requests_per_second: float) -> dict[str, Any]:
    questions = write_sums(SUITE_QUESTIONS)
    with tempfile.TemporaryDirectory(prefix="driftwarden-bench-") as folder:
        async with set_the_stage(Path(folder), questions, worker_slots=50) as stage:
            await stage.import_suite("sums", questions)
            await stage.run_to_end("sums", MODELS, sample=1)
            await stage.set_latency(model_seconds=1.0, judge_seconds=0.0)
            return await load(stage, pairs, requests_per_second)


async def load(stage: Stage, pairs: int, requests_per_second: float) -> dict[str, Any]:
    repeats = max(1, pairs // (RUNS * SUITE_QUESTIONS))
    started = time.time()
    submit = (stage.submit("sums", [MODELS[number % len(MODELS)]], repeats=repeats) for number in range(RUNS))
    run_ids = await asyncio.gather(*submit)
    submitted = time.time() - started
    all_done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read_at_a_steady_rate(stage, run_ids[0], requests_per_second, all_done))
        watching = tasks.create_task(watch(stage, all_done))
        finished = [await stage.wait_for(run_id, "completed", deadline_seconds=1800) for run_id in run_ids]
        all_done.set()
    seconds = time.time() - started
    for run in finished:
        whole = next(each for each in run["aggregates"] if each["category"] == "all")
        assert (whole["planned"], whole["coverage"]) == (SUITE_QUESTIONS * repeats, 1.0)
    latencies, answers = reading.result()
    centiles = quantiles(latencies, n=100)
    return {
        "pairs": RUNS * SUITE_QUESTIONS * repeats,
        "seconds_to_submit": submitted,
        "seconds": seconds,
        "requests": len(latencies),
        "answers": dict(answers),
        "p50_ms": 1000 * centiles[49],
        "p99_ms": 1000 * centiles[98],
        **watching.result(),
    }


async def read_at_a_steady_rate(
    stage: Stage, run_id: str, per_second: float, all_done: asyncio.Event
) -> tuple[list[float], Counter[int]]:
    latencies: list[float] = []
    answers: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    base, headers = str(stage.api.base_url).rstrip("/"), {"Authorization": stage.api.headers["Authorization"]}

    async def read(session: aiohttp.ClientSession, path: str, due: float) -> None:
        async with session.get(base + path.format(run=run_id)) as reply:
            await reply.read()
            answers[reply.status] += 1
        latencies.append(loop.time() - due)

    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as tasks:
        first = loop.time()
        number = 0
        while not all_done.is_set():
            due = first + number / per_second
            await asyncio.sleep(max(0.0, due - loop.time()))
            tasks.create_task(read(session, READERS[number % len(READERS)], due))
            number += 1
    return latencies, answers


async def watch(stage: Stage, all_done: asyncio.Event) -> dict[str, Any]:
    """The median memory of each program in the second and in the last third of the time."""
    taken = []
    while not all_done.is_set():
        taken.append(memory_mb_by_program(stage.pid))
        await asyncio.sleep(2)
    third = len(taken) // 3
    parts = taken[third : 2 * third], taken[2 * third :]
    return {
        f"memory_mb of {program}": [round(median(each.get(program, 0) for each in part)) for part in parts]
        for program in taken[-1]
    }


if __name__ == "__main__":
    wanted_pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    wanted_rate = float(sys.argv[2]) if len(sys.argv) > 2 else 200
    for name, figure in asyncio.run(measure(wanted_pairs, wanted_rate)).items():
        print(f"{name}: {figure}")
