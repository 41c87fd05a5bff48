"""What is measured: overhead, submission, one pair alone, makespan, fan-out, idling, and a fleet's year."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from statistics import median, quantiles
from typing import Any

from shared.domain.answers.judging import Judge, messages
from shared.domain.questions.suites import Question, Scorer
from tests.benchmarks.processes import cpu_seconds_by_program
from tests.benchmarks.stage import MODELS, QUESTIONS, ROOT, WIDTH, Stage

OVERHEAD_MODELS = MODELS[:4]
OVERHEAD_REPEATS = 10
OVERHEAD_PAIRS = len(OVERHEAD_MODELS) * QUESTIONS * OVERHEAD_REPEATS
ROUNDS = 3
SUBMISSIONS = 300
SINGLE_PAIRS = 20
IDLE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Load:
    """Pairs that were worked off, how long it took and what it cost."""

    pairs: int
    seconds: float
    cpu_seconds: float
    cpu_seconds_by_program: dict[str, float] = field(default_factory=dict)

    @property
    def pairs_per_second(self) -> float:
        return self.pairs / self.seconds

    @property
    def cpu_ms_per_pair(self) -> float:
        return 1000 * self.cpu_seconds / self.pairs


async def measure_overhead(stage: Stage, questions: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Ours and the yardstick in turn, so that both meet the same noise; the round with the median ratio."""
    await stage.set_latency(0, 0)
    await stage.run_to_end("judged", OVERHEAD_MODELS)
    rounds = [(await _bare(stage, questions, OVERHEAD_PAIRS), await _ours(stage)) for _ in range(ROUNDS)]
    ratios = [ours.cpu_seconds / bare.cpu_seconds for bare, ours in rounds]
    bare, ours = rounds[ratios.index(median(ratios))]
    return {
        "pairs": ours.pairs,
        "width": WIDTH,
        "pairs_per_second": ours.pairs_per_second,
        "cpu_ms_per_pair": ours.cpu_ms_per_pair,
        "cpu_ms_per_pair_by_program": {
            program: 1000 * seconds / ours.pairs for program, seconds in ours.cpu_seconds_by_program.items()
        },
        "bare_pairs_per_second": bare.pairs_per_second,
        "bare_cpu_ms_per_pair": bare.cpu_ms_per_pair,
        "cpu_ratio": median(ratios),
        "cpu_ratios": ratios,
    }


def _prompts(question: dict[str, str]) -> tuple[Any, Any]:
    """What a model is asked, and what the judge is about an answer of usual length."""
    asked = Question(
        question["id"], question["category"], question["input"], question["target"],
        Scorer("llm-rubric"), None,
    )  # fmt: skip
    judging = messages(Judge("judge", "judge"), asked, question["target"])
    return [{"role": "user", "content": question["input"]}], judging


async def _bare(stage: Stage, questions: Sequence[dict[str, str]], pairs: int) -> Load:
    prompts = stage.folder / "prompts.json"
    prompts.write_text(json.dumps([_prompts(question) for question in questions]))
    yardstick = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.bare", stage.provider_url),
        *(str(prompts), str(pairs), str(WIDTH)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await yardstick.communicate()
    return Load(**json.loads(output))


async def _ours(stage: Stage) -> Load:
    before = cpu_seconds_by_program(stage.pid)
    seconds = await stage.run_to_end("judged", OVERHEAD_MODELS, repeats=OVERHEAD_REPEATS)
    after = cpu_seconds_by_program(stage.pid)
    by_program = {program: after[program] - before.get(program, 0.0) for program in after}
    return Load(OVERHEAD_PAIRS, seconds, sum(by_program.values()), by_program)


async def measure_submissions(stage: Stage) -> dict[str, float]:
    """POST /runs, one after the other and ten at a time, while the worker plans what comes of it."""
    await stage.set_latency(5.0, 5.0)

    async def post() -> tuple[float, str]:
        started = time.perf_counter()
        run_id = await stage.submit("judged", MODELS[:1], sample=1)
        return time.perf_counter() - started, run_id

    async def post_some(count: int) -> list[tuple[float, str]]:
        return [await post() for _ in range(count)]

    await post_some(10)
    alone = await post_some(SUBMISSIONS)
    together = list(chain(*await asyncio.gather(*(post_some(SUBMISSIONS // 10) for _ in range(10)))))
    await stage.set_latency(0, 0)
    for _, run_id in (*alone, *together):
        await stage.wait_for(run_id, "completed")
    return {
        "requests": SUBMISSIONS,
        **_percentiles("sequential", [seconds for seconds, _ in alone]),
        **_percentiles("ten_at_once", [seconds for seconds, _ in together]),
    }


def _percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100)
    return {f"{name}_p50_ms": 1000 * cuts[49], f"{name}_p99_ms": 1000 * cuts[98]}


async def measure_single_pairs(stage: Stage) -> dict[str, float]:
    """One pair, alone in an idle instance and with models that take no time: what submission and planning,
    and then the ways through the queue, two calls, two commits and the closing of the run add to it.
    """
    await stage.set_latency(0, 0)
    planning, working = [], []
    for _ in range(SINGLE_PAIRS):
        submitted = time.time()
        run = await stage.wait_for(await stage.submit("judged", MODELS[:1], sample=1), "completed")
        planned, closed = (
            datetime.fromisoformat(run[moment]).timestamp() for moment in ("planned_at", "finished_at")
        )
        planning.append(planned - submitted)
        working.append(closed - planned)
    return {"planned_p50_ms": 1000 * median(planning), "queued_to_closed_p50_ms": 1000 * median(working)}


async def measure_idling(stage: Stage) -> dict[str, Any]:
    """CPU of an instance that nobody asks for anything, in thousandths of a core, by program."""
    before = cpu_seconds_by_program(stage.pid)
    await asyncio.sleep(IDLE_SECONDS)
    after = cpu_seconds_by_program(stage.pid)
    by_program = {
        program: 1000 * (seconds - before.get(program, 0.0)) / IDLE_SECONDS
        for program, seconds in after.items()
    }
    return {"millicores": sum(by_program.values()), "millicores_by_program": by_program}


async def measure_makespan(stage: Stage, questions: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Eleven models × fifty questions of a second and a half, fifty at a time; the quickest of the rounds,
    for whatever else runs on the machine can only add.
    """
    await stage.set_latency(1.0, 0.5)
    pairs = len(MODELS) * QUESTIONS
    ideal = pairs / WIDTH * 1.5
    rounds = [await stage.run_to_end("judged", MODELS) for _ in range(ROUNDS)]
    seconds = min(rounds)
    return {
        "pairs": pairs,
        "seconds": seconds,
        "ideal_seconds": ideal,
        "bare_seconds": (await _bare(stage, questions, pairs)).seconds,
        "ratio": seconds / ideal,
        "ratios": [each / ideal for each in rounds],
    }


async def measure_fan_out(stage: Stage) -> dict[str, float]:
    """From POST until every pair is stored and queued, at models too slow to take any of them away."""
    await stage.set_latency(3.0, 3.0)
    started = time.perf_counter()
    run_id = await stage.submit("thousand", MODELS[:10], repeats=10)
    run = await stage.wait_for(run_id, "running")
    seconds = time.perf_counter() - started
    await stage.set_latency(0, 0)
    cancelling = time.perf_counter()
    (await stage.api.post(f"/runs/{run_id}/cancel")).raise_for_status()
    await stage.wait_for(run_id, "cancelled")
    return {
        "pairs": run["planned_pairs"],
        "seconds": seconds,
        "cancel_seconds": time.perf_counter() - cancelling,
    }


async def measure_year() -> dict[str, float]:
    """What the watch over a large fleet takes, in a program of its own, whose memory is nobody else's."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.year", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await program.communicate()
    figures: dict[str, float] = json.loads(output)
    return figures
