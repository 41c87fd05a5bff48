"""Incidents: what the watch saw becomes rows that people are told of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from services.scheduler.surroundings import look_around
from shared.announcements import announce, gather_alerts
from shared.db import incidents
from shared.db.incidents import Incident, MonitorRow
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.db.seen import WATCH
from shared.detecting import SequenceAt
from shared.domain.causes.blame import Cause
from shared.domain.causes.controls import ControlFinding
from shared.domain.drift.detections import Detection, Subject
from shared.domain.drift.fold import Decisions
from shared.domain.drift.history import History
from shared.domain.drift.sequence import Entry
from shared.domain.drift.watch import Sighting
from shared.domain.runs import RunId
from shared.domain.telling.cases import Case, Evidence, Task, examine, find_alarm, follow
from shared.domain.telling.findings import OUTAGE_PASSED, Findings
from shared.domain.telling.incidents import ENDED_BY_ITSELF, EventKind, Move
from shared.models import Catalogue

SHOWN_FLIPS = 10

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sight:
    """One entry that was seen, with all that is needed to tell people about it.

    `heard`: the sequence with all that the judge said of its anchors, which is more where an incident asked.
    """

    connection: Connection
    catalogue: Catalogue
    schedule: Schedule
    sequence: SequenceAt
    heard: SequenceAt
    entry: Entry
    sighting: Sighting
    controls: Mapping[str, ControlFinding]
    now: datetime

    @property
    def run_id(self) -> RunId:
        return self.sequence.places[-1].run_id


async def follow_up(sight: Sight, open_incidents: Sequence[Incident]) -> None:
    """Write where each watched thing stands now, and what befalls its incident."""
    known = {(one.subject, one.model): one for one in open_incidents}
    for move in sight.sighting.moves:
        monitor = MonitorRow(move.subject, move.model, move.after)
        await incidents.store_monitor(sight.connection, sight.schedule.id, monitor, sight.run_id)
        await _tell(sight, move, known.get((move.subject, move.model)))
    await gather_alerts(sight.connection, sight.run_id, sight.now)


async def _tell(sight: Sight, move: Move, incident: Incident | None) -> None:
    told = incident.findings if incident is not None else None
    case = Case(told["stream"], tuple(told["streams"])) if told is not None else None
    task = follow(move, sight.sighting.detections, case)
    if task is None:
        return
    findings = await _examine(sight, move, task, incident)
    if incident is None:
        assert findings is not None, "an incident opens with an alarm, or for lack of data"
        await _open(sight, move, findings)
        return
    if findings is not None:
        await incidents.update_findings(sight.connection, incident.id, findings)
    match task.event:
        case EventKind.JOINED:
            await incidents.note_told(sight.connection, incident.id, sight.now)
            await _record(sight, incident.id, EventKind.JOINED, {"streams": list(task.joined)})
        case EventKind.REMINDED:
            await incidents.note_told(sight.connection, incident.id, sight.now)
            await _record(sight, incident.id, EventKind.REMINDED, {})
        case EventKind() as event if event in ENDED_BY_ITSELF:
            await _close(sight, incident, event)


async def _open(sight: Sight, move: Move, findings: Findings) -> None:
    incident_id = await incidents.open_incident(
        sight.connection, sight.schedule.id, move.subject, move.model, findings, sight.run_id, sight.now
    )
    if incident_id is None:
        return
    await _record(sight, incident_id, EventKind.OPENED, {"headline": findings.headline})
    log.warning(
        "incident.opened", incident=str(incident_id), schedule=sight.schedule.name, model=move.model,
        cause=findings.cause, severity=findings.severity, headline=findings.headline,
    )  # fmt: skip


async def _close(sight: Sight, incident: Incident, event: EventKind) -> None:
    if event is EventKind.OUTAGE_OVER and incident.cause != Cause.OUTAGE:
        because = [OUTAGE_PASSED, *incident.findings["because"]]
        await incidents.restate_cause(sight.connection, incident.id, Cause.OUTAGE, because)
    if await incidents.close_incident(sight.connection, incident.id, event, sight.now):
        await _record(sight, incident.id, event, {})


async def _examine(sight: Sight, move: Move, task: Task, incident: Incident | None) -> Findings | None:
    """What is known about what moved; None if nothing more than before."""
    alarm = await _find_evidence(sight, move, task, incident)
    if alarm is None and incident is not None:
        return None
    around = await look_around(
        sight.connection, sight.catalogue, sight.sequence, sight.sighting.moves, sight.controls, move.model,
        alarm,
    )  # fmt: skip
    history = await _read_history(sight, move, alarm)
    findings = examine(move.subject, history, alarm, task.streams, around, is_new=incident is None)
    if findings is None or move.subject is not Subject.MODEL:
        return findings
    return replace(findings, answers=await _read_answers(sight, move.model, findings))


async def _find_evidence(sight: Sight, move: Move, task: Task, incident: Incident | None) -> Detection | None:
    match task.evidence:
        case Evidence.TONIGHT:
            return find_alarm(move, sight.sighting.detections)
        case Evidence.FORMER if incident is not None:
            told = incident.findings
            run_id = RunId(UUID(told["alarm_run"]))
            return await incidents.read_detection(
                sight.connection, sight.schedule.id, run_id, move.subject, move.model, told["stream"]
            )
        case _:
            return None


async def _read_history(sight: Sight, move: Move, alarm: Detection | None) -> History:
    """A model's entries, those of the judge without any model; this one alone where there is no alarm."""
    if alarm is None:
        return History(move.model, (sight.entry,), (Decisions(),))
    if move.subject is Subject.MODEL:
        return await sight.heard.history(sight.connection, move.model)
    entries = await sight.sequence.read(sight.connection, 1, len(sight.sequence.places), [])
    return History(move.model, tuple(entries), tuple(sight.sequence.decisions))


async def _read_answers(sight: Sight, model: str, findings: Findings) -> tuple[Mapping[str, Any], ...]:
    """The questions that flipped, with an answer from before the change and one from after it."""
    places = sight.sequence.places
    split = sight.sequence.place_of(RunId(UUID(findings.change_run))) if findings.change_run else None
    units = [one.unit for one in findings.questions[:SHOWN_FLIPS]]
    if not split or not units:
        return ()
    found = await incidents.read_flipped_answers(
        sight.connection, model, units,
        [place.scored_by for place in places[: split - 1]],
        [place.scored_by for place in places[split - 1 :]],
    )  # fmt: skip
    by_unit = {(one.unit, one.is_before): one for one in found}
    nights = {place.scored_by: place.night for place in places}
    told: list[Mapping[str, Any]] = []
    for unit in units:
        sides = {side: by_unit.get((unit, side == "before")) for side in ("before", "after")}
        shown = next((one for one in sides.values() if one is not None), None)
        if shown is not None:
            answers = {
                side: one and {
                    "run_id": str(one.run_id), "night": nights[one.run_id].isoformat(),
                    "response": one.response, "score": one.score, "reason": one.reason,
                }
                for side, one in sides.items()
            }  # fmt: skip
            told.append(
                {
                    "unit": unit,
                    "question": shown.question,
                    "input": shown.input,
                    "target": shown.target,
                    **answers,
                }
            )
    return tuple(told)


async def _record(sight: Sight, incident_id: UUID, kind: EventKind, facts: Mapping[str, Any]) -> None:
    await announce(sight.connection, incident_id, kind, sight.run_id, sight.now, WATCH, facts=facts)
