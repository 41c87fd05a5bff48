"""Shares and thresholds of the false-alarm budget."""

import numpy as np
import pytest

from shared.domain.drift.budget import (
    ANCHORS,
    DECAY,
    Budget,
    share_operations,
    share_quality,
)


@pytest.mark.parametrize(("models", "categories", "operations"), [(1, 7, 7), (50, 12, 4)])
def test_the_shares_of_all_streams_sum_to_one(models: int, categories: int, operations: int) -> None:
    per_model = share_quality(categories).sum() + share_operations(operations).sum()
    assert per_model + ANCHORS + DECAY == pytest.approx(1.0)
    budget = Budget(models)
    alarms_per_night = models * np.exp(-budget.of_each_model(share_quality(categories)).log_alarm).sum()
    assert alarms_per_night == pytest.approx(0.60 / 365)


def test_alarm_and_watch_thresholds() -> None:
    ten = Budget(models=10).of_each_model(share_quality(7))
    accuracy, weighted, category = np.exp(ten.log_alarm[:3])
    assert (accuracy, weighted, category) == pytest.approx((365 / 0.012, 365 / 0.024, 3650 * 7 / 0.24))
    assert np.exp(ten.log_watch[:3]) == pytest.approx([125.0, 62.5, 437.5])


def test_watching_does_not_depend_on_the_fleet_but_never_comes_after_the_alarm() -> None:
    shares = share_quality(7)
    of_one, of_many = Budget(1).of_each_model(shares), Budget(50).of_each_model(shares)
    np.testing.assert_array_equal(of_one.log_watch, of_many.log_watch)
    hasty = Budget(1, nights_per_false_alarm=7).of_each_model(shares)
    np.testing.assert_allclose(np.exp(hasty.log_watch), np.exp(hasty.log_alarm) / 2)


def test_streams_of_the_installation_are_not_divided_among_models() -> None:
    assert np.exp(Budget(50).of_the_installation(ANCHORS).log_alarm) == pytest.approx([7300.0])


def test_a_budget_needs_something_to_watch() -> None:
    with pytest.raises(ValueError, match="at least one model"):
        Budget(models=0)
