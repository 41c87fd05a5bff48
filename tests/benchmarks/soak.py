"""One large run at full speed, and what it leaves in memory: `python -m tests.benchmarks.soak [PAIRS]`.

An hour of an ordinary night in some minutes: models take no time, so all cores are full until the last pair.
Every pair must have its score. Figures in docs/scaling.md.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.load import watch
from tests.benchmarks.stage import MODELS, set_the_stage, write_sums

ASKED = MODELS[:10]
SUITE_QUESTIONS = 1000


async def measure(pairs: int) -> dict[str, Any]:
    questions = write_sums(SUITE_QUESTIONS)
    with tempfile.TemporaryDirectory(prefix="driftwarden-bench-") as folder:
        async with set_the_stage(Path(folder), questions) as stage:
            await stage.import_suite("sums", questions)
            await stage.set_latency(0, 0)
            repeats = max(1, pairs // (len(ASKED) * SUITE_QUESTIONS))
            started = time.perf_counter()
            run_id = await stage.submit("sums", ASKED, repeats=repeats)
            all_done = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(watch(stage, all_done))
                run = await stage.wait_for(run_id, "completed", deadline_seconds=3600)
                all_done.set()
            seconds = time.perf_counter() - started
            whole = [each for each in run["aggregates"] if each["category"] == "all"]
            assert all(each["coverage"] == 1 for each in whole)
            planned = sum(each["planned"] for each in whole)
            return {"pairs": planned, "seconds": round(seconds), **watching.result()}


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name, figure in asyncio.run(measure(wanted)).items():
        print(f"{name}: {figure}")
