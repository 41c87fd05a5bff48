"""The outbox: deliveries as a sender takes them, each on a lease, and what comes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db.channels import ChannelKind
from shared.db.pool import Connection
from shared.domain.runs import RunId
from shared.domain.telling.redelivery import Delivered, Failed, Gone, Outcome, Refused, Unknown

_OUTCOMES = {
    Delivered: "delivered",
    Failed: "failed",
    Refused: "refused",
    Gone: "gone",
    Unknown: "unknown",
}
SENDER_DIED = "Its sender died: whether it came through is not known."


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery in the hands of its sender until the lease ends. Secrets are encrypted.

    `attempt` counts all of them, `tries` those since it was written or last replayed. `is_perhaps_there`: how
    an earlier attempt ended is not known. `target` is None for the settings' own channel; `channel_id` and
    `channel_kind` are None for a run's callback.
    """

    id: UUID
    kind: str
    channel_id: int | None
    channel_kind: ChannelKind | None
    target: bytes | None
    secret: bytes | None
    former_secret: bytes | None
    former_until: datetime | None
    run_id: RunId | None
    content: Mapping[str, Any]
    created_at: datetime
    attempt: int
    tries: int
    is_perhaps_there: bool


async def claim_parcels(
    connection: Connection, now: datetime, lease_until: datetime, limit: int
) -> list[Parcel]:
    """Take deliveries that are due, and note that an attempt at each begins; commit before sending.

    What was told of an incident earlier, or is about to be, goes before what came of it later.
    """
    ids = await connection.fetch(
        """
        UPDATE deliveries d SET attempts = attempts + 1, tries = tries + 1, lease_until = $2
        FROM (
            SELECT id FROM deliveries d
            WHERE state = 'pending' AND next_attempt_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
              AND NOT EXISTS (
                  SELECT 1 FROM deliveries earlier
                  LEFT JOIN deliveries whole ON whole.id = earlier.gathered_into
                  WHERE earlier.incident_id = d.incident_id AND earlier.channel_id = d.channel_id
                    AND earlier.incident_event_id < d.incident_event_id
                    AND 'pending' IN (earlier.state, whole.state) AND whole.id IS DISTINCT FROM d.id)
            ORDER BY next_attempt_at, created_at, id LIMIT $3
            FOR UPDATE SKIP LOCKED
        ) due WHERE d.id = due.id RETURNING d.id
        """,
        now, lease_until, limit,
    )  # fmt: skip
    claimed = [row["id"] for row in ids]
    await connection.execute(
        "UPDATE delivery_attempts SET ended_at = $2, outcome = 'unknown', detail = $3"
        " WHERE delivery_id = ANY ($1) AND ended_at IS NULL",
        claimed, now, SENDER_DIED,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO delivery_attempts (delivery_id, number, begun_at)"
        " SELECT id, attempts, $2 FROM deliveries WHERE id = ANY ($1)",
        claimed, now,
    )  # fmt: skip
    return await _read_parcels(connection, claimed)


async def _read_parcels(connection: Connection, ids: Sequence[UUID]) -> list[Parcel]:
    rows = await connection.fetch(
        """
        SELECT d.id, d.kind, d.channel_id, c.kind AS channel_kind,
               coalesce(c.target, r.callback_url) AS target, c.secret, c.former_secret, c.former_until,
               d.run_id, d.content, d.created_at, d.attempts AS attempt, d.tries,
               EXISTS (SELECT 1 FROM delivery_attempts a
                       WHERE a.delivery_id = d.id AND a.outcome = 'unknown') AS is_perhaps_there
        FROM deliveries d LEFT JOIN channels c ON c.id = d.channel_id LEFT JOIN runs r ON r.id = d.run_id
        WHERE d.id = ANY ($1) ORDER BY d.next_attempt_at, d.created_at, d.id
        """,
        ids,
    )
    return [
        Parcel(**{**row, "channel_kind": ChannelKind(row["channel_kind"]) if row["channel_kind"] else None})
        for row in rows
    ]


async def end_attempt(
    connection: Connection, parcel: Parcel, outcome: Outcome, detail: str, now: datetime
) -> None:
    await connection.execute(
        "UPDATE delivery_attempts SET ended_at = $3, outcome = $4, status = $5, detail = $6"
        " WHERE delivery_id = $1 AND number = $2",
        parcel.id, parcel.attempt, now, _OUTCOMES[type(outcome)], getattr(outcome, "status", None), detail,
    )  # fmt: skip


async def mark_delivered(connection: Connection, parcel: Parcel, now: datetime) -> bool:
    """Close a delivery; False when the lease was lost and another sender has it."""
    return await _release(
        connection,
        parcel,
        "state = 'delivered', closed_at = $3, next_attempt_at = NULL, last_error = NULL",
        now,
    )


async def mark_dead(connection: Connection, parcel: Parcel, reason: str, now: datetime) -> bool:
    return await _release(
        connection,
        parcel,
        "state = 'dead', closed_at = $3, next_attempt_at = NULL, last_error = $4",
        now,
        reason,
    )


async def retry_at(connection: Connection, parcel: Parcel, reason: str, moment: datetime) -> bool:
    return await _release(connection, parcel, "next_attempt_at = $3, last_error = $4", moment, reason)


async def _release(connection: Connection, parcel: Parcel, changes: str, *values: object) -> bool:
    status = await connection.execute(
        f"UPDATE deliveries SET {changes}, lease_until = NULL"
        " WHERE id = $1 AND attempts = $2 AND state = 'pending'",
        parcel.id, parcel.attempt, *values,
    )  # fmt: skip
    return bool(status == "UPDATE 1")
