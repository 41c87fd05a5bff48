"""What is there to run the watch over: a suite's completed runs, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from shared.db.pool import Connection
from shared.domain.runs import RunId


@dataclass(frozen=True, slots=True)
class PastRun:
    """A completed run. Of one that no schedule opened, the night is the day (UTC) on which it was made."""

    run_id: RunId
    night: date
    models: Sequence[str]
    pairs: int


async def list_past_runs(connection: Connection, suite: str) -> list[PastRun]:
    """A suite's completed runs, imported ones included; without those that score answers again."""
    rows = await connection.fetch(
        """
        SELECT r.id, coalesce(r.night, (r.created_at AT TIME ZONE 'UTC')::date) AS night, r.models,
               r.planned_pairs
        FROM runs r
        JOIN suite_versions v ON v.id = r.suite_version_id
        JOIN suites s ON s.id = v.suite_id
        WHERE s.name = $1 AND r.state = 'completed' AND r.rejudges IS NULL
        ORDER BY r.created_at, r.id
        """,
        suite,
    )
    return [PastRun(row["id"], row["night"], row["models"], row["planned_pairs"] or 0) for row in rows]


async def count_pairs(connection: Connection, run_ids: Sequence[RunId]) -> int:
    """How many pairs these runs planned."""
    count: int = await connection.fetchval(
        "SELECT coalesce(sum(planned_pairs), 0) FROM runs WHERE id = ANY ($1)", run_ids
    )
    return count
