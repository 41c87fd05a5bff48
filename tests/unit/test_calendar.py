"""When nights come due: once on a local date at most, whatever the clocks do."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.calendar import check_calendar, local_date, next_due, nights_due
from shared.domain.errors import InvalidInput

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Nuuk",
    "Pacific/Apia", "Africa/Casablanca", "Pacific/Kiritimati", "America/Santiago",
]  # fmt: skip


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def dues(cron: str, zone: str, since: datetime, days: int) -> list[tuple[str, str]]:
    """Local dates and UTC moments, as text."""
    return [
        (f"{due.night}", f"{due.due_at:%m-%d %H:%M}")
        for due in nights_due(cron, zone, since, since + timedelta(days=days))
    ]


def test_a_night_bears_the_date_of_where_the_schedule_lives() -> None:
    assert dues("0 2 * * *", "Asia/Tokyo", utc(2026, 5, 1), 2) == [
        ("2026-05-02", "05-01 17:00"),
        ("2026-05-03", "05-02 17:00"),
    ]
    assert local_date("Asia/Tokyo", utc(2026, 5, 1, 15)) == date(2026, 5, 2)


def test_a_time_that_the_clock_skips_comes_due_when_it_goes_on() -> None:
    """In Berlin, 02:00 to 03:00 does not exist on 29 March 2026."""
    assert dues("30 2 * * *", "Europe/Berlin", utc(2026, 3, 27, 12), 3) == [
        ("2026-03-28", "03-28 01:30"),
        ("2026-03-29", "03-29 01:00"),
        ("2026-03-30", "03-30 00:30"),
    ]


def test_a_time_that_the_clock_shows_twice_comes_due_once() -> None:
    """In New York, 01:30 comes twice on 1 November 2026; the first is in daylight time."""
    assert dues("30 1 * * *", "America/New_York", utc(2026, 10, 30, 12), 3) == [
        ("2026-10-31", "10-31 05:30"),
        ("2026-11-01", "11-01 05:30"),
        ("2026-11-02", "11-02 06:30"),
    ]


def test_a_night_that_ends_its_day_in_a_gap_keeps_its_date() -> None:
    """In Nuuk the last hour of 28 March 2026 does not exist."""
    assert dues("30 23 * * *", "America/Nuuk", utc(2026, 3, 28, 12), 2) == [
        ("2026-03-28", "03-29 01:00"),
        ("2026-03-29", "03-30 00:30"),
    ]


def test_a_date_that_a_place_skips_has_no_night() -> None:
    """Samoa had no 30 December 2011."""
    nights = [night for night, _ in dues("0 2 * * *", "Pacific/Apia", utc(2011, 12, 28, 20), 3)]
    assert nights == ["2011-12-29", "2011-12-31", "2012-01-01"]


def test_the_end_of_a_span_counts_and_its_beginning_does_not() -> None:
    two, day = utc(2026, 5, 1, 2), timedelta(days=1)
    assert nights_due("0 2 * * *", "UTC", two, two) == []
    assert [due.due_at for due in nights_due("0 2 * * *", "UTC", two, two + day)] == [two + day]


def test_the_next_night_lies_after_now_and_after_the_last_one() -> None:
    now = utc(2026, 5, 1, 12)
    for after, expected in [(None, 2), (date(2026, 5, 1), 2), (date(2026, 5, 2), 3), (date(2026, 5, 9), 10)]:
        due = next_due("0 2 * * *", "UTC", now, after)
        assert due is not None
        assert due.night == date(2026, 5, expected)


def test_the_next_night_is_found_from_any_date_at_once() -> None:
    due = next_due("0 2 29 2 *", "Pacific/Kiritimati", utc(2026, 1, 1), date(2199, 12, 31))
    assert due is not None
    assert due.night == date(2204, 2, 29)


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("* * * * *", "comes due 1440 times a day"),
        ("*/30 2 * * *", "comes due 2 times a day"),
        ("0 */6 * * *", "comes due 4 times a day"),
        ("0 2 30 2 *", "can't be used: bad day-of-month"),
        ("0 0 2 * * *", "wrong number of fields"),
        ("", "wrong number of fields"),
        ("daily", "wrong number of fields"),
        ("0 24 * * *", "bad hour"),
        ("0 2 * * FREITAG", "bad day-of-week"),
        ("0 2 * * *\x00", "bad day-of-week"),
    ],
)
def test_an_expression_that_makes_no_nights_is_refused(cron: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_calendar(cron, "UTC")
    assert refused.value.field == "cron"
    assert problem in refused.value.problem
    assert "such as 0 2 * * *" in refused.value.remedy


@pytest.mark.parametrize(
    "cron", ["0 2 * * *", "*/60 2 * * *", "0 2 * * MON-FRI", "0 4 1 * *", "0 2 29 2 *", "0 2 L * *"]
)
def test_an_expression_with_one_time_a_day_is_taken(cron: str) -> None:
    check_calendar(cron, "Europe/Berlin")


@pytest.mark.parametrize(
    "zone", ["", "Mars/Base", "../etc/passwd", "/etc/localtime", "Europe", "localtime", "\x00"]
)
def test_a_place_without_a_clock_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_calendar("0 2 * * *", zone)
    assert refused.value.field == "time_zone"
    assert "such as Europe/Berlin" in refused.value.remedy


@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(ZONES),
    since=st.datetimes(datetime(2011, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    days=st.integers(1, 400),
)
def test_a_daily_schedule_has_one_night_on_each_local_date(
    hour: int, minute: int, zone: str, since: datetime, days: int
) -> None:
    until = since + timedelta(days=days)
    found = nights_due(f"{minute} {hour} * * *", zone, since, until)
    nights = [due.night for due in found]
    assert all(earlier < later for earlier, later in pairwise(nights))
    moments = [since, *(due.due_at for due in found), until]
    assert moments == sorted(moments)
    assert len(set(moments[1:-1])) == len(found)
    for due in found:
        there = due.due_at.astimezone(ZoneInfo(zone))
        assert timedelta(0) <= there.replace(tzinfo=None) - datetime.combine(due.night, datetime.min.time())
        assert abs(there.date() - due.night) <= timedelta(days=1)
    # A date without a night is one that the place never had.
    every = {since.date() + timedelta(days=day) for day in range(2, days - 1)}
    assert every - set(nights) <= {date(2011, 12, 30)}


@given(
    cron=st.from_regex(
        r"[0-9]{1,2} [0-9]{1,2} [0-9*/,L-]{1,6} [0-9*/,-]{1,6} [0-7*/,#L-]{1,6}", fullmatch=True
    ),
    now=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES),
)
def test_whatever_is_taken_comes_due_on_rising_dates(cron: str, now: datetime, zone: str) -> None:
    try:
        check_calendar(cron, zone)
    except InvalidInput:
        return
    due, last = next_due(cron, zone, now), None
    for _ in range(5):
        assert due is not None
        assert due.due_at > now
        assert last is None or due.night > last
        last = due.night
        due = next_due(cron, zone, now, last)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_taken_or_refused(cron: str, zone: str) -> None:
    with suppress(InvalidInput):
        check_calendar(cron, zone)
