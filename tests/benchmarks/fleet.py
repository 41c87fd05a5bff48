"""What more worker processes bring: `python -m tests.benchmarks.fleet [WORKERS ...]`, by default 1 2 4 8 16.

For each number an instance of its own. Pairs of models that take no time show what processes cost each other;
pairs of models that take 0.2 s and bear MODEL_SLOTS calls at once, how exactly all of them together keep that
limit and how much of it they use. Figures in docs/scaling.md.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.__main__ import read_judged_questions
from tests.benchmarks.processes import cpu_seconds_by_program, memory_mb
from tests.benchmarks.stage import MODELS, QUESTIONS, Stage, serve_instance, serve_models

MODEL_SLOTS = 20
LATENCY_SECONDS = 0.2
ASKED = MODELS[:4]
REPEATS = 20


async def measure(workers: int) -> dict[str, Any]:
    judged = read_judged_questions()[:QUESTIONS]
    with tempfile.TemporaryDirectory(prefix="driftwarden-bench-") as folder:
        async with (
            serve_models(Path(folder), judged) as provider_url,
            serve_instance(Path(folder), provider_url, workers=workers, model_slots=MODEL_SLOTS) as stage,
        ):
            await stage.import_suite("judged", judged)
            await stage.run_to_end("judged", ASKED, repeats=REPEATS)
            return {"workers": workers, **await race(stage), **await wait(stage)}


async def race(stage: Stage) -> dict[str, float]:
    """Of models that take no time: the cores are the limit."""
    pairs = len(ASKED) * QUESTIONS * REPEATS
    before = sum(cpu_seconds_by_program(stage.pid).values())
    seconds = await stage.run_to_end("judged", ASKED, repeats=REPEATS)
    used = sum(cpu_seconds_by_program(stage.pid).values()) - before
    return {
        "pairs_per_second": pairs / seconds,
        "cpu_ms_per_pair": 1000 * used / pairs,
        "memory_mb": memory_mb(stage.pid),
    }


async def wait(stage: Stage) -> dict[str, float]:
    """Of models that take their time: their limits are."""
    await stage.set_latency(model_seconds=LATENCY_SECONDS, judge_seconds=0.0)
    (await stage.provider.post("/admin/stats/reset")).raise_for_status()
    seconds = await stage.run_to_end("judged", ASKED, repeats=REPEATS)
    told = (await stage.provider.get("/admin/stats")).json()["models"]
    ideal = QUESTIONS * REPEATS / MODEL_SLOTS * LATENCY_SECONDS
    return {
        "most_at_once": max(told[model]["peak_in_flight"] for model in ASKED),
        "share_of_the_limit_used": ideal / seconds,
    }


if __name__ == "__main__":
    for number in map(int, sys.argv[1:] or ("1", "2", "4", "8", "16")):
        print({name: round(figure, 2) for name, figure in asyncio.run(measure(number)).items()}, flush=True)
