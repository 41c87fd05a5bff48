"""Incidents, what befell them, and where each watched thing stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from shared.db.pool import Connection
from shared.domain.causes.blame import Cause
from shared.domain.drift.detections import Dated, Detection, Outcome, Subject
from shared.domain.runs import RunId
from shared.domain.telling.findings import Findings
from shared.domain.telling.incidents import EventKind, MonitorState, Status


@dataclass(frozen=True, slots=True)
class Incident:
    id: UUID
    schedule_id: int
    schedule: str
    suite: str
    subject: Subject
    model: str
    status: Status
    resolution: str | None
    cause: str
    severity: str
    headline: str
    findings: Mapping[str, Any]
    opened_run: RunId
    opened_at: datetime
    told_at: datetime
    closed_at: datetime | None

    @property
    def changed_on(self) -> date | None:
        """The first changed night that its findings name; None for one that is about missing data."""
        since = self.findings.get("since")
        return None if since is None or self.cause == Cause.OUTAGE else date.fromisoformat(since)

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "Incident":
        return cls(**{**row, "subject": Subject(row["subject"]), "status": Status(row["status"])})


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """What befell an incident. `run_id`: the entry that led to it, None for a person's act."""

    id: int
    kind: EventKind
    run_id: RunId | None
    at: datetime
    by: str
    note: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MonitorRow:
    subject: Subject
    model: str
    state: MonitorState


@dataclass(frozen=True, slots=True)
class FlippedAnswer:
    """One answer to a question that flipped, with what was said of it."""

    unit: str
    is_before: bool
    run_id: RunId
    question: str
    input: str
    target: str
    response: str | None
    score: float | None
    passed: bool | None
    reason: str | None


_INCIDENT = """
    SELECT i.id, i.schedule_id, s.name AS schedule, s.suite, i.subject, i.model, i.status, i.resolution,
           i.cause, i.severity, i.headline, i.findings, i.opened_run, i.opened_at, i.told_at, i.closed_at
    FROM incidents i JOIN schedules s ON s.id = i.schedule_id
"""


async def list_monitors(connection: Connection, schedule_id: int) -> list[MonitorRow]:
    rows = await connection.fetch(
        "SELECT subject, model, state FROM monitors WHERE schedule_id = $1 ORDER BY subject, model",
        schedule_id,
    )
    return [MonitorRow(Subject(row["subject"]), row["model"], MonitorState(row["state"])) for row in rows]


async def store_monitor(
    connection: Connection, schedule_id: int, monitor: MonitorRow, run_id: RunId | None
) -> None:
    """Store where a watched thing stands after an entry, or after a person's act (no run)."""
    await connection.execute(
        """
        INSERT INTO monitors AS m (schedule_id, subject, model, state, since_run, last_run)
        VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (schedule_id, subject, model) DO UPDATE SET state = excluded.state,
            since_run = CASE WHEN m.state = excluded.state THEN m.since_run ELSE excluded.since_run END,
            last_run = coalesce(excluded.last_run, m.last_run)
        """,
        schedule_id, monitor.subject, monitor.model, monitor.state, run_id,
    )  # fmt: skip


async def open_incident(
    connection: Connection,
    schedule_id: int,
    subject: Subject,
    model: str,
    findings: Findings,
    run_id: RunId,
    now: datetime,
) -> UUID | None:
    """Open an incident; None when this entry has opened it before, or another one is open."""
    opened: UUID | None = await connection.fetchval(
        """
        INSERT INTO incidents (id, schedule_id, subject, model, cause, severity, headline, findings,
                               opened_run, opened_at, told_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        uuid4(), schedule_id, subject, model, findings.cause, findings.severity, findings.headline,
        findings.as_json(), run_id, now,
    )  # fmt: skip
    return opened


async def update_findings(connection: Connection, incident_id: UUID, findings: Findings) -> None:
    """Write what is known by now about an open incident."""
    await connection.execute(
        "UPDATE incidents SET cause = $2, severity = $3, headline = $4, findings = $5"
        " WHERE id = $1 AND status <> 'closed'",
        incident_id, findings.cause, findings.severity, findings.headline, findings.as_json(),
    )  # fmt: skip


async def close_incident(connection: Connection, incident_id: UUID, resolution: str, now: datetime) -> bool:
    status = await connection.execute(
        "UPDATE incidents SET status = 'closed', resolution = $2, closed_at = $3"
        " WHERE id = $1 AND status <> 'closed'",
        incident_id, resolution, now,
    )  # fmt: skip
    return bool(status == "UPDATE 1")


async def acknowledge_incident(connection: Connection, incident_id: UUID) -> bool:
    status = await connection.execute(
        "UPDATE incidents SET status = 'acknowledged' WHERE id = $1 AND status = 'open'", incident_id
    )
    return bool(status == "UPDATE 1")


async def restate_cause(
    connection: Connection, incident_id: UUID, cause: str, because: Sequence[str]
) -> None:
    """Put another cause, with its reasons, in the place of the one that an open incident was told with."""
    await connection.execute(
        """
        UPDATE incidents SET cause = $2,
            findings = findings || jsonb_build_object('cause', $2::text, 'because', $3::jsonb)
        WHERE id = $1 AND status <> 'closed'
        """,
        incident_id, cause, list(because),
    )  # fmt: skip


async def note_told(connection: Connection, incident_id: UUID, now: datetime) -> None:
    await connection.execute("UPDATE incidents SET told_at = $2 WHERE id = $1", incident_id, now)


async def record_event(
    connection: Connection,
    incident_id: UUID,
    kind: EventKind,
    run_id: RunId | None,
    now: datetime,
    by: str,
    note: str = "",
    facts: Mapping[str, Any] | None = None,
) -> int | None:
    """Note what befell an incident, for `announce` to tell; None if it is noted of this entry already."""
    event_id: int | None = await connection.fetchval(
        "INSERT INTO incident_events (incident_id, kind, run_id, at, by, note, facts)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id",
        incident_id, kind, run_id, now, by, note, facts or {},
    )  # fmt: skip
    return event_id


async def list_open_incidents(connection: Connection, schedule_id: int) -> list[Incident]:
    rows = await connection.fetch(
        _INCIDENT + "WHERE i.schedule_id = $1 AND i.status <> 'closed' ORDER BY i.opened_at, i.id",
        schedule_id,
    )
    return [Incident.from_row(row) for row in rows]


async def count_open_incidents(connection: Connection) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM incidents WHERE status <> 'closed'")
    return count


async def find_incident(connection: Connection, incident_id: UUID, *, lock: bool = False) -> Incident | None:
    row = await connection.fetchrow(
        _INCIDENT + "WHERE i.id = $1" + (" FOR UPDATE OF i" if lock else ""), incident_id
    )
    return Incident.from_row(row) if row else None


async def list_incidents(
    connection: Connection,
    *,
    status: Sequence[str] | None = None,
    schedule: str | None = None,
    model: str | None = None,
    ids: tuple[UUID, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Incident]:
    """List incidents, newest first, from just after the cursor `before` on; `ids`: a range, ends included."""
    rows = await connection.fetch(
        _INCIDENT
        + """
        WHERE ($1::text[] IS NULL OR i.status = ANY ($1))
          AND ($2::text IS NULL OR s.name = $2) AND ($3::text IS NULL OR i.model = $3)
          AND ($4::timestamptz IS NULL OR (i.opened_at, i.id) < ($4, $5))
          AND ($6::uuid IS NULL OR i.id BETWEEN $6 AND $7)
        ORDER BY i.opened_at DESC, i.id DESC LIMIT $8
        """,
        status, schedule, model, *(before or (None, None)), *(ids or (None, None)), limit,
    )  # fmt: skip
    return [Incident.from_row(row) for row in rows]


async def list_events(connection: Connection, incident_id: UUID) -> list[IncidentEvent]:
    """What befell an incident, oldest first."""
    rows = await connection.fetch(
        "SELECT id, kind, run_id, at, by, note, facts FROM incident_events"
        " WHERE incident_id = $1 ORDER BY id",
        incident_id,
    )
    return [IncidentEvent(**{**row, "kind": EventKind(row["kind"])}) for row in rows]


async def read_detection(
    connection: Connection, schedule_id: int, run_id: RunId, subject: Subject, model: str, stream: str
) -> Detection | None:
    """The detection behind an alarm, at its present place; None where the fold has none any longer."""
    row = await connection.fetchrow(
        """
        SELECT d.*, b.sequence AS best, e.sequence AS earliest, l.sequence AS latest
        FROM detections d
        LEFT JOIN sequence_entries b ON b.schedule_id = d.schedule_id AND b.run_id = d.change_run
        LEFT JOIN sequence_entries e ON e.schedule_id = d.schedule_id AND e.run_id = d.change_earliest
        LEFT JOIN sequence_entries l ON l.schedule_id = d.schedule_id AND l.run_id = d.change_latest
        WHERE d.schedule_id = $1 AND d.run_id = $2 AND d.subject = $3 AND d.model = $4 AND d.stream = $5
          AND d.outcome = 'alarm'
        """,
        schedule_id, run_id, subject, model, stream,
    )  # fmt: skip
    if row is None:
        return None
    return Detection(
        row["sequence"], subject, model, stream, Outcome(row["outcome"]), row["z_low"], row["z_high"],
        row["overdispersion"], row["log_worse"], row["log_better"], row["log_watch"], row["log_alarm"],
        Dated(row["best"], row["earliest"], row["latest"]) if row["best"] else None,
    )  # fmt: skip


async def read_flipped_answers(
    connection: Connection,
    model: str,
    units: Sequence[str],
    before: Sequence[RunId],
    after: Sequence[RunId],
) -> list[FlippedAnswer]:
    """For each unit, the last passing answer of the runs before and the last failing one of those after."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (q.unit, is_before)
               q.unit, p.run_id = ANY ($3) AS is_before, p.run_id, q.key AS question, q.input, q.target,
               p.response, p.score, p.passed, p.reason
        FROM pairs p JOIN questions q ON q.id = p.question_id
        WHERE p.model = $1 AND q.unit = ANY ($2) AND p.passed = (p.run_id = ANY ($3))
          AND p.run_id = ANY ($3::uuid[] || $4::uuid[])
        ORDER BY q.unit, is_before, array_position($3::uuid[] || $4::uuid[], p.run_id) DESC, p.repeat
        """,
        model, units, before, after,
    )  # fmt: skip
    return [FlippedAnswer(**row) for row in rows]
