"""When a schedule's nights come due: a cron expression in a time zone, at most once on a local date."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from shared.domain.errors import InvalidInput

CRON_EXAMPLE = "Write five fields, such as 0 2 * * * (every day at 02:00) or 30 4 * * SUN (Sundays at 04:30)."
ZONE_EXAMPLE = "Write a name of the IANA database, such as Europe/Berlin, or UTC."
MINUTE = timedelta(minutes=1)
OF_THIS_MACHINE = ("localtime", "posixrules", "Factory")


@dataclass(frozen=True, slots=True)
class DueNight:
    """A night, by its local date, and the moment (UTC) at which it comes due."""

    night: date
    due_at: datetime


def check_calendar(cron: str, time_zone: str) -> None:
    """Check that an expression comes due now and then, and never twice on a local date.

    Raises:
        InvalidInput: for `cron` or `time_zone`.
    """
    _find_zone(time_zone)
    try:
        expression = CronSim(cron, datetime(2000, 1, 1))
        if len(cron.split()) != 5:
            raise CronSimError("Wrong number of fields")
        next(expression)
    except CronSimError as error:
        raise InvalidInput("cron", f"{cron!r} can't be used: {str(error).lower()}.", CRON_EXAMPLE) from None
    except StopIteration:
        raise InvalidInput("cron", f"{cron!r} never comes due.", CRON_EXAMPLE) from None
    times = len(expression.hours) * len(expression.minutes)
    if times > 1:
        problem = f"{cron!r} comes due {times} times a day; a schedule has one night for each date."
        raise InvalidInput("cron", problem, CRON_EXAMPLE)


def local_date(time_zone: str, now: datetime) -> date:
    """Today's date where the schedule lives."""
    return now.astimezone(_find_zone(time_zone)).date()


def nights_due(cron: str, time_zone: str, since: datetime, now: datetime) -> list[DueNight]:
    """The nights that came due after `since` and until `now`, oldest first."""
    return list(takewhile(lambda due: due.due_at <= now, _nights_from(cron, time_zone, since)))


def next_due(cron: str, time_zone: str, now: datetime, after: date | None = None) -> DueNight | None:
    """The first night that comes due after `now` and whose date lies after `after`; None: none ever."""
    since = now if after is None else max(now, datetime.combine(after, time(), UTC))
    nights = _nights_from(cron, time_zone, since)
    return next((due for due in nights if after is None or due.night > after), None)


def _nights_from(cron: str, time_zone: str, since: datetime) -> Iterator[DueNight]:
    """All nights that come due after `since`.

    The expression is read on the clock on the wall. A time that is skipped there comes due when the clock
    goes on, one that is shown twice comes due the first time, and a date that is skipped has no night.
    """
    zone = _find_zone(time_zone)
    start = since.astimezone(zone).replace(tzinfo=None) - timedelta(days=2)
    for on_the_wall in CronSim(cron, start):
        due_at = _first_moment(on_the_wall, zone)
        if due_at > since and not _is_skipped(datetime.combine(on_the_wall, time(12)), zone):
            yield DueNight(on_the_wall.date(), due_at)


def _first_moment(on_the_wall: datetime, zone: ZoneInfo) -> datetime:
    while _is_skipped(on_the_wall, zone):
        on_the_wall += MINUTE
    return on_the_wall.replace(tzinfo=zone).astimezone(UTC)


def _is_skipped(on_the_wall: datetime, zone: ZoneInfo) -> bool:
    there = on_the_wall.replace(tzinfo=zone)
    return there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != on_the_wall


def _find_zone(time_zone: str) -> ZoneInfo:
    with suppress(KeyError, ValueError, OSError):
        if time_zone not in OF_THIS_MACHINE:
            return ZoneInfo(time_zone)
    raise InvalidInput("time_zone", f"{time_zone!r} is no time zone.", ZONE_EXAMPLE)
