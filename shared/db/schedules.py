"""Schedules and their nights: one row for each night that came due, run or missed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import asyncpg

from shared.db.pool import Connection
from shared.domain.runs import RunId, RunState


class NightState(StrEnum):
    RAN = "ran"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class ScheduleTerms:
    """What a person settles for a schedule. None: all models of each night, the default judge, the
    question alone, no limit."""

    name: str
    suite: str
    models: Sequence[str] | None
    judge: str | None
    prompt: str | None
    cron: str
    time_zone: str
    repeats: int
    sample: int | None
    max_cost_usd: Decimal | None
    confirmations: int
    renotify_days: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Schedule(ScheduleTerms):
    """A schedule as it is stored. What came due until `active_since` is no night of its own."""

    id: int
    active_since: datetime


@dataclass(frozen=True, slots=True)
class Budget:
    """How easily the watch may alarm, as it was on a night: a fact of the night."""

    watched_models: int
    nights_per_false_alarm: float


@dataclass(frozen=True, slots=True)
class NightRun:
    run_id: RunId
    attempt: int
    state: RunState
    is_seen: bool  # by the watch


@dataclass(frozen=True, slots=True)
class Night:
    """One night of a schedule; `reason` tells why it was missed. Runs by attempt; 0 is the nightly run."""

    schedule_id: int
    night: date
    due_at: datetime
    state: NightState
    reason: str | None
    runs: Sequence[NightRun]


_SCHEDULE = """
    SELECT name, suite, models, judge, prompt, cron, time_zone, repeats, sample, max_cost_usd, confirmations,
           renotify_days, is_paused, id, active_since
    FROM schedules
"""


async def store_schedule(
    connection: Connection, terms: ScheduleTerms, now: datetime
) -> tuple[Schedule, bool]:
    """Store a schedule's terms under its name; the flag tells whether it is new.

    Its nights begin now when it is new, resumed, or comes due at other times than before.
    """
    row = await connection.fetchrow(
        """
        INSERT INTO schedules AS s (name, suite, models, judge, prompt, cron, time_zone, repeats, sample,
                                    max_cost_usd, confirmations, renotify_days, is_paused, active_since)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (name) DO UPDATE SET
            suite = excluded.suite, models = excluded.models, judge = excluded.judge,
            prompt = excluded.prompt, cron = excluded.cron, time_zone = excluded.time_zone,
            repeats = excluded.repeats, sample = excluded.sample, max_cost_usd = excluded.max_cost_usd,
            confirmations = excluded.confirmations, renotify_days = excluded.renotify_days,
            is_paused = excluded.is_paused, updated_at = now(),
            active_since = CASE
                WHEN s.is_paused OR s.cron <> excluded.cron OR s.time_zone <> excluded.time_zone
                THEN excluded.active_since ELSE s.active_since END
        RETURNING id, active_since, xmax = 0 AS is_new
        """,
        *asdict(terms).values(),
        now,
    )
    return Schedule(**asdict(terms), id=row["id"], active_since=row["active_since"]), row["is_new"]


async def pause_schedule(connection: Connection, schedule_id: int) -> None:
    await connection.execute(
        "UPDATE schedules SET is_paused = true, updated_at = now() WHERE id = $1 AND NOT is_paused",
        schedule_id,
    )


async def resume_schedule(connection: Connection, schedule_id: int, now: datetime) -> None:
    """Let a paused schedule go on; what came due in between is neither run nor missed."""
    await connection.execute(
        "UPDATE schedules SET is_paused = false, active_since = $2, updated_at = now()"
        " WHERE id = $1 AND is_paused",
        schedule_id,
        now,
    )


async def find_schedule(connection: Connection, name: str) -> Schedule | None:
    row = await connection.fetchrow(_SCHEDULE + "WHERE name = $1", name)
    return Schedule(**row) if row else None


async def lock_schedule(connection: Connection, schedule_id: int) -> Schedule:
    """Read a schedule; nobody else opens nights of it or changes it until the caller's transaction ends."""
    row = await connection.fetchrow(_SCHEDULE + "WHERE id = $1 FOR NO KEY UPDATE", schedule_id)
    return Schedule(**row)


async def list_schedules(
    connection: Connection, *, after: str | None = None, limit: int = 500
) -> list[Schedule]:
    """List schedules by name, from just after the name `after` on."""
    rows = await connection.fetch(
        _SCHEDULE + "WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2", after, limit
    )
    return [Schedule(**row) for row in rows]


async def list_active_schedules(connection: Connection) -> list[Schedule]:
    """All schedules that are not paused."""
    return [Schedule(**row) for row in await connection.fetch(_SCHEDULE + "WHERE NOT is_paused ORDER BY id")]


async def store_night(
    connection: Connection,
    schedule_id: int,
    night: date,
    due_at: datetime,
    budget: Budget,
    *,
    missed_because: str | None = None,
) -> bool:
    """Store a night, as run unless there is a reason why it is missed; False when it can't be any more.

    Nights only go forward: none is stored before a later one. One that was missed may still be run, as long
    as it is the last one. The caller holds the schedule's lock.
    """
    status = await connection.execute(
        """
        INSERT INTO nights (schedule_id, night, due_at, state, reason, watched_models, nights_per_false_alarm)
        SELECT $1, $2, $3, $4, $5, $6, $7
        WHERE NOT EXISTS (SELECT 1 FROM nights WHERE schedule_id = $1 AND night > $2)
        ON CONFLICT (schedule_id, night) DO UPDATE SET
            due_at = excluded.due_at, state = excluded.state, reason = excluded.reason,
            watched_models = excluded.watched_models, nights_per_false_alarm = excluded.nights_per_false_alarm
        WHERE nights.state = 'missed' AND excluded.state = 'ran'
        """,
        schedule_id, night, due_at, NightState.MISSED if missed_because else NightState.RAN, missed_because,
        budget.watched_models, budget.nights_per_false_alarm,
    )  # fmt: skip
    return bool(status == "INSERT 0 1")


async def find_last_night(connection: Connection, schedule_id: int) -> date | None:
    """The date of a schedule's last night, run or missed."""
    last: date | None = await connection.fetchval(
        "SELECT max(night) FROM nights WHERE schedule_id = $1", schedule_id
    )
    return last


_NIGHT = """
    SELECT n.schedule_id, n.night, n.due_at, n.state, n.reason,
           array(SELECT (r.id, r.attempt, r.state,
                         EXISTS (SELECT 1 FROM seen_entries e WHERE e.run_id = r.id))
                 FROM runs r
                 WHERE r.schedule_id = n.schedule_id AND r.night = n.night ORDER BY r.attempt) AS runs
    FROM nights n
"""


def _as_night(row: asyncpg.Record) -> Night:
    runs = [
        NightRun(RunId(run_id), attempt, RunState(state), is_seen)
        for run_id, attempt, state, is_seen in row["runs"]
    ]
    return Night(**{**row, "state": NightState(row["state"]), "runs": runs})


async def find_night(connection: Connection, schedule_id: int, night: date) -> Night | None:
    row = await connection.fetchrow(_NIGHT + "WHERE n.schedule_id = $1 AND n.night = $2", schedule_id, night)
    return _as_night(row) if row else None


async def list_nights(
    connection: Connection, schedule_id: int, *, before: date | None = None, limit: int = 50
) -> list[Night]:
    """List a schedule's nights, newest first, from just before the date `before` on."""
    rows = await connection.fetch(
        _NIGHT + "WHERE n.schedule_id = $1 AND ($2::date IS NULL OR n.night < $2)"
        " ORDER BY n.night DESC LIMIT $3",
        schedule_id,
        before,
        limit,
    )
    return [_as_night(row) for row in rows]


async def list_last_nights(connection: Connection, schedule_ids: Sequence[int]) -> dict[int, Night]:
    """The last night of each of these schedules that has one."""
    rows = await connection.fetch(
        _NIGHT + "WHERE (n.schedule_id, n.night) IN"
        " (SELECT schedule_id, max(night) FROM nights WHERE schedule_id = ANY ($1) GROUP BY schedule_id)",
        schedule_ids,
    )
    return {row["schedule_id"]: _as_night(row) for row in rows}


async def count_missed(connection: Connection, schedule_ids: Sequence[int]) -> dict[int, int]:
    """How many nights each of these schedules has missed; none: no entry."""
    rows = await connection.fetch(
        "SELECT schedule_id, count(*) AS missed FROM nights"
        " WHERE schedule_id = ANY ($1) AND state = 'missed' GROUP BY schedule_id",
        schedule_ids,
    )
    return {row["schedule_id"]: row["missed"] for row in rows}


async def find_most_urgent(connection: Connection, schedule_ids: Sequence[int]) -> int:
    """Of these schedules the one with the newest open incident, else the one with the latest night."""
    chosen: int = await connection.fetchval(
        """
        SELECT s.id FROM schedules s
        WHERE s.id = ANY ($1)
        ORDER BY (SELECT max(i.opened_at) FROM incidents i
                  WHERE i.schedule_id = s.id AND i.status <> 'closed') DESC NULLS LAST,
                 (SELECT max(n.night) FROM nights n WHERE n.schedule_id = s.id AND n.state = 'ran')
                     DESC NULLS LAST, s.id
        LIMIT 1
        """,
        schedule_ids,
    )
    return chosen


async def list_schedules_asking(connection: Connection, model: str) -> list[Schedule]:
    """The schedules with a completed entry that asked a model, the one asked last first."""
    rows = await connection.fetch(
        _SCHEDULE.replace("FROM schedules", "FROM schedules s")
        + """
        JOIN LATERAL (
            SELECT max(e.night) AS last_night FROM sequence_entries e JOIN runs r ON r.id = e.run_id
            WHERE e.schedule_id = s.id AND $1 = ANY (r.models)
        ) asked ON asked.last_night IS NOT NULL
        ORDER BY asked.last_night DESC, name
        """,
        model,
    )
    return [Schedule(**row) for row in rows]
