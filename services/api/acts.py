"""What people do about incidents: each act with all that follows from it, in the caller's transaction.

Who acts holds the schedule's lock, as the scheduler does when it sees a night: of two people who act at once
the second is told what the first has done.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Any
from uuid import UUID

from services.api.decisions import Decider, read_seen, refold
from services.api.desk import Desk
from services.api.problems import NotFound, Problem
from shared.announcements import announce
from shared.db import audit, incidents, schedules, sequences
from shared.db.incidents import Incident, MonitorRow
from shared.db.pool import Connection
from shared.db.sequences import Place
from shared.detecting import SequenceAt
from shared.domain.drift.detections import Subject
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId
from shared.domain.telling.incidents import (
    CLOSING_EVENT,
    Act,
    EventKind,
    Monitor,
    MonitorState,
    Signal,
    Status,
    move,
)

UNMEASURED = "coverage"  # the stream of an incident about missing data
_EVENTS = {Act.ACKNOWLEDGE: EventKind.ACKNOWLEDGED, **CLOSING_EVENT}
_HOW_CLOSED = {
    "resolved": "{by} resolved it",
    "dismissed": "{by} dismissed it as a false alarm",
    "baseline_accepted": "{by} accepted a new baseline",
    "recovered": "it recovered by itself",
    "outage_over": "the outage was over",
    "left": "the schedule asks the model no more",
}


class IncidentClosed(Problem):
    status, title = HTTPStatus.CONFLICT, "Incident closed"


class NoNewBaseline(Problem):
    status, title = HTTPStatus.CONFLICT, "No new baseline"


def list_possible_acts(incident: Incident) -> Sequence[Act]:
    """What can be done about an incident as it stands."""
    if incident.status is Status.CLOSED:
        return []
    impossible = {
        Act.ACKNOWLEDGE: incident.status is Status.ACKNOWLEDGED,
        Act.ACCEPT_BASELINE: _why_no_baseline(incident) is not None,
    }
    return [act for act in Act if not impossible.get(act)]


async def acknowledge(connection: Connection, incident_id: UUID, decider: Decider) -> None:
    """Say that someone looks after an incident: reminders stop. A second time changes nothing.

    Raises:
        NotFound, IncidentClosed
    """
    incident = await _hold(connection, incident_id)
    if await incidents.acknowledge_incident(connection, incident.id):
        await _record(connection, incident, Act.ACKNOWLEDGE, decider, {})


async def close(connection: Connection, incident_id: UUID, act: Act, decider: Decider) -> None:
    """Resolve or dismiss an incident.

    Raises:
        NotFound, IncidentClosed
    """
    await _close(connection, await _hold(connection, incident_id), act, decider, {})


async def accept_baseline(
    connection: Connection, desk: Desk, incident_id: UUID, decider: Decider, night: date | None = None
) -> None:
    """Take a model as it is since the incident's change, or since `night`, for its new normal.

    Raises:
        NotFound, IncidentClosed
        NoNewBaseline: the incident is not about a model's answers, or its change is not dated any more.
        InvalidInput: that night did not ask the model; the field is `night`.
    """
    incident = await _hold(connection, incident_id)
    reason = _why_no_baseline(incident)
    if reason is not None:
        raise NoNewBaseline(reason)
    before = await read_seen(connection, desk, incident.schedule_id)
    assert before is not None, "an entry has opened the incident"
    if night is None:
        first = _find_change(before, incident)
    else:
        first = await _find_night(connection, before, incident.model, night)
    await sequences.store_act(
        connection, incident.schedule_id, incident.model, "accept_baseline", first.run_id,
        decider.name, decider.note,
    )  # fmt: skip
    await refold(connection, desk, before, incident.model)
    facts = {"night": str(first.night), "run": str(first.run_id)}
    await _close(connection, incident, Act.ACCEPT_BASELINE, decider, facts)


def _why_no_baseline(incident: Incident) -> str | None:
    """Why an incident can't end with a new baseline; None if it can."""
    match incident.subject:
        case Subject.JUDGE:
            return "The judge has no baseline of its own: resolve the incident, or name another judge."
        case Subject.HARNESS:
            return "The controls are compared with the night before: resolve it once they hold still."
        case Subject.MODEL if incident.findings.get("stream") == UNMEASURED:
            return "Too little was measured to be a baseline: resolve the incident, or wait for answers."
        case Subject.MODEL:
            return None


def _find_change(sequence: SequenceAt, incident: Incident) -> Place:
    run = incident.findings.get("change_run")
    number = sequence.place_of(RunId(UUID(run))) if run else None
    if number is None:
        raise NoNewBaseline("The night of the change is not known any more: name the night to begin with.")
    return sequence.places[number - 1]


async def _find_night(connection: Connection, sequence: SequenceAt, model: str, night: date) -> Place:
    """The first entry of that night that asked the model."""
    there = [place for place in sequence.places if place.night == night]
    asked = await sequences.list_asked(connection, [place.run_id for place in there])
    first = next((place for place in there if model in asked[place.run_id]), None)
    if first is None:
        raise InvalidInput(
            "night",
            f"{night} has not measured {model!r}.",
            "GET /drift/history lists the nights that have.",
        )
    return first


async def _hold(connection: Connection, incident_id: UUID) -> Incident:
    """Lock an open incident, and before it its schedule, as the scheduler does."""
    known = await incidents.find_incident(connection, incident_id)
    if known is None:
        raise NotFound(f"There is no incident {incident_id}.")
    await schedules.lock_schedule(connection, known.schedule_id)
    incident = await incidents.find_incident(connection, incident_id, lock=True)
    assert incident is not None, "incidents are not deleted"
    if incident.status is Status.CLOSED:
        raise IncidentClosed(await _tell_closed(connection, incident))
    return incident


async def _tell_closed(connection: Connection, incident: Incident) -> str:
    events = await incidents.list_events(connection, incident.id)
    last = next((event for event in reversed(events) if event.kind == incident.resolution), None)
    if last is None:
        return "The incident is closed already."
    how = _HOW_CLOSED[last.kind].format(by=last.by)
    note = f" Note: {last.note}" if last.note else ""
    return f"The incident is closed already: {how} on {last.at:%Y-%m-%d %H:%M} UTC.{note}"


async def _close(
    connection: Connection, incident: Incident, act: Act, decider: Decider, facts: Mapping[str, Any]
) -> None:
    await incidents.close_incident(connection, incident.id, CLOSING_EVENT[act], decider.now)
    key = incident.subject, incident.model
    states = {
        (row.subject, row.model): row.state
        for row in await incidents.list_monitors(connection, incident.schedule_id)
    }
    monitor = Monitor(*key, states.get(key, MonitorState.ALERT), has_open_incident=True)
    after = MonitorRow(*key, move(monitor, Signal.CLOSED).after)
    await incidents.store_monitor(connection, incident.schedule_id, after, run_id=None)
    await _record(connection, incident, act, decider, facts)


async def _record(
    connection: Connection, incident: Incident, act: Act, decider: Decider, facts: Mapping[str, Any]
) -> None:
    kind = _EVENTS[act]
    await announce(connection, incident.id, kind, None, decider.now, decider.name, decider.note, facts)
    about = {"schedule": incident.schedule, "model": incident.model, "note": decider.note, **facts}
    await audit.record(connection, decider.name, f"incident.{kind}", str(incident.id), about)
