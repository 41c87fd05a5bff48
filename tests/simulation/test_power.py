"""A part of the power table, measured again; and a suite of a size that is not in it."""

import math

import pytest

from shared.domain.drift.budget import Budget
from shared.domain.figures import power_table
from shared.domain.figures.power import power_of
from tests.simulation.power import DROPS, MODELS, MONTH, STORED, Reached, render, watch_drops

pytestmark = pytest.mark.slow


def test_the_table_is_as_the_command_writes_it() -> None:
    week = zip(*power_table.WITHIN_A_WEEK, strict=True)
    large = zip(*power_table.LARGE_DROP_BY_NIGHT, strict=True)
    stored = {size: Reached(*rows) for size, *rows in zip(power_table.QUESTIONS, week, large, strict=True)}
    assert render(stored) == STORED.read_text(encoding="utf-8")
    assert tuple(MODELS) == power_table.QUESTIONS
    assert power_table.DROPS == DROPS
    assert len(power_table.LARGE_DROP_BY_NIGHT) == MONTH


@pytest.mark.parametrize("questions", [50, 150])
def test_drops_are_seen_in_8_of_10_cases_as_told(questions: int) -> None:
    """100 models, so that chance moves the share by 0.04. 150 lies between two sizes of the table."""
    budget = Budget(10, 365)
    power = power_of(questions, budget)
    assert power is not None
    assert power.drop is not None
    assert power.nights is not None
    line = math.log(budget.models * budget.nights_per_false_alarm)
    watched = watch_drops(questions, (power.drop,), models=100)
    assert 0.68 <= (watched.after_week[0] >= line).mean() <= 0.92
    assert (watched.by_night[power.nights - 1] >= line).mean() >= 0.68
    if power.nights > 1:
        assert (watched.by_night[power.nights - 2] >= line).mean() <= 0.92
