"""How long a run will take, from how long its models took to answer before."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model answers: `slots` calls at once, each so long, at most `rpm` calls begun in a minute.

    `seconds_per_call` is None where the model was never measured.
    """

    calls: int
    seconds_per_call: float | None
    slots: int
    rpm: int | None = None


def estimate_seconds(paces: Iterable[Pace]) -> float | None:
    """Seconds from the first question to the last answer; None where the pace of any model is not known.

    Models are asked side by side, so the slowest decides. Waiting for other runs is not included.
    """
    longest = 0.0
    for pace in paces:
        if pace.seconds_per_call is None:
            return None
        rounds = math.ceil(pace.calls / pace.slots)
        begun = MINUTE_SECONDS * max(0, pace.calls - pace.rpm) / pace.rpm if pace.rpm else 0.0
        longest = max(longest, rounds * pace.seconds_per_call, begun + pace.seconds_per_call)
    return longest
