"""Which entries of a schedule the watch has seen."""

from dataclasses import dataclass
from datetime import date, datetime

from shared.db.pool import Connection
from shared.db.sequences import store_act
from shared.domain.runs import RunId, RunState

WATCH = "driftwarden"  # who decides where nobody else does


@dataclass(frozen=True, slots=True)
class Unseen:
    run_id: RunId
    state: RunState
    finished_at: datetime | None


async def list_schedules_with_unseen(connection: Connection) -> list[int]:
    """The schedules of which a run is finished that was not seen yet."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT r.schedule_id FROM runs r
        WHERE r.schedule_id IS NOT NULL AND r.finished_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM seen_entries e WHERE e.run_id = r.id)
        ORDER BY r.schedule_id
        """
    )
    return [row["schedule_id"] for row in rows]


async def find_next_unseen(connection: Connection, schedule_id: int) -> Unseen | None:
    """The first run of the sequence that was not seen, finished or not: later ones wait for it."""
    row = await connection.fetchrow(
        """
        SELECT r.id, r.state, r.finished_at FROM runs r
        WHERE r.schedule_id = $1 AND NOT EXISTS (SELECT 1 FROM seen_entries e WHERE e.run_id = r.id)
        ORDER BY r.night, r.attempt LIMIT 1
        """,
        schedule_id,
    )
    return Unseen(row["id"], RunState(row["state"]), row["finished_at"]) if row else None


async def mark_seen(connection: Connection, schedule_id: int, run_id: RunId) -> None:
    await connection.execute(
        "INSERT INTO seen_entries (run_id, schedule_id) VALUES ($1, $2)", run_id, schedule_id
    )


async def quarantine(connection: Connection, schedule_id: int, model: str, run_id: RunId) -> None:
    """Set an entry aside for a model, because it was an outage that has passed."""
    note = "An outage: the entry after it is as those before it were."
    await store_act(connection, schedule_id, model, "quarantine", run_id, WATCH, note)


async def find_last_seen(connection: Connection, schedule_id: int) -> RunId | None:
    """The run of the last entry that the fold has taken in; None before the first one.

    Linked imports lie before all nights and wait for nobody.
    """
    run_id: RunId | None = await connection.fetchval(
        """
        SELECT e.run_id FROM sequence_entries e
        WHERE e.schedule_id = $1
          AND (EXISTS (SELECT 1 FROM seen_entries s WHERE s.run_id = e.run_id)
               OR EXISTS (SELECT 1 FROM linked_imports l WHERE l.run_id = e.run_id))
        ORDER BY e.sequence DESC LIMIT 1
        """,
        schedule_id,
    )
    return run_id


async def count_attempts(connection: Connection, schedule_id: int, night: date) -> int:
    """How many runs a night has."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM runs WHERE schedule_id = $1 AND night = $2", schedule_id, night
    )
    return count
