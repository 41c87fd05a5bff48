"""What the list of incidents shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from services.api.dashboard import numbers
from services.api.dashboard.views.incident import name_incident
from services.api.paging import BY_TIME
from shared.db import incidents
from shared.db.incidents import Incident
from shared.db.pool import Connection
from shared.domain.causes.blame import Cause
from shared.domain.telling.incidents import Status

SHOWN = 50
STATUSES = (("open", "open"), ("closed", "closed"), ("all", "all"))


@dataclass(frozen=True, slots=True)
class IncidentRow:
    id: str
    name: str
    mark: str
    status: str
    subject: str
    model: str
    headline: str
    cause: str
    severity: str
    opened: str
    closed: str
    schedule: str


@dataclass(frozen=True, slots=True)
class IncidentList:
    """`chips`: the choices of a status with their addresses; `next`: the address of the next page."""

    rows: tuple[IncidentRow, ...]
    shown: str
    chips: tuple[tuple[str, str], ...]
    next: str


async def list_incidents(
    connection: Connection, shown: str, model: str | None, cursor: str | None
) -> IncidentList:
    wanted = {"open": [Status.OPEN, Status.ACKNOWLEDGED], "closed": [Status.CLOSED]}.get(shown)
    found = await incidents.list_incidents(
        connection, status=wanted, model=model, before=BY_TIME.read(cursor), limit=SHOWN + 1
    )
    page, after = BY_TIME.cut(found, SHOWN, lambda one: (one.opened_at, one.id))
    kept = {"model": model} if model else {}
    chips = tuple((name, f"/incidents?{urlencode({**kept, 'status': value})}") for value, name in STATUSES)
    onward = f"/incidents?{urlencode({**kept, 'status': shown, 'cursor': after})}" if after else ""
    return IncidentList(describe_incidents(page), shown, chips, onward)


def describe_incidents(found: Sequence[Incident]) -> tuple[IncidentRow, ...]:
    return tuple(
        IncidentRow(
            str(one.id), name_incident(one.id), _mark(one), _status(one), one.subject, one.model,
            one.headline, one.cause, one.severity, numbers.moment(one.opened_at),
            numbers.moment(one.closed_at) if one.closed_at else "", one.schedule,
        )
        for one in found
    )  # fmt: skip


def _mark(one: Incident) -> str:
    if one.cause == Cause.OUTAGE:
        return "outage"
    if one.status is Status.CLOSED:
        return "steady"
    return "judge" if one.cause == Cause.JUDGE else "drifting"


def _status(one: Incident) -> str:
    return (
        f"Closed, {(one.resolution or '').replace('_', ' ')}"
        if one.status is Status.CLOSED
        else one.status.capitalize()
    )
