"""Where a drop sits: which categories, and inside them which questions.

Among the categories named, and among the questions named, one in ten is a false lead on average (Benjamini
and Hochberg). Fresh repeats of the named questions say more than the nights that led to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.dating import Shift, measure_shift
from shared.domain.drift.nightly import MISSING
from shared.domain.figures.distributions import normal_cdf
from shared.domain.figures.significance import adjust_for_discoveries, fisher_decrease

Integers = NDArray[np.int64]

FALSE_DISCOVERY_RATE = 0.10


@dataclass(frozen=True, slots=True)
class CategoryShift:
    """`adjusted_p_worse` allows for the number of categories looked at."""

    category: str
    shift: Shift
    adjusted_p_worse: float

    @property
    def is_worse(self) -> bool:
        return self.adjusted_p_worse <= FALSE_DISCOVERY_RATE


@dataclass(frozen=True, slots=True)
class QuestionShift:
    """One unit (by number): how often it passed, of the nights it has a score, before and after."""

    unit: int
    passed_before: int
    scored_before: int
    passed_after: int
    scored_after: int
    adjusted_p_worse: float

    @property
    def is_worse(self) -> bool:
        return self.adjusted_p_worse <= FALSE_DISCOVERY_RATE


def attribute_to_categories(
    scores: Integers,
    first_changed: int,
    levels: int,
    categories: Mapping[str, Integers],
    overdispersion: float = 1.0,
) -> tuple[CategoryShift, ...]:
    """Compare each category's nights before and after; the most suspicious first.

    `scores` (nights, units) of one model; `categories`: the units of each. Those without a pair are left out.
    """
    shifts = {
        category: shift
        for category, units in sorted(categories.items())
        if (shift := measure_shift(scores[:, units], first_changed, levels, overdispersion))
    }
    adjusted = adjust_for_discoveries([float(normal_cdf(shift.z)) for shift in shifts.values()])
    found = [CategoryShift(name, shifts[name], float(p)) for name, p in zip(shifts, adjusted, strict=True)]
    return tuple(sorted(found, key=lambda one: (one.adjusted_p_worse, one.shift.z)))


def attribute_to_questions(
    scores: Integers, first_changed: int, levels: int, units: Integers
) -> tuple[QuestionShift, ...]:
    """Fisher's exact test of each of these units (those of the flagged categories); worst first.

    A score of at least half of `levels` is a pass. Units without a score on both sides are left out.
    """
    before, after = scores[:first_changed, units], scores[first_changed:, units]
    counts = [
        np.stack([(2 * part >= levels).sum(axis=0), (part != MISSING).sum(axis=0)], axis=1)
        for part in (before, after)
    ]
    rows = [
        (int(unit), int(old[0]), int(old[1]), int(new[0]), int(new[1]))
        for unit, old, new in zip(units, *counts, strict=True)
        if old[1] and new[1]
    ]
    adjusted = adjust_for_discoveries([fisher_decrease(*counted) for _, *counted in rows])
    found = [QuestionShift(*row, float(p)) for row, p in zip(rows, adjusted, strict=True)]
    return tuple(sorted(found, key=lambda one: (one.adjusted_p_worse, one.unit)))
