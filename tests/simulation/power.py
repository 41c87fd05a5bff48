"""Measure how small a drop the nightly detector sees: `python -m tests.simulation.power [--write]`.

With --write the numbers go into shared/domain/figures/power_table.py. About 6 minutes on one core.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.domain.drift.budget import Budget, share_quality
from shared.domain.drift.detect import Metric, State, advance, observe_quality
from tests.simulation.experiments import BATCH, chance_of
from tests.simulation.world import CATEGORIES, REFERENCE_NIGHTS, Scenario, World, categorize, create

Array = NDArray[np.float64]

STORED = Path(__file__).parents[2] / "shared" / "domain" / "figures" / "power_table.py"
MODELS = {25: 400, 50: 400, 100: 400, 200: 400, 500: 200, 1000: 100}  # simulated, by size of the suite
DROPS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.12, 0.15, 0.20)
WEEK, MONTH = 7, 30
LARGE_DROP = 0.10
MISSED = 0.20  # of 10 drops, 2 may go unseen
NEVER = Budget(1, nights_per_false_alarm=1e200)
HEAD = '''"""How much evidence a drop comes to, as `python -m tests.simulation.power --write` has measured it.

The tables hold logarithms of (nights per false alarm x watched models): where false alarms are so rare, 8 of
10 such drops have still raised an alarm. A row has one value for each size of a suite, in questions.
"""

# fmt: off
QUESTIONS = ({sizes})

# One row for each drop of the mean score, within 7 nights of it.
DROPS = ({drops})
WITHIN_A_WEEK = (
{week})

# One row for each night since a drop of LARGE_DROP, from the first one on.
LARGE_DROP = {large_drop}
LARGE_DROP_BY_NIGHT = (
{large})
'''


@dataclass(frozen=True, slots=True)
class Reached:
    """Logarithms of the nights per false alarm times the watched models up to which 8 of 10 drops alarm.

    `within_week` by drop, in the order of DROPS; `large_drop` by night, for a drop of LARGE_DROP.
    """

    within_week: tuple[float, ...]
    large_drop: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Watched:
    """The most that the evidence came to after 30 quiet nights, weighed by each stream's share of the budget.

    `after_week` (drops, models): 7 nights after each drop; `by_night` (nights, models): after LARGE_DROP.
    """

    after_week: Array
    by_night: Array


def measure_power(questions: int) -> Reached:
    watched = watch_drops(questions, DROPS, MODELS[questions])
    return Reached(_tell(watched.after_week), _tell(watched.by_night))


def watch_drops(questions: int, drops: Sequence[float], models: int) -> Watched:
    """Let so many models answer 30 nights unchanged, then, from the same past, fall by each drop."""
    batches = [
        _watch_batch(questions, drops, min(BATCH, models - first), chance_of(f"power {questions}", first))
        for first in range(0, models, BATCH)
    ]
    return Watched(
        np.concatenate([batch.after_week for batch in batches], axis=1),
        np.concatenate([batch.by_night for batch in batches], axis=1),
    )


def _watch_batch(questions: int, drops: Sequence[float], models: int, chance: Generator) -> Watched:
    metric = observe_quality(categorize(questions))
    world = create(Scenario(questions, REFERENCE_NIGHTS + MONTH), models, chance)
    past = State.fresh(models, questions, metric)
    for night in range(REFERENCE_NIGHTS):
        past, _ = _live(past, world, metric, night, chance)
    after_week = np.array([_fall(past, world, metric, drop, WEEK, chance)[-1] for drop in drops])
    return Watched(after_week, _fall(past, world, metric, LARGE_DROP, MONTH, chance))


def _fall(past: State, world: World, metric: Metric, drop: float, nights: int, chance: Generator) -> Array:
    """(nights, models): the most that the evidence has come to since the drop, whichever stream shows it."""
    fallen = replace(world, scenario=replace(world.scenario, drop=drop))
    state, evidence = past, []
    for night in range(REFERENCE_NIGHTS, REFERENCE_NIGHTS + nights):
        state, tonight = _live(state, fallen, metric, night, chance)
        evidence.append(tonight)
    highest: Array = np.maximum.accumulate(evidence)
    return highest


def _live(state: State, world: World, metric: Metric, night: int, chance: Generator) -> tuple[State, Array]:
    """One night; (models): the strongest stream's log evidence, weighed by its share of the budget."""
    models = len(world.before)
    thresholds = NEVER.of_each_model(share_quality(CATEGORIES))
    state, detection = advance(
        state, world.answer(night, chance), metric, thresholds, np.ones(models, dtype=bool)
    )
    weighed: Array = (detection.reading.log_worse + np.log(share_quality(CATEGORIES))).max(axis=1)
    return state, weighed


def _tell(evidence: Array) -> tuple[float, ...]:
    """By row: what 8 of 10 models come to."""
    return tuple(round(float(value), 2) for value in np.quantile(evidence, MISSED, axis=1))


def render(measured: Mapping[int, Reached]) -> str:
    """The table as a module of the domain."""
    week = _rows({size: reached.within_week for size, reached in measured.items()})
    large = _rows({size: reached.large_drop for size, reached in measured.items()})
    sizes, drops = ", ".join(map(str, measured)), ", ".join(map(str, DROPS))
    return HEAD.format(sizes=sizes, drops=drops, large_drop=LARGE_DROP, week=week, large=large)


def _rows(columns: Mapping[int, Sequence[float]]) -> str:
    """One row for each drop or night: what each size of a suite comes to."""
    rows = zip(*columns.values(), strict=True)
    return "".join(f"    ({', '.join(map(str, row))}),\n" for row in rows)


def main(arguments: list[str]) -> None:
    measured = {}
    for size in MODELS:
        began = time.perf_counter()
        measured[size] = measure_power(size)
        print(f"{size} questions ({time.perf_counter() - began:.0f} s)", file=sys.stderr, flush=True)
    if "--write" in arguments:
        STORED.write_text(render(measured), encoding="utf-8")
    else:
        print(render(measured))


if __name__ == "__main__":
    main(sys.argv[1:])
