"""What one model costs the others, and what a provider's limit costs: `python -m tests.benchmarks.isolation`.

Ten models run with and without an eleventh of which every call hangs; then one model is asked whose provider
serves 20 calls at once and refuses the rest. About four minutes; the figures are in docs/performance.md.
"""

import asyncio
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.__main__ import read_judged_questions
from tests.benchmarks.stage import MODELS, QUESTIONS, Stage, set_the_stage

HEALTHY, DEAD = MODELS[:-1], MODELS[-1]
IN_FLIGHT = 20
LIMITED_REPEATS = 10


async def measure() -> dict[str, Any]:
    judged = read_judged_questions()[:QUESTIONS]
    with tempfile.TemporaryDirectory(prefix="driftwarden-bench-") as folder:
        async with set_the_stage(
            Path(folder), judged, worker_slots=1000, request_timeout_seconds=10
        ) as stage:
            await stage.import_suite("judged", judged)
            await stage.run_to_end("judged", HEALTHY, sample=1)
            await stage.set_latency(model_seconds=1.0, judge_seconds=0.5)
            return {"limited": await ask_a_limited_model(stage), "hanging": await hang_beside_ten(stage)}


async def hang_beside_ten(stage: Stage) -> dict[str, float]:
    """Seconds until the ten models' last pair, alone and beside the hanging one, and until the run closed."""
    alone = await stage.run_to_end("judged", HEALTHY)
    await change(stage, DEAD, {"faults": {"hang": 1.0}})
    started = time.time()
    run_id = await stage.submit("judged", [*HEALTHY, DEAD])
    run = await stage.wait_for(run_id, "completed")
    last = 0.0
    for model in HEALTHY:
        rows = await read_results(stage, run_id, model)
        assert all(row["score"] is not None for row in rows)
        last = max(last, *(datetime.fromisoformat(row["closed_at"]).timestamp() for row in rows))
    closed = datetime.fromisoformat(run["finished_at"]).timestamp()
    stats = (await stage.provider.get("/admin/stats")).json()["models"][DEAD]
    return {
        "alone_seconds": alone,
        "beside_seconds": last - started,
        "ratio": (last - started) / alone,
        "closed_seconds": closed - started,
        "calls_of_the_hanging": stats["requests"],
    }


async def ask_a_limited_model(stage: Stage) -> dict[str, float]:
    """Share of what the provider's limit allows that is used, from the submission to the end."""
    model = HEALTHY[0]
    await change(stage, model, {"limits": {"in_flight": IN_FLIGHT, "retry_after_seconds": 1.0}})
    await stage.set_latency(model_seconds=1.0, judge_seconds=0.0)
    (await stage.provider.post("/admin/stats/reset")).raise_for_status()
    seconds = await stage.run_to_end("judged", [model], repeats=LIMITED_REPEATS)
    told = (await stage.provider.get("/admin/stats")).json()["models"][model]
    await change(stage, model, {"limits": {}})
    await stage.set_latency(model_seconds=1.0, judge_seconds=0.5)
    pairs = QUESTIONS * LIMITED_REPEATS
    return {
        "seconds": seconds,
        "used": pairs / IN_FLIGHT / seconds,
        "refused": told["rate_limited"],
        "pairs": pairs,
    }


async def change(stage: Stage, model: str, behaviour: dict[str, Any]) -> None:
    (await stage.provider.patch(f"/admin/models/{model}", json=behaviour)).raise_for_status()


async def read_results(stage: Stage, run_id: str, model: str) -> list[dict[str, Any]]:
    reply = await stage.api.get(f"/runs/{run_id}/results", params={"model": model, "limit": 100})
    rows: list[dict[str, Any]] = reply.raise_for_status().json()["items"]
    return rows


if __name__ == "__main__":
    for name, figures in asyncio.run(measure()).items():
        print(name, {key: round(value, 2) for key, value in figures.items()})
