"""One trial: a run is submitted, something breaks in the middle, the run ends, and everything is added up."""

import asyncio
from dataclasses import dataclass
from random import Random
from time import monotonic

from shared.domain.runs import PairKey, RunId
from tests.chaos.audit import audit_runs, extra_calls
from tests.chaos.faults import Fault
from tests.chaos.harm import Harm, Scene
from tests.chaos.processes import PAUSE_SECONDS, until
from tests.chaos.stage import Stage

STRUCK_AT = (0.2, 0.5)  # of the pairs are closed when the fault comes
RUN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What one trial came to. `recovered_seconds` None: not within the time in which it was watched.

    `lateness` says by how much it missed its fault's bound, which holds for a machine that does nothing else.
    """

    fault: str
    seed: int
    pairs: int
    held: int
    lost: int
    doubled: int
    extra_calls: int
    most_extra_calls: int
    recovered_seconds: float | None
    total_seconds: float
    ended_by_themselves: tuple[str, ...]
    complaints: tuple[str, ...]
    lateness: str | None


async def run_trial(stage: Stage, fault: Fault, seed: int) -> Trial:
    """Let one fault strike one run; the stage is whole again afterwards. TimeoutError when it is not."""
    random = Random(f"{fault.name} {seed}")
    began_at = monotonic()
    await stage.forget_calls()
    await stage.change_models(faults={"server_error": fault.provider_errors})
    deaths = {child.name: child.deaths for child in stage.children}
    run_id = await stage.submit()
    await _until_closed(stage, run_id, int(random.uniform(*STRUCK_AT) * stage.size.pairs))

    harm = await fault.strike(Scene(stage, run_id, random))
    recovered_seconds = await _watch_recovery(stage, run_id, harm)
    planned = {run_id: stage.size.pairs, **harm.twins}
    complaints = list(harm.complaints)
    if (open_runs := await _until_finished(stage, planned)) > 0:
        complaints.append(f"{open_runs} runs were still open {RUN_SECONDS:.0f} s after the fault")
    finding = await stage.witness.ask(lambda connection: audit_runs(connection, planned))
    extra = extra_calls(await stage.count_calls(), planned) - harm.other_calls

    dead = [child.name for child in stage.children if child.deaths > deaths[child.name]]
    await harm.mend()
    await stage.change_models(faults={"server_error": 0.0})
    await stage.until_ready()
    complaints += finding.faults
    complaints += [f"{name} ended by itself" for name in dead]
    complaints += _judge(harm, finding.lost, finding.doubled, extra)
    if recovered_seconds is None:
        complaints.append("all was never well again")
    return Trial(
        fault.name,
        seed,
        sum(planned.values()),
        len(harm.held),
        finding.lost,
        finding.doubled,
        extra,
        harm.most_extra_calls,
        recovered_seconds,
        monotonic() - began_at,
        tuple(dead),
        tuple(complaints),
        _lateness(fault, recovered_seconds),
    )


def _lateness(fault: Fault, recovered_seconds: float | None) -> str | None:
    if recovered_seconds is None or recovered_seconds <= fault.within_seconds:
        return None
    return f"all was well again after {recovered_seconds:.1f} s, not within {fault.within_seconds:.0f} s"


def _judge(harm: Harm, lost: int, doubled: int, extra: int) -> list[str]:
    complaints = []
    if lost:
        complaints.append(f"{lost} pairs have no result")
    if doubled:
        complaints.append(f"{doubled} pairs count more than once")
    if extra > harm.most_extra_calls:
        complaints.append(f"{extra} extra provider calls, where {harm.most_extra_calls} can be explained")
    return complaints


async def _until_closed(stage: Stage, run_id: RunId, pairs: int) -> None:
    async with asyncio.timeout(RUN_SECONDS):
        while await stage.witness.count_closed(run_id) < pairs:  # noqa: ASYNC110  # other processes' doing
            await asyncio.sleep(PAUSE_SECONDS)


async def _watch_recovery(stage: Stage, run_id: RunId, harm: Harm) -> float | None:
    """The seconds until every pair that was held runs again or is done, a pair that was not held is done, and
    what else was hit is well.
    """
    waiting: set[PairKey] = set(harm.held)
    fresh = await stage.witness.open_pairs(run_id) - harm.held
    moves, is_well = not fresh, False
    while monotonic() - harm.over_at < RUN_SECONDS:
        still_open = await stage.witness.open_pairs(run_id)
        alive = {worker.pid for worker in stage.workers if worker.is_alive}
        running = {pair for pair, pid in (await stage.witness.holders()).items() if pid in alive}
        waiting &= still_open - running
        moves = moves or bool(fresh - still_open)
        is_well = is_well or await harm.is_well()
        if not waiting and moves and is_well:
            return monotonic() - harm.over_at
        await asyncio.sleep(PAUSE_SECONDS)
    return None


async def _until_finished(stage: Stage, runs: dict[RunId, int]) -> int:
    """Wait for the end of the runs; how many are still open when it was waited long enough."""

    async def open_runs() -> int:
        return sum([not await stage.witness.is_finished(run_id) for run_id in runs])

    async def are_finished() -> bool:
        return await open_runs() == 0

    try:
        await until(are_finished, within_seconds=RUN_SECONDS)
    except TimeoutError:
        return await open_runs()
    return 0
