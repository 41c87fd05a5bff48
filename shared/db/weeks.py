"""A week of the fleet, read for the digest."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import asyncpg

from shared.db.channels import Channel
from shared.db.pool import Connection
from shared.domain.drift.detect import LEAST_COVERAGE
from shared.domain.drift.detections import Subject
from shared.domain.telling.alerts import IncidentLine, ModelWeek, ScheduleWeek, Weekly
from shared.domain.telling.digest import WEEK

_MEASURED = """
    SELECT DISTINCT ON (e.schedule_id, a.model)
           e.schedule_id, a.model, a.accuracy, a.accuracy_lower, a.accuracy_upper, a.coverage
    FROM sequence_entries e JOIN run_aggregates a ON a.run_id = e.scored_by_run AND a.category = 'all'
    WHERE e.night >= $1 AND e.night < $2 AND e.attempt = 0 AND a.coverage >= $3
    ORDER BY e.schedule_id, a.model, e.night DESC
"""


async def list_owed(connection: Connection, channels: Iterable[Channel], week: date) -> list[Channel]:
    """The channels to which the digest of a week has not been written down."""
    rows = await connection.fetch("SELECT channel_id FROM deliveries WHERE week = $1", week)
    written = {row["channel_id"] for row in rows}
    return [channel for channel in channels if channel.id not in written]


async def read_week(connection: Connection, end: date, due: datetime) -> Weekly:
    """The week before the Monday `end`: what its nights measured, beside those of the week before it, and the
    incidents from one digest to the next, which is `due` at that moment.
    """
    begin, before = end - WEEK, end - 2 * WEEK
    now = {_key(row): row for row in await connection.fetch(_MEASURED, begin, end, LEAST_COVERAGE)}
    earlier = {_key(row): row for row in await connection.fetch(_MEASURED, before, begin, LEAST_COVERAGE)}
    rows = await connection.fetch(
        "SELECT schedule_id, model, state FROM monitors WHERE subject = 'model' ORDER BY model"
    )
    states = {_key(row): row["state"] for row in rows}
    schedules = await connection.fetch(
        """
        SELECT s.id, s.name, s.suite, n.ran, n.missed, coalesce(r.spent, 0)::float AS spent
        FROM schedules s
        JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'ran')::int AS ran,
                             count(*) FILTER (WHERE state = 'missed')::int AS missed
                      FROM nights WHERE schedule_id = s.id AND night >= $1 AND night < $2) n
          ON n.ran + n.missed > 0
        JOIN LATERAL (SELECT sum(spent_usd) AS spent
                      FROM runs WHERE schedule_id = s.id AND night >= $1 AND night < $2) r ON true
        ORDER BY s.name
        """,
        begin, end,
    )  # fmt: skip
    return Weekly(
        begin,
        end,
        tuple(
            ScheduleWeek(
                one["name"], one["suite"], one["ran"], one["missed"], one["spent"],
                tuple(_tell_model(key[1], states.get(key, "ok"), now.get(key), earlier.get(key))
                      for key in sorted(now.keys() | states.keys()) if key[0] == one["id"]),
            )
            for one in schedules
        ),
        await _list_incidents(connection, due - WEEK, due),
    )  # fmt: skip


def _key(row: asyncpg.Record) -> tuple[int, str]:
    return row["schedule_id"], row["model"]


def _tell_model(model: str, state: str, row: Any, before: Any) -> ModelWeek:
    if row is None:
        return ModelWeek(model, state, None, None, None, None, None)
    return ModelWeek(
        model, state, row["accuracy"], row["accuracy_lower"], row["accuracy_upper"],
        before["accuracy"] if before else None, row["coverage"],
    )  # fmt: skip


async def _list_incidents(connection: Connection, begin: datetime, end: datetime) -> tuple[IncidentLine, ...]:
    """Those that were open at some time in between, as they stand now, the newest first."""
    rows = await connection.fetch(
        """
        SELECT i.id AS incident, i.subject, i.model, s.suite, i.headline, i.severity, i.status, i.opened_at,
               i.closed_at, i.opened_at >= $1 AS is_new
        FROM incidents i JOIN schedules s ON s.id = i.schedule_id
        WHERE i.opened_at < $2 AND (i.closed_at IS NULL OR i.closed_at >= $1)
        ORDER BY i.opened_at DESC, i.id
        """,
        begin, end,
    )  # fmt: skip
    return tuple(IncidentLine(**{**row, "subject": Subject(row["subject"])}) for row in rows)
