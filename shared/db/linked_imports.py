"""Imported runs as a schedule's history: entries of its sequence before its first night."""

from collections.abc import Mapping, Sequence
from datetime import date

from shared.db.pool import Connection
from shared.db.schedules import Budget
from shared.domain.runs import RunId


async def find_links(connection: Connection, run_ids: Sequence[RunId]) -> Mapping[RunId, str]:
    """The schedule that each of these runs is linked to, by name; those without one are left out."""
    rows = await connection.fetch(
        "SELECT l.run_id, s.name FROM linked_imports l JOIN schedules s ON s.id = l.schedule_id"
        " WHERE l.run_id = ANY ($1)",
        run_ids,
    )
    return {row["run_id"]: row["name"] for row in rows}


async def store_links(
    connection: Connection, schedule_id: int, run_ids: Sequence[RunId], budget: Budget, by: str
) -> None:
    """Put imported runs before a schedule's nights. The caller holds the schedule's lock."""
    await connection.executemany(
        "INSERT INTO linked_imports (run_id, schedule_id, watched_models, nights_per_false_alarm, linked_by)"
        " VALUES ($1, $2, $3, $4, $5)",
        [
            (run_id, schedule_id, budget.watched_models, budget.nights_per_false_alarm, by)
            for run_id in run_ids
        ],
    )


async def list_dates(connection: Connection, run_ids: Sequence[RunId]) -> Mapping[RunId, date]:
    """The UTC date on which each run was made, which is its night in a sequence."""
    rows = await connection.fetch(
        "SELECT id, (created_at AT TIME ZONE 'UTC')::date AS night FROM runs WHERE id = ANY ($1)", run_ids
    )
    return {row["id"]: row["night"] for row in rows}


async def find_first_night(connection: Connection, schedule_id: int) -> date | None:
    """The date of a schedule's first night that ran."""
    first: date | None = await connection.fetchval(
        "SELECT min(night) FROM nights WHERE schedule_id = $1 AND state = 'ran'", schedule_id
    )
    return first


async def list_strangers(
    connection: Connection, run_ids: Sequence[RunId], suite_version_id: int
) -> Sequence[RunId]:
    """The runs that share no question, as it was asked, with a suite version."""
    rows = await connection.fetch(
        """
        SELECT r.id FROM runs r
        WHERE r.id = ANY ($1) AND NOT EXISTS (
            SELECT 1 FROM questions q JOIN questions known ON known.unit = q.unit
            WHERE q.suite_version_id = r.suite_version_id AND known.suite_version_id = $2
        )
        ORDER BY r.created_at, r.id
        """,
        run_ids, suite_version_id,
    )  # fmt: skip
    return [row["id"] for row in rows]
