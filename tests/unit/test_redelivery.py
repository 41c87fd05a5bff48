"""What follows from an attempt at a delivery."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.telling.redelivery import (
    LONGEST_RETRY_AFTER_SECONDS,
    MOST_TRIES,
    RETRY_SECONDS,
    Delivered,
    Done,
    Failed,
    GiveUp,
    Gone,
    Outcome,
    Refused,
    RetryIn,
    Unknown,
    decide,
    read_retry_after,
    read_status,
    wait_seconds,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Delivered), (204, Delivered), (301, Refused), (302, Refused), (307, Refused), (400, Refused),
        (401, Refused), (404, Refused), (408, Failed), (410, Gone), (425, Failed), (429, Failed),
        (500, Failed), (503, Failed), (599, Failed),
    ],
)  # fmt: skip
def test_a_status_says_whether_to_ask_again(status: int, kind: type[Outcome]) -> None:
    assert isinstance(read_status(status), kind)


@given(st.integers(1, MOST_TRIES - 1), st.none() | st.floats(0, 1e9), st.text(max_size=20))
def test_waits_grow_by_a_fifth_at_most_and_never_undercut_retry_after(
    tries: int, after: float | None, seed: str
) -> None:
    step = max(RETRY_SECONDS[tries - 1], min(after or 0.0, LONGEST_RETRY_AFTER_SECONDS))
    assert step <= wait_seconds(tries, after, seed) <= 1.2 * step


@pytest.mark.parametrize("outcome", [Failed("It failed."), Unknown("No answer.")])
def test_the_last_try_is_followed_by_none(outcome: Outcome) -> None:
    assert isinstance(decide(outcome, MOST_TRIES - 1, "seed"), RetryIn)
    assert isinstance(decide(outcome, MOST_TRIES, "seed"), GiveUp)
    assert decide(outcome, 1, "seed", is_test=True) == GiveUp(outcome.reason)


def test_what_is_certain_needs_no_second_try() -> None:
    assert decide(Delivered(200), 1, "seed") == Done()
    assert decide(Refused("No."), 1, "seed") == GiveUp("No.")
    assert decide(Gone("Gone."), 1, "seed") == GiveUp("Gone.", is_gone=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("9" * 400, LONGEST_RETRY_AFTER_SECONDS),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2020 12:02:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header: str | None, seconds: float | None) -> None:
    assert read_retry_after(header, NOW) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_breaks_anything(header: str) -> None:
    after = read_retry_after(header, NOW)
    assert after is None or after >= 0


def test_the_schedule_lasts_two_days() -> None:
    assert timedelta(hours=46) < timedelta(seconds=sum(RETRY_SECONDS)) < timedelta(hours=48)
