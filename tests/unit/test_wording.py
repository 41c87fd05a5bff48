"""Drift in plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.drift.series import number_series
from shared.domain.telling.wording import name_stream, tell_budget, tell_evidence


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (None, "not measured"),
        (0.0, "less than a thousandth of what an alarm takes"),
        (0.0123, "1.2 % of what an alarm takes"),
        (0.9999, "99 % of what an alarm takes"),
        (1.0, "1.0 times what an alarm takes"),
        (493.4, "493 times what an alarm takes"),
        (3.2e8, "about 10^8 times what an alarm takes"),
        (1.9e130, "about 10^130 times what an alarm takes"),
    ],
)
def test_evidence_is_told_by_what_an_alarm_takes(ratio: float | None, said: str) -> None:
    assert tell_evidence(ratio) == said


@given(st.floats(0, 1, exclude_max=True))
def test_evidence_below_an_alarm_never_reads_as_one(ratio: float) -> None:
    assert "times" not in tell_evidence(ratio)
    assert "100 %" not in tell_evidence(ratio)


def test_streams_and_budgets_are_named_as_people_say_them() -> None:
    assert name_stream("category:math: hard") == "accuracy in math: hard"
    assert name_stream("refusal") == "the share of refusals"
    assert name_stream("something new") == "something new"
    assert tell_budget(365.0, 1).endswith("at most one alarm in 365 nights, over the one watched model.")


def test_a_series_ends_with_its_epoch_and_with_an_accepted_baseline() -> None:
    assert number_series([], []) == []
    assert number_series(["a", "a", "b", "a"], [False] * 4) == [1, 1, 2, 3]
    assert number_series(["a", "a", "b"], [True, True, True]) == [1, 2, 3]
