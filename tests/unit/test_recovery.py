"""Outages and recoveries, told by the same gate as a comparison of two runs."""

import numpy as np
import pytest

from shared.domain.drift.nightly import MISSING, Integers
from shared.domain.drift.recovery import is_back, suggests_outage


def steady_nights(units: int = 200) -> Integers:
    """Ten nights of a model that is right on three questions in four, always the same."""
    scores: Integers = np.ones((10, units), dtype=np.int64)
    scores[:, ::4] = 0
    return scores


@pytest.mark.parametrize(
    ("low", "coverage", "expected"),
    [(4.1, 1.0, True), (1.0, 0.79, True), (3.9, 0.8, False), (np.nan, 0.5, True)],
)
def test_what_suggests_an_outage(low: float, coverage: float, expected: bool) -> None:
    assert suggests_outage(low, coverage) is expected


def test_after_an_outage_the_model_is_back_when_the_next_night_passes() -> None:
    scores = steady_nights()
    assert is_back(scores, slice(0, 8), slice(9, 10), levels=1)
    scores[9, :30] = 0
    assert not is_back(scores, slice(0, 8), slice(9, 10), levels=1)


def test_an_incident_ends_after_three_good_nights_in_a_row() -> None:
    scores = steady_nights()
    scores[5:7, :60] = 0
    assert not is_back(scores, slice(0, 5), slice(4, 7), levels=1)
    assert is_back(scores, slice(0, 5), slice(7, 10), levels=1)


def test_what_cannot_be_told_is_not_back() -> None:
    assert not is_back(steady_nights(units=50), slice(0, 5), slice(7, 10), levels=1)
    nothing = np.full((10, 200), MISSING)
    assert not is_back(nothing, slice(0, 5), slice(7, 10), levels=1)


def test_scores_are_means_over_the_nights_that_have_one() -> None:
    scores = 20 * steady_nights()
    scores[:4, 1] = MISSING
    scores[8, 2] = MISSING
    scores[7:, 1::10] -= 1  # one step of twenty on every tenth question: half a point
    assert is_back(scores, slice(0, 5), slice(7, 10), levels=20)
