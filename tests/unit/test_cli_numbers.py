"""Numbers in the terminal: what was not measured is a dash, and rounding never tells a different story."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli import numbers
from services.cli.numbers import NOT_MEASURED

SHARES = st.floats(min_value=0, max_value=1)


@pytest.mark.parametrize(
    "write",
    [
        numbers.count,
        numbers.share,
        numbers.points,
        numbers.usd,
        numbers.usd_range,
        numbers.seconds,
        numbers.moment,
    ],
)
def test_what_was_not_measured_is_a_dash(write: Callable[[None], str]) -> None:
    assert write(None) == NOT_MEASURED


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0, "0.0 %"), (0.8264, "82.6 %"), (1, "100.0 %"), (0.99999, "99.9 %"), (0.00001, "0.1 %")],
)
def test_shares_have_one_decimal(ratio: float, text: str) -> None:
    assert numbers.share(ratio) == text.replace(" ", numbers.SPACE)


@given(SHARES)
def test_only_everything_reads_as_all_and_only_nothing_as_none(ratio: float) -> None:
    assert (numbers.share(ratio) == f"100.0{numbers.SPACE}%") == (ratio == 1)
    assert (numbers.share(ratio) == f"0.0{numbers.SPACE}%") == (ratio == 0)


@pytest.mark.parametrize(
    ("difference", "text"),
    [(-0.05, "−5.0"), (0.031, "+3.1"), (0.0, "+0.0"), (-0.0001, "+0.0"), (1, "+100.0")],
)
def test_differences_are_signed(difference: float, text: str) -> None:
    assert numbers.points(difference) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (2.5, "2.50"),
        ("0.0042", "0.0042"),
        (0.00001, "<0.0001"),
        (12345.678, "12 345.68"),
        (0.01, "0.01"),
    ],
)
def test_money_has_two_decimals_and_four_below_a_cent(amount: Any, text: str) -> None:
    assert numbers.usd(amount) == text.replace(" ", numbers.SPACE)


@given(st.decimals(min_value=Decimal("1e-9"), max_value=1000, places=9))
def test_what_has_cost_something_never_reads_as_nothing(amount: Any) -> None:
    assert set(numbers.usd(str(amount))) - set("0.")


def test_an_estimate_is_a_range_unless_its_ends_read_the_same() -> None:
    assert numbers.usd_range({"low": 0.5, "expected": 1.25}) == "0.50–1.25"
    assert numbers.usd_range({"low": 0.501, "expected": 0.502}) == "0.50"


@pytest.mark.parametrize(("best", "worst", "text"), [(1, 1, "1"), (2, 4, "2–4"), (None, None, NOT_MEASURED)])
def test_a_tied_rank_is_a_range(best: int | None, worst: int | None, text: str) -> None:
    assert numbers.rank(best, worst) == text


def test_intervals_carry_no_unit() -> None:
    assert numbers.interval(0.7312, 0.8888) == "73.1–88.9"
    assert numbers.interval(None, None) == NOT_MEASURED


def test_long_durations_need_fewer_decimals() -> None:
    assert [numbers.seconds(value) for value in (0.123, 12.34, 1234.5)] == [
        "0.12",
        "12.3",
        f"1{numbers.SPACE}234",
    ]


def test_times_are_told_in_utc() -> None:
    assert numbers.moment("2026-11-21T03:59:30+02:00") == "2026-11-21 01:59"


def test_reasons_are_told_by_frequency() -> None:
    assert numbers.tally({"truncated": 2, "timeout": 50, "empty": 0}) == "50 × timeout, 2 × truncated"


@given(st.text())
def test_no_text_reaches_the_terminal_with_control_characters(text: str) -> None:
    written = numbers.plain(text)
    assert all(char.isprintable() or char == numbers.SPACE for char in written)


def test_escape_sequences_of_an_answer_are_defused() -> None:
    assert numbers.plain("\x1b]0;owned\x07 fine\n") == "]0;owned  fine"
