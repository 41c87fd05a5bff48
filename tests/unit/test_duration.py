"""A run lasts as long as its slowest model."""

import pytest

from shared.domain.duration import Pace, estimate_seconds


def test_the_slowest_model_decides() -> None:
    assert estimate_seconds([Pace(100, 1.0, 50), Pace(100, 4.0, 50), Pace(10, 9.0, 50)]) == 9.0


def test_calls_beyond_the_slots_wait_for_a_round() -> None:
    assert estimate_seconds([Pace(101, 2.0, 50)]) == 6.0


def test_a_limit_of_calls_a_minute_holds_them_back() -> None:
    assert estimate_seconds([Pace(120, 2.0, 50, rpm=60)]) == pytest.approx(62.0)


def test_one_model_that_was_never_measured_leaves_it_open() -> None:
    assert estimate_seconds([Pace(10, 1.0, 50), Pace(10, None, 50)]) is None


def test_nothing_to_ask_takes_no_time() -> None:
    assert estimate_seconds([]) == 0.0
