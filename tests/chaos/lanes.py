"""Many trials: on each ground one after the other, the grounds side by side."""

import asyncio
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import TypeAlias

import httpx
from redis.exceptions import RedisError

from tests.chaos.faults import Fault
from tests.chaos.stage import Ground, Size, set_stage
from tests.chaos.trial import Trial, run_trial

Planned: TypeAlias = tuple[Fault, int]  # what strikes, and the seed of the trial
Tell: TypeAlias = Callable[[Trial], None]

LANES = {Ground.PLAIN: 2}  # most faults need no more than this ground
UNFINISHED = (TimeoutError, httpx.HTTPError, RedisError)


def plan_lanes(faults: Iterable[Fault], trials: int, seed: int) -> list[tuple[Ground, list[Planned]]]:
    """What to try on which ground, for so many trials of each fault, or its share of them."""
    lanes = []
    for ground in Ground:
        here = [fault for fault in faults if fault.ground is ground]
        count = min(LANES.get(ground, 1), len(here))
        for lane in range(count):
            planned = [
                (fault, seed + number)
                for fault in here[lane::count]
                for number in range(ceil(trials * fault.share))
            ]
            lanes.append((ground, planned))
    return lanes


async def run_lanes(
    lanes: Sequence[tuple[Ground, Sequence[Planned]]], size: Size, tell: Tell, logs: Path | None = None
) -> None:
    """Try everything and tell each trial as it ends; where it found something, keep its logs in `logs`."""
    async with asyncio.TaskGroup() as tasks:
        for ground, planned in lanes:
            tasks.create_task(_run_lane(ground, planned, size, tell, logs))


async def _run_lane(
    ground: Ground, planned: Sequence[Planned], size: Size, tell: Tell, logs: Path | None
) -> None:
    left = deque(planned)
    while left:
        with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
            ended: list[Trial] = []
            try:
                async with set_stage(Path(folder), ground, size) as stage:
                    # What a trial with a finding left lying would count in the next one.
                    while left and not (ended and ended[-1].complaints):
                        ended.append(await run_trial(stage, *left[0]))
                        left.popleft()
                        tell(ended[-1])
            except UNFINISHED as error:
                ended.append(_unfinished(*left.popleft(), size, error))
                tell(ended[-1])
            if logs is not None and ended[-1].complaints:
                _keep_logs(Path(folder), logs / f"{ended[-1].fault}-{ended[-1].seed}")


def _unfinished(fault: Fault, seed: int, size: Size, error: Exception) -> Trial:
    """Nothing is known of its pairs, so that all of them count as lost."""
    told = f"the trial could not be ended: {error!r}"
    return Trial(fault.name, seed, size.pairs, 0, size.pairs, 0, 0, 0, None, 0.0, (), (told,), None)


def _keep_logs(folder: Path, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)
