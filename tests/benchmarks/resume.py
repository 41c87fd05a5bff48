"""How soon a large run goes on after everything was killed: `python -m tests.benchmarks.resume [PAIRS]`.

Every process of an instance, its databases too, gets SIGKILL in the middle of a run of 200,000 pairs and is
started anew on the same folder. Figures in docs/performance.md.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.benchmarks.processes import process_tree
from tests.benchmarks.stage import MODELS, POLL_SECONDS, Stage, serve_instance, serve_models, write_sums

MODELS_ASKED = MODELS[:10]
SUITE_QUESTIONS = 1000
BEGUN_PAIRS = 2000


async def measure(pairs: int) -> dict[str, float]:
    questions = write_sums(SUITE_QUESTIONS)
    with tempfile.TemporaryDirectory(prefix="driftwarden-bench-") as name:
        folder = Path(name)
        async with serve_models(folder, questions) as provider_url:
            async with serve_instance(folder, provider_url) as stage:
                await stage.import_suite("sums", questions)
                await stage.set_latency(model_seconds=0.2, judge_seconds=0.0)
                repeats = max(1, pairs // (len(MODELS_ASKED) * SUITE_QUESTIONS))
                run_id = await stage.submit("sums", MODELS_ASKED, repeats=repeats)
                await until_done(stage, run_id, BEGUN_PAIRS)
                kill_all(stage.pid)
            killed_at = time.perf_counter()
            async with serve_instance(folder, provider_url) as stage:
                begun = await pairs_done(stage, run_id)
                await until_done(stage, run_id, begun + 1)
                first = time.perf_counter() - killed_at
                await until_done(stage, run_id, begun + BEGUN_PAIRS)
                many = time.perf_counter() - killed_at
                (await stage.api.post(f"/runs/{run_id}/cancel")).raise_for_status()
                await stage.wait_for(run_id, "cancelled")
                return {
                    "pairs": len(MODELS_ASKED) * SUITE_QUESTIONS * repeats,
                    "done_before": begun,
                    "seconds_to_first_request": stage.seconds_to_first_request,
                    "seconds_to_next_result": first,
                    f"seconds_to_{BEGUN_PAIRS}_more": many,
                }


def kill_all(root: int) -> None:
    """SIGKILL to a process and all below it, its parents first: nobody is left to restart or clean up."""
    for pid in process_tree(root):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def until_done(stage: Stage, run_id: str, pairs: int) -> None:
    async with asyncio.timeout(300):
        while await pairs_done(stage, run_id) < pairs:  # noqa: ASYNC110  # it is another process' doing
            await asyncio.sleep(POLL_SECONDS)


async def pairs_done(stage: Stage, run_id: str) -> int:
    run: dict[str, Any] = (await stage.api.get(f"/runs/{run_id}")).raise_for_status().json()
    return sum(each["scored"] for each in run["progress"] or ())


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    for name, figure in asyncio.run(measure(wanted)).items():
        print(f"{name}: {figure:.1f}")
