"""Numbers on pages: signs, spaces, and dashes for what was not measured."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.dashboard import numbers


@pytest.mark.parametrize(
    "told", [numbers.share, numbers.points, numbers.usd, numbers.seconds, numbers.evidence, numbers.count]
)
def test_what_was_not_measured_is_a_dash(told) -> None:  # type: ignore[no-untyped-def]
    assert told(None) == "–"


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (15_000.0, "×15\u202f000"),
        (1.0, "×1.0"),
        (1 / 1600, "÷1\u202f600"),
        (3e8, "×10⁸"),
        (13.0, "×13"),
        (0.0, "none"),
    ],
)
def test_evidence_is_told_against_its_line(ratio: float, told: str) -> None:
    assert numbers.evidence(ratio) == told


def test_differences_are_signed_with_a_real_minus() -> None:
    assert numbers.points(-0.0634) == "−6.3"
    assert numbers.points(0.02) == "+2.0"
    assert numbers.points(0.0) == "±0.0"


@given(st.floats(min_value=0, max_value=1))
def test_rounding_alone_never_makes_it_all_or_nothing(ratio: float) -> None:
    told = numbers.percent(ratio)

    assert (told == "100.0") == (ratio == 1.0)
    assert (told == "0.0") == (ratio == 0.0)


def test_what_cost_something_never_reads_as_nothing() -> None:
    assert numbers.usd(Decimal("0.00001")) == "<0.0001"
    assert numbers.usd(Decimal("0.003")) == "0.0030"
    assert numbers.usd(Decimal(0)) == "0.00"


def test_durations_are_told_in_their_largest_units() -> None:
    assert numbers.lasting(51_600) == "14\u00a0h 20\u00a0min"
    assert numbers.lasting(6) == "6\u00a0s"
    assert numbers.lasting(4 * 86_400) == "4\u00a0days"
