"""Pinned baselines: the nights that a person named for slow decay to be measured against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from shared.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Baseline:
    """From one night to another, both included."""

    schedule: str
    model: str
    first_night: date
    last_night: date
    at: datetime
    by: str


async def store_baseline(
    connection: Connection, schedule_id: int, model: str, nights: tuple[date, date], by: str, now: datetime
) -> None:
    """Pin a model's baseline in place of the one it had."""
    await connection.execute(
        """
        INSERT INTO baselines (schedule_id, model, first_night, last_night, at, by)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (schedule_id, model) DO UPDATE SET first_night = excluded.first_night,
            last_night = excluded.last_night, at = excluded.at, by = excluded.by
        """,
        schedule_id, model, *nights, now, by,
    )  # fmt: skip


async def list_baselines(
    connection: Connection,
    *,
    schedule: str | None = None,
    model: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int = 50,
) -> Sequence[Baseline]:
    """List baselines by schedule and model, from just after the place `after` on."""
    rows = await connection.fetch(
        """
        SELECT s.name AS schedule, b.model, b.first_night, b.last_night, b.at, b.by
        FROM baselines b JOIN schedules s ON s.id = b.schedule_id
        WHERE ($1::text IS NULL OR s.name = $1) AND ($2::text IS NULL OR b.model = $2)
          AND ($3::text IS NULL OR (s.name, b.model) > ($3, $4))
        ORDER BY s.name, b.model LIMIT $5
        """,
        schedule, model, *(after or (None, None)), limit,
    )  # fmt: skip
    return [Baseline(**row) for row in rows]
