"""Deliveries as they are written down and looked at: a row for each message, before anything is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from shared.db.pool import Connection
from shared.domain.runs import RunId
from shared.domain.telling.alerts import Notice
from shared.domain.telling.incidents import EventKind
from shared.notices import read_notice, write_notice


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver; `channel` is None for a run's callback."""

    id: UUID
    kind: str
    channel_id: int | None
    channel: str | None
    channel_kind: str
    receiver: str
    incident_id: UUID | None
    run_id: RunId | None
    content: Mapping[str, Any]
    state: str
    gathered_into: UUID | None
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a delivery; without an outcome it is under way, or its sender died in it."""

    number: int
    begun_at: datetime
    ended_at: datetime | None
    outcome: str | None
    status: int | None
    detail: str


_DELIVERY = """
    SELECT d.id, d.kind, d.channel_id, c.name AS channel, coalesce(c.kind, 'callback') AS channel_kind,
           coalesce(c.target_hint, r.callback_hint) AS receiver, d.incident_id, d.run_id, d.content, d.state,
           d.gathered_into, d.attempts, d.next_attempt_at, d.last_error, d.created_at, d.closed_at
    FROM deliveries d LEFT JOIN channels c ON c.id = d.channel_id LEFT JOIN runs r ON r.id = d.run_id
"""


async def store_delivery(
    connection: Connection,
    kind: str,
    notice: Notice,
    now: datetime,
    *,
    channel_id: int,
    incident_id: UUID | None = None,
    incident_event_id: int | None = None,
    week: date | None = None,
) -> UUID | None:
    """Write down what is to be sent; None when the same is written down for this channel already."""
    stored: UUID | None = await connection.fetchval(
        """
        INSERT INTO deliveries (id, kind, channel_id, incident_id, incident_event_id, week, content,
                                created_at, next_attempt_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING id
        """,
        uuid4(), kind, channel_id, incident_id, incident_event_id, week, write_notice(notice), now,
    )  # fmt: skip
    return stored


async def owe_callback(connection: Connection, run_id: RunId) -> None:
    """Write down that a run which has just closed is to be told of, if somebody asked for that."""
    await connection.execute(
        """
        INSERT INTO deliveries (id, kind, run_id, content, created_at, next_attempt_at)
        SELECT $2, 'run', id, '{}', finished_at, finished_at
        FROM runs WHERE id = $1 AND callback_url IS NOT NULL AND finished_at IS NOT NULL
        ON CONFLICT DO NOTHING
        """,
        run_id, uuid4(),
    )  # fmt: skip


async def list_told_channels(connection: Connection, incident_id: UUID) -> set[int]:
    """The channels that have been told of an incident, or will be."""
    rows = await connection.fetch(
        "SELECT DISTINCT channel_id FROM deliveries WHERE incident_id = $1", incident_id
    )
    return {row["channel_id"] for row in rows}


async def list_pending_of_entry(
    connection: Connection, run_id: RunId
) -> dict[tuple[int, EventKind], list[tuple[UUID, Notice]]]:
    """What is to be told of one entry of a schedule, and was not begun yet, by channel and kind of event."""
    rows = await connection.fetch(
        """
        SELECT d.id, d.channel_id, e.kind, d.content
        FROM deliveries d JOIN incident_events e ON e.id = d.incident_event_id
        WHERE e.run_id = $1 AND d.state = 'pending' AND d.attempts = 0 AND d.gathered_into IS NULL
        ORDER BY e.id FOR UPDATE OF d
        """,
        run_id,
    )
    found: dict[tuple[int, EventKind], list[tuple[UUID, Notice]]] = {}
    for row in rows:
        key = row["channel_id"], EventKind(row["kind"])
        found.setdefault(key, []).append((row["id"], read_notice(row["content"])))
    return found


async def gather(
    connection: Connection, first: UUID, others: Sequence[UUID], notice: Notice, now: datetime
) -> None:
    """Let one delivery tell of several, in their place."""
    await connection.execute("UPDATE deliveries SET content = $2 WHERE id = $1", first, write_notice(notice))
    await connection.execute(
        "UPDATE deliveries SET state = 'gathered', gathered_into = $1, next_attempt_at = NULL,"
        " closed_at = $3 WHERE id = ANY ($2)",
        first, others, now,
    )  # fmt: skip


async def find_delivery(connection: Connection, delivery_id: UUID, *, lock: bool = False) -> Delivery | None:
    row = await connection.fetchrow(
        _DELIVERY + "WHERE d.id = $1" + (" FOR UPDATE OF d" if lock else ""), delivery_id
    )
    return Delivery(**row) if row else None


async def list_deliveries(
    connection: Connection,
    *,
    state: str | None = None,
    channel: str | None = None,
    incident_id: UUID | None = None,
    run_id: UUID | None = None,
    ids: tuple[UUID, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """List deliveries, newest first, from just after the cursor `before` on; `ids`: a range, ends in it."""
    rows = await connection.fetch(
        _DELIVERY
        + """
        WHERE ($1::text IS NULL OR d.state = $1) AND ($2::text IS NULL OR c.name = $2)
          AND ($3::uuid IS NULL OR d.incident_id = $3) AND ($4::uuid IS NULL OR d.run_id = $4)
          AND ($5::timestamptz IS NULL OR (d.created_at, d.id) < ($5, $6))
          AND ($7::uuid IS NULL OR d.id BETWEEN $7 AND $8)
        ORDER BY d.created_at DESC, d.id DESC LIMIT $9
        """,
        state, channel, incident_id, run_id, *(before or (None, None)), *(ids or (None, None)), limit,
    )  # fmt: skip
    return [Delivery(**row) for row in rows]


async def list_attempts(connection: Connection, delivery_id: UUID) -> list[Attempt]:
    """All attempts at a delivery, oldest first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT number, begun_at, ended_at, outcome, status, detail FROM delivery_attempts"
        " WHERE delivery_id = $1 ORDER BY number",
        delivery_id,
    )
    return [Attempt(**row) for row in rows]


async def replay(connection: Connection, delivery_id: UUID, now: datetime) -> bool:
    """Have a closed delivery sent again under its id; False if it is not closed, or part of another."""
    status = await connection.execute(
        "UPDATE deliveries SET state = 'pending', tries = 0, next_attempt_at = $2, closed_at = NULL"
        " WHERE id = $1 AND state IN ('dead', 'delivered')",
        delivery_id, now,
    )  # fmt: skip
    return bool(status == "UPDATE 1")


async def bury_pending(connection: Connection, channel_id: int, reason: str, now: datetime) -> None:
    """Make dead letters of all that a channel was still to be told."""
    await connection.execute(
        "UPDATE deliveries SET state = 'dead', last_error = $2, closed_at = $3, next_attempt_at = NULL,"
        " lease_until = NULL WHERE channel_id = $1 AND state = 'pending'",
        channel_id, reason, now,
    )  # fmt: skip
