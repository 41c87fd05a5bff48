"""The rules that people use instead behave as the literature and independent calculations say."""

import numpy as np
import pytest

from tests.simulation.rules import Array, fall_below_the_best, flag_sums
from tests.simulation.world import Scenario, create


@pytest.mark.parametrize(("threshold", "nights"), [(4, 335.36214082982383), (5, 930.8518016863196)])
def test_cusum_alarms_as_rarely_as_its_average_run_length(threshold: float, nights: float) -> None:
    """5 million quiet nights give 5,400 to 15,000 alarms: one standard error is 1.4 % at most."""
    quiet = np.random.default_rng(21).normal(size=(2_500, 2_000))
    assert flag_sums(quiet, threshold).mean() == pytest.approx(1 / nights, rel=0.05)


@pytest.fixture(scope="module")
def accuracy() -> Array:
    """(90 nights, 400 models) of 200 questions, nothing changes."""
    chance = np.random.default_rng(23)
    world = create(Scenario(200, 90), 400, chance)
    return np.array([world.answer(night, chance).mean(axis=1) for night in range(90)])


@pytest.mark.parametrize(("nights", "expected"), [(7, 0.03176792), (30, 0.04806337), (90, 0.05804160)])
def test_the_best_of_equal_nights_lies_well_above_their_mean(
    accuracy: Array, nights: int, expected: float
) -> None:
    """As far as that of normal nights with the standard deviation of 2.35 points that 200 questions have."""
    assert accuracy.std(axis=0).mean() == pytest.approx(0.0235, rel=0.05)
    best = accuracy[:nights].max(axis=0)
    assert (best - accuracy.mean(axis=0)).mean() == pytest.approx(expected, rel=0.06)


def test_so_the_latest_night_is_below_the_best_by_three_points_on_most_nights(accuracy: Array) -> None:
    assert fall_below_the_best(accuracy, 200)[30:].mean() > 0.7
