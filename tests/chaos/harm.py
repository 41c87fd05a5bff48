"""What a fault is told, and what it tells: a run on its way, and the harm that was done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from shared.domain.runs import PairKey, RunId
from tests.chaos.stage import Stage

Wellness: TypeAlias = Callable[[], Awaitable[bool]]
Mending: TypeAlias = Callable[[], Awaitable[None]]


async def yes() -> bool:
    return True


async def nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Scene:
    """A run on its way, on a stage."""

    stage: Stage
    run_id: RunId
    random: Random


@dataclass(frozen=True, slots=True)
class Harm:
    """What a fault has done. `held`: the pairs that were being worked on, whose calls it may have cost.

    Recovery is timed from `over_at` (monotonic seconds); `is_well` is what it takes besides the pairs.
    `mend` undoes what was left in place; `twins` are further runs, with how many pairs each, and
    `other_calls` what these ask the provider beyond their pairs.
    """

    held: frozenset[PairKey]
    over_at: float
    most_extra_calls: int
    is_well: Wellness = yes
    mend: Mending = nothing
    twins: Mapping[RunId, int] = field(default_factory=dict)
    other_calls: int = 0
    complaints: tuple[str, ...] = ()


Strike: TypeAlias = Callable[[Scene], Awaitable[Harm]]
