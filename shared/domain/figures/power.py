"""How small a drop the nightly watch sees, told before the first night: measured, then read from a table.

`power_table` holds what the detector itself came to on simulated models (chances of a right answer
Beta(1.2, 0.3), a judge that errs in 2 %, seven categories, 30 nights before the drop, which concentrates on
30 % of the questions). Between its sizes and drops the logarithms are interpolated.
"""

import math
from dataclasses import dataclass

import numpy as np

from shared.domain.drift.budget import Budget
from shared.domain.figures.power_table import DROPS, LARGE_DROP_BY_NIGHT, QUESTIONS, WITHIN_A_WEEK

YEAR_NIGHTS = 365
LEAST_QUESTIONS, MOST_QUESTIONS = QUESTIONS[0], QUESTIONS[-1]
LARGEST_DROP = DROPS[-1]
LONGEST_NIGHTS = len(LARGE_DROP_BY_NIGHT)
BUDGETS = (30, 60, 90, 180, 365, 730, 1460)
"""Nights per false alarm that people choose from, each about twice as rare as the one before."""


@dataclass(frozen=True, slots=True)
class Power:
    """What is seen in 8 of 10 cases, each question asked once a night.

    `drop`: the smallest drop of the mean score that is seen within 7 nights, None: none up to LARGEST_DROP.
    `nights`: how long it takes to see a drop of 10 points, None: longer than LONGEST_NIGHTS.
    """

    drop: float | None
    nights: int | None


def power_of(questions: int, budget: Budget) -> Power | None:
    """What a suite of so many questions shows on this budget; None below LEAST_QUESTIONS, never measured.

    Suites larger than the largest measured are told as that one: they show a little more.
    """
    if questions < LEAST_QUESTIONS:
        return None
    line = math.log(budget.nights_per_false_alarm * budget.models)
    within_week = [_at_size(row, questions) for row in WITHIN_A_WEEK]
    by_night = [_at_size(row, questions) for row in LARGE_DROP_BY_NIGHT]
    drop = float(np.interp(line, within_week, DROPS)) if line <= within_week[-1] else None
    nights = next((night for night, reached in enumerate(by_night, start=1) if reached >= line), None)
    return Power(drop, nights)


def false_alarms_a_year(nights_per_false_alarm: float) -> float:
    """At most so many, over all models and streams, if every night is measured."""
    return YEAR_NIGHTS / nights_per_false_alarm


def _at_size(reached: tuple[float, ...], questions: int) -> float:
    return float(np.exp(np.interp(math.log(questions), np.log(QUESTIONS), np.log(reached))))
