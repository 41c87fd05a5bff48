"""When the week's digest is due, and what a channel is told of it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.telling.digest import last_due, narrow
from shared.domain.telling.routing import MinSeverity, Routing
from tests.unit.test_messages import WEEK


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        (datetime(2026, 1, 12, 6, 59, tzinfo=UTC), date(2026, 1, 5)),
        (datetime(2026, 1, 12, 7, 0, tzinfo=UTC), date(2026, 1, 12)),
        (datetime(2026, 1, 18, 23, 0, tzinfo=UTC), date(2026, 1, 12)),
    ],
)
def test_the_digest_is_due_on_monday_at_seven(now: datetime, monday: date) -> None:
    assert last_due(now)[0] == monday


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_it_is_never_due_in_the_future_nor_a_week_ago(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    monday, due = last_due(now)
    assert monday.weekday() == 0
    assert timedelta() <= now - due < timedelta(days=7)


def test_a_channel_is_told_of_its_models_and_suites_alone() -> None:
    assert narrow(WEEK, Routing(MinSeverity.CRITICAL)) == WEEK
    assert narrow(WEEK, Routing(suites=["other"])).schedules == ()
    assert narrow(WEEK, Routing(suites=["other"])).incidents == ()
    small = narrow(WEEK, Routing(models=["atlas-small"]))
    assert [one.model for one in small.schedules[0].models] == ["atlas-small"]
    assert small.incidents == ()
