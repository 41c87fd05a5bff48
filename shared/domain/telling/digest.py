"""The weekly digest: when it is due, and what of it a channel is told."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from shared.domain.drift.detections import Subject
from shared.domain.telling.alerts import Weekly
from shared.domain.telling.routing import Routing

WEEK = timedelta(days=7)
DUE_AT = time(7, tzinfo=UTC)  # on Mondays


def last_due(now: datetime) -> tuple[date, datetime]:
    """The Monday whose digest came due last, and the moment when it did: it tells of the week before."""
    today = now.astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    if now < datetime.combine(monday, DUE_AT):
        monday -= WEEK
    return monday, datetime.combine(monday, DUE_AT)


def narrow(week: Weekly, routing: Routing) -> Weekly:
    """What a channel is told of a week: its models and suites; severity does not matter here."""

    def wants(name: str, wanted: Collection[str] | None) -> bool:
        return wanted is None or name in wanted

    schedules = (
        replace(one, models=tuple(model for model in one.models if wants(model.model, routing.models)))
        for one in week.schedules
        if wants(one.suite, routing.suites)
    )
    incidents = (
        one
        for one in week.incidents
        if wants(one.suite, routing.suites)
        and (one.subject is not Subject.MODEL or wants(one.model, routing.models))
    )
    return replace(week, schedules=tuple(one for one in schedules if one.models), incidents=tuple(incidents))
