"""Where each watched thing stands after its last entry, with the numbers behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from shared.db.pool import Connection
from shared.domain.drift.detections import Outcome, Subject
from shared.domain.runs import RunId
from shared.domain.telling.incidents import MonitorState


@dataclass(frozen=True, slots=True)
class MeasuredAccuracy:
    """Shares from 0 to 1 over `n` questions; `detectable_difference`: the drop that one more run would show
    in 8 of 10 cases.
    """

    value: float
    lower: float
    upper: float
    n: int
    detectable_difference: float | None


@dataclass(frozen=True, slots=True)
class Lead:
    """The stream nearest to its alarm, on the last entry. `log_ratio`: its evidence over the threshold."""

    stream: str
    outcome: Outcome
    log_ratio: float
    overdispersion: float


@dataclass(frozen=True, slots=True)
class OpenIncident:
    id: UUID
    headline: str
    stream: str
    evidence_ratio: float | None


@dataclass(frozen=True, slots=True)
class StandingRow:
    """One watched thing. `since_night` is None where a person's act, not a night, brought the state."""

    schedule: str
    subject: Subject
    model: str
    state: MonitorState
    since_night: date | None
    last_night: date | None
    lead: Lead | None
    accuracy: MeasuredAccuracy | None
    incident: OpenIncident | None


async def list_standings(
    connection: Connection,
    *,
    schedule: str | None = None,
    model: str | None = None,
    stream: str | None = None,
) -> list[StandingRow]:
    """All that is watched, by schedule; of a stream, only what has it.

    A model or judge that the schedule's newest night did not ask is not watched any more, unless an incident
    about it is open.
    """
    rows = await connection.fetch(_STANDINGS, schedule, model, stream)
    return [_as_standing(row) for row in rows]


_STANDINGS = """
    SELECT m.schedule, m.subject, m.model, m.state, since.night AS since_night, last.night AS last_night,
           d.stream, d.outcome, d.log_ratio, d.overdispersion,
           a.accuracy, a.accuracy_lower, a.accuracy_upper, a.questions, a.detectable_difference,
           m.incident_id, m.headline, m.findings->>'stream' AS incident_stream,
           (m.findings->>'evidence_ratio')::float8 AS incident_ratio
    FROM standings m
    LEFT JOIN runs since ON since.id = m.since_run
    LEFT JOIN runs last ON last.id = m.last_run
    LEFT JOIN counted_runs c ON c.run_id = m.last_run
    LEFT JOIN LATERAL (
        SELECT stream, outcome, overdispersion, log_ratio FROM stream_evidence
        WHERE schedule_id = m.schedule_id AND subject = m.subject AND model = m.model
          AND ($3::text IS NULL OR stream = $3)
        ORDER BY log_ratio DESC, stream LIMIT 1
    ) d ON true
    LEFT JOIN run_aggregates a ON a.run_id = c.scored_by_run AND m.subject = 'model'
        AND a.model = m.model
        AND a.category = CASE WHEN $3 LIKE 'category:%' THEN substr($3, 10) ELSE 'all' END
    WHERE ($1::text IS NULL OR m.schedule = $1) AND ($2::text IS NULL OR m.model = $2)
      AND ($3::text IS NULL OR d.stream IS NOT NULL)
    ORDER BY m.schedule, m.subject DESC, m.model
"""


def _as_standing(row: asyncpg.Record) -> StandingRow:
    lead = (
        Lead(row["stream"], Outcome(row["outcome"]), row["log_ratio"], row["overdispersion"])
        if row["stream"] is not None
        else None
    )
    incident = (
        OpenIncident(row["incident_id"], row["headline"], row["incident_stream"], row["incident_ratio"])
        if row["incident_id"] is not None
        else None
    )
    return StandingRow(
        row["schedule"], Subject(row["subject"]), row["model"], MonitorState(row["state"]),
        row["since_night"], row["last_night"], lead, _as_accuracy(row), incident,
    )  # fmt: skip


async def read_accuracies(
    connection: Connection, run_ids: Sequence[RunId], model: str, category: str
) -> dict[RunId, tuple[float, MeasuredAccuracy | None]]:
    """Coverage and accuracy of a model in runs that are finished; `category` may be "all"."""
    rows = await connection.fetch(
        "SELECT run_id, coverage, accuracy, accuracy_lower, accuracy_upper, questions, detectable_difference"
        " FROM run_aggregates WHERE run_id = ANY ($1) AND model = $2 AND category = $3",
        run_ids, model, category,
    )  # fmt: skip
    return {row["run_id"]: (row["coverage"], _as_accuracy(row)) for row in rows}


def _as_accuracy(row: Any) -> MeasuredAccuracy | None:
    if row["accuracy"] is None:
        return None
    return MeasuredAccuracy(
        row["accuracy"], row["accuracy_lower"], row["accuracy_upper"], row["questions"],
        row["detectable_difference"],
    )  # fmt: skip
