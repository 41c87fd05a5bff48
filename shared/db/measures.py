"""How things stand right now, in numbers that are watched from outside: no pair is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db import anchor_sets
from shared.db.pool import Connection
from shared.domain.answers.agreement import Agreement, measure_agreement


@dataclass(frozen=True, slots=True)
class NewestMeasurement:
    """A model's newest measurement on a suite, in one category or in "all". None: not measured, not known."""

    model: str
    suite: str
    category: str
    measured_at: datetime
    coverage: float
    accuracy: float | None
    accuracy_lower: float | None
    accuracy_upper: float | None
    detectable_difference: float | None
    pass_rate: float | None
    run_cost_usd: float | None


async def list_newest_measurements(connection: Connection) -> list[NewestMeasurement]:
    """What every model came to when it was last measured, on every suite, the newest first."""
    rows = await connection.fetch(
        """
        SELECT model, suite, category, measured_at, coverage, accuracy, accuracy_lower, accuracy_upper,
               detectable_difference, pass_rate, (cost_usd + judge_cost_usd)::float8 AS run_cost_usd
        FROM newest_measurements ORDER BY measured_at DESC, model, suite, category
        """
    )
    return [NewestMeasurement(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Standing:
    """One watched thing, and how bad the incident is that is open about it; None: none is."""

    schedule: str
    subject: str
    model: str
    state: str
    severity: str | None


async def list_states(connection: Connection) -> list[Standing]:
    """Where everything stands that is watched."""
    rows = await connection.fetch(
        "SELECT schedule, subject, model, state, severity FROM standings ORDER BY schedule, subject, model"
    )
    return [Standing(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class StreamEvidence:
    schedule: str
    subject: str
    model: str
    stream: str
    log_ratio: float


async def list_stream_evidence(connection: Connection) -> list[StreamEvidence]:
    """The evidence of each stream of all that is watched, over its threshold, as a logarithm."""
    rows = await connection.fetch(
        """
        SELECT s.schedule, e.subject, e.model, e.stream, e.log_ratio
        FROM standings s JOIN stream_evidence e USING (schedule_id, subject, model)
        ORDER BY s.schedule, e.subject, e.model, e.stream
        """
    )
    return [StreamEvidence(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Calendar:
    """A schedule's terms and how its nights went. None: no night was completed, or stored, yet."""

    schedule: str
    cron: str
    time_zone: str
    is_paused: bool
    active_since: datetime
    last_finished_at: datetime | None
    last_due_at: datetime | None
    missed: int


async def list_calendars(connection: Connection) -> list[Calendar]:
    rows = await connection.fetch(
        """
        SELECT s.name, s.cron, s.time_zone, s.is_paused, s.active_since, n.finished_at,
               (SELECT due_at FROM nights WHERE schedule_id = s.id ORDER BY night DESC LIMIT 1),
               (SELECT count(*) FROM nights WHERE schedule_id = s.id AND state = 'missed')
        FROM schedules s LEFT JOIN newest_nights n ON n.schedule_id = s.id
        ORDER BY s.name
        """
    )
    return [Calendar(*row) for row in rows]


async def read_agreements(connection: Connection) -> list[tuple[str, str, Agreement]]:
    """For the newest anchors of each suite: the judge, the suite, and how far the judge agrees with people.

    The judge is the one that scored the anchors last, at first when they were chosen.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (s.suite_id) s.id, u.name AS suite, judge.name AS judge
        FROM anchor_sets s
        JOIN suites u ON u.id = s.suite_id
        JOIN LATERAL (
            SELECT j.name FROM (
                SELECT g.run_id FROM anchor_judgements g JOIN anchors a ON a.id = g.anchor_id
                WHERE a.set_id = s.id
                UNION
                SELECT a.run_id FROM anchors a WHERE a.set_id = s.id
            ) scored
            JOIN runs r ON r.id = scored.run_id JOIN judges j ON j.id = r.judge_id
            ORDER BY r.created_at DESC, r.id DESC LIMIT 1
        ) judge ON true
        ORDER BY s.suite_id, s.id DESC
        """
    )
    return [
        (row["judge"], row["suite"], measure_agreement(rated for _, rated in found))
        for row in rows
        if (found := await anchor_sets.read_rated(connection, row["id"]))
    ]


@dataclass(frozen=True, slots=True)
class AnchorShift:
    schedule: str
    judge: str
    shift: float


async def list_anchor_shifts(connection: Connection) -> list[AnchorShift]:
    """By how much each schedule's judge scores its anchors higher than when they were chosen, on the newest
    night on which it scored any.
    """
    rows = await connection.fetch(
        """
        SELECT s.name, j.name, avg(g.score - a.score)
        FROM schedules s
        CROSS JOIN LATERAL (
            SELECT r.id, r.judge_id FROM runs r
            WHERE r.schedule_id = s.id AND r.attempt = 0 AND r.state = 'completed'
              AND EXISTS (SELECT 1 FROM anchor_judgements g WHERE g.run_id = r.id AND g.score IS NOT NULL)
            ORDER BY r.night DESC LIMIT 1
        ) r
        JOIN judges j ON j.id = r.judge_id
        JOIN anchor_judgements g ON g.run_id = r.id AND g.repeat = 1 AND g.score IS NOT NULL
        JOIN anchors a ON a.id = g.anchor_id
        GROUP BY s.name, j.name ORDER BY s.name
        """
    )
    return [AnchorShift(*row) for row in rows]


async def count_open_runs(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM runs WHERE finished_at IS NULL"))


@dataclass(frozen=True, slots=True)
class Present:
    """All of it, read in one transaction."""

    measurements: Sequence[NewestMeasurement]
    standings: Sequence[Standing]
    evidence: Sequence[StreamEvidence]
    calendars: Sequence[Calendar]
    agreements: Sequence[tuple[str, str, Agreement]]
    shifts: Sequence[AnchorShift]
    open_runs: int


async def read_present(connection: Connection) -> Present:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return Present(
            measurements=await list_newest_measurements(connection),
            standings=await list_states(connection),
            evidence=await list_stream_evidence(connection),
            calendars=await list_calendars(connection),
            agreements=await read_agreements(connection),
            shifts=await list_anchor_shifts(connection),
            open_runs=await count_open_runs(connection),
        )
