"""A schedule's nights as they were measured, added up: no pair is read, except for the hardest questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from shared.db.pool import Connection
from shared.domain.drift.budget import Budget
from shared.domain.drift.detections import Outcome, Subject
from shared.domain.runs import RunId

MOST_NIGHTS = 400
MOST_PAIRS = 30_000  # what the hardest questions are looked for in


@dataclass(frozen=True, slots=True)
class MeasuredNight:
    """One model on one night in one category, or in "all". None: not measured, or not known.

    `is_set_aside`: someone, or the watch, decided that the night says nothing about the model.
    """

    night: date
    run_id: RunId
    finished_at: datetime
    model: str
    planned: int
    answered: int
    scored: int
    coverage: float
    accuracy: float | None
    accuracy_lower: float | None
    accuracy_upper: float | None
    detectable_difference: float | None
    perfect: int
    partial: int
    failed: int
    unscored: int
    latency_mean_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    cost_usd: Decimal | None
    judge_cost_usd: Decimal | None
    errors: Mapping[str, int]
    is_set_aside: bool


async def find_last_measured_night(connection: Connection, schedule_id: int) -> tuple[date, Budget] | None:
    """The last completed night of a schedule, or of the history linked to it, and the budget it had."""
    row = await connection.fetchrow(
        "SELECT night, watched_models, nights_per_false_alarm FROM sequence_entries"
        " WHERE schedule_id = $1 ORDER BY sequence DESC LIMIT 1",
        schedule_id,
    )
    return (row["night"], Budget(row["watched_models"], row["nights_per_false_alarm"])) if row else None


async def list_measured_nights(
    connection: Connection, schedule_id: int, *, category: str, since: date, model: str | None = None
) -> list[MeasuredNight]:
    """What each model came to on each night since a date, its first entry of each; at most 400 nights."""
    rows = await connection.fetch(
        f"""
        SELECT DISTINCT ON (e.night, a.model) e.night, e.run_id, r.finished_at, a.model, a.planned,
               a.answered, a.scored, a.coverage, a.accuracy, a.accuracy_lower, a.accuracy_upper,
               a.detectable_difference, a.perfect, a.partial, a.failed, a.unscored, a.latency_mean_seconds,
               a.latency_p50_seconds, a.latency_p95_seconds, a.cost_usd, a.judge_cost_usd, a.errors,
               q.id IS NOT NULL AS is_set_aside
        FROM sequence_entries e
        JOIN runs r ON r.id = e.run_id
        JOIN run_aggregates a ON a.run_id = e.scored_by_run AND a.category = $2
        LEFT JOIN acts q ON q.schedule_id = e.schedule_id AND q.run_id = e.run_id AND q.model = a.model
                        AND q.kind = 'quarantine'
        WHERE e.schedule_id = $1 AND e.attempt = 0 AND ($4::text IS NULL OR a.model = $4)
          AND e.night >= $3
          AND e.night > (SELECT max(night) FROM sequence_entries WHERE schedule_id = $1) - {MOST_NIGHTS}
        ORDER BY e.night, a.model, e.sequence
        """,
        schedule_id,
        category,
        since,
        model,
    )
    return [MeasuredNight(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class EvidenceAt:
    """One stream on one entry. Evidence and thresholds are logarithms; `log_better` counts for the judge."""

    night: date
    sequence: int
    stream: str
    outcome: Outcome
    overdispersion: float
    log_worse: float
    log_better: float
    log_watch: float
    log_alarm: float
    took_part: bool


async def list_evidence(
    connection: Connection, schedule_id: int, subject: Subject, model: str, *, since: date
) -> list[EvidenceAt]:
    """The evidence of all streams of a model, entry by entry, since a night; those with a threshold."""
    rows = await connection.fetch(
        """
        SELECT coalesce(r.night, (r.created_at AT TIME ZONE 'UTC')::date) AS night, d.sequence, d.stream,
               d.outcome, d.overdispersion, d.log_worse, d.log_better, d.log_watch, d.log_alarm,
               d.z_low IS NOT NULL AS took_part
        FROM detections d JOIN runs r ON r.id = d.run_id
        WHERE d.schedule_id = $1 AND d.subject = $2 AND d.model = $3 AND d.log_alarm < 'infinity'
          AND coalesce(r.night, (r.created_at AT TIME ZONE 'UTC')::date) >= $4
        ORDER BY d.sequence, d.stream
        """,
        schedule_id,
        subject,
        model,
        since,
    )
    return [EvidenceAt(**{**row, "outcome": Outcome(row["outcome"])}) for row in rows]


async def list_last_evidence(connection: Connection, schedule_id: int, model: str) -> list[EvidenceAt]:
    """The evidence of all streams of a model on its last entry: quality first, then by name."""
    rows = await connection.fetch(
        """
        SELECT coalesce(r.night, (r.created_at AT TIME ZONE 'UTC')::date) AS night, d.sequence, d.stream,
               d.outcome, d.overdispersion, d.log_worse, d.log_better, d.log_watch, d.log_alarm,
               d.z_low IS NOT NULL AS took_part
        FROM detections d JOIN runs r ON r.id = d.run_id
        WHERE d.schedule_id = $1 AND d.subject = 'model' AND d.model = $2 AND d.log_alarm < 'infinity'
          AND d.sequence = (SELECT max(sequence) FROM detections
                            WHERE schedule_id = $1 AND subject = 'model' AND model = $2
                              AND stream = 'accuracy')
        ORDER BY d.stream <> 'accuracy', d.stream <> 'weighted', d.stream NOT LIKE 'category:%', d.stream
        """,
        schedule_id,
        model,
    )
    return [EvidenceAt(**{**row, "outcome": Outcome(row["outcome"])}) for row in rows]


async def list_improvements(connection: Connection, schedule_id: int, *, since: date) -> dict[str, date]:
    """The models of which a stream has improved since a night, with the last such night."""
    rows = await connection.fetch(
        """
        SELECT d.model, max(r.night) AS night FROM detections d JOIN runs r ON r.id = d.run_id
        WHERE d.schedule_id = $1 AND d.subject = 'model' AND d.outcome = 'improved' AND r.night >= $2
          AND d.run_id IN (SELECT id FROM runs WHERE schedule_id = $1 AND night >= $2)
          AND (d.stream IN ('accuracy', 'weighted') OR d.stream LIKE 'category:%')
        GROUP BY d.model
        """,
        schedule_id,
        since,
    )
    return {row["model"]: row["night"] for row in rows}


@dataclass(frozen=True, slots=True)
class HardQuestion:
    """`score`: the mean over `answers` scored answers, of all models that the nights asked."""

    question: str
    category: str
    input: str
    score: float
    answers: int


async def list_hardest_questions(
    connection: Connection, runs: Sequence[RunId], category: str, limit: int = 5
) -> tuple[list[HardQuestion], int]:
    """The questions with the lowest mean score in the newest of these runs, and how many runs that were.

    `runs` are in order, newest first; as many are read as have 30 000 pairs together, at least one.
    """
    sizes = {
        row["id"]: row["planned_pairs"]
        for row in await connection.fetch("SELECT id, planned_pairs FROM runs WHERE id = ANY ($1)", runs)
    }
    read: list[RunId] = []
    pairs = 0
    for run_id in runs:
        pairs += sizes[run_id] or 0
        if read and pairs > MOST_PAIRS:
            break
        read.append(run_id)
    rows = await connection.fetch(
        """
        SELECT q.key AS question, q.category, left(q.input, 200) AS input, hard.score, hard.answers
        FROM (
            SELECT p.question_id, avg(p.score) AS score, count(p.score)::int AS answers
            FROM pairs p WHERE p.run_id = ANY ($1) AND p.score IS NOT NULL GROUP BY p.question_id
        ) hard JOIN questions q ON q.id = hard.question_id
        WHERE $2 = 'all' OR q.category = $2
        ORDER BY hard.score, q.key LIMIT $3
        """,
        read,
        category,
        limit,
    )
    return [HardQuestion(**row) for row in rows], len(read)
