"""Letting go of what was said: answers and judges' words of runs that finished long ago.

Scores, tokens, costs, aggregates, detections and baselines stay, and so do the answers that are still
needed: of controls, which are compared byte for byte; of what an open incident is about; of a run that is
being judged again just now. Anchors and incidents have copies of their own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from shared.db.pool import Connection
from shared.domain.runs import RunId

BATCH_PAIRS = 1_000  # removed in one transaction: some tens of milliseconds


@dataclass(frozen=True, slots=True)
class Removed:
    """`bytes` is the length of the texts; PostgreSQL gives the room to new rows once it has vacuumed."""

    runs: int = 0
    pairs: int = 0
    bytes: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.runs + other.runs, self.pairs + other.pairs, self.bytes + other.bytes)


# $1: the runs; $2: models whose answers stay.
_OLD_TEXTS = """
    p.run_id = ANY ($1) AND p.response IS NOT NULL AND p.model <> ALL ($2)
    AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.rejudges = p.run_id AND r.finished_at IS NULL)
    AND NOT EXISTS (
        SELECT 1 FROM runs r LEFT JOIN runs source ON source.id = r.rejudges
        JOIN incidents i ON i.schedule_id IN (r.schedule_id, source.schedule_id)
        WHERE r.id = p.run_id AND i.status <> 'closed' AND (i.subject <> 'model' OR i.model = p.model)
    )
"""
_LENGTH = """
    octet_length(p.response)
    + CASE WHEN p.judge_latency_seconds IS NULL THEN 0 ELSE coalesce(octet_length(p.reason), 0) END
"""


async def list_finished_before(connection: Connection, moment: datetime) -> list[RunId]:
    """The runs that were finished before, oldest first."""
    rows = await connection.fetch(
        "SELECT id FROM runs WHERE finished_at < $1 ORDER BY finished_at, id", moment
    )
    return [RunId(row["id"]) for row in rows]


async def count_texts(connection: Connection, run_ids: Collection[RunId], kept: Collection[str]) -> Removed:
    """What `remove_texts` would remove from these runs; `kept` are models whose answers stay."""
    row = await connection.fetchrow(
        f"SELECT count(DISTINCT p.run_id), count(*), coalesce(sum({_LENGTH}), 0)::bigint FROM pairs p"
        f" WHERE {_OLD_TEXTS}",
        run_ids,
        list(kept),
    )
    return Removed(*row)


async def remove_texts(connection: Connection, run_id: RunId, kept: Collection[str]) -> Removed:
    """Remove up to BATCH_PAIRS texts of a finished run, in the caller's transaction.

    The run is locked, so that nobody has it judged again in that moment.
    """
    await connection.execute("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", run_id)
    row = await connection.fetchrow(
        f"""
        WITH old AS (
            SELECT p.run_id, p.model, p.question_id, p.repeat, {_LENGTH} AS length FROM pairs p
            WHERE {_OLD_TEXTS} LIMIT {BATCH_PAIRS}
        ), removed AS (
            UPDATE pairs p
            SET response = NULL, reason = CASE WHEN p.judge_latency_seconds IS NULL THEN p.reason END,
                response_removed_at = now()
            FROM old WHERE (p.run_id, p.model, p.question_id, p.repeat)
                         = (old.run_id, old.model, old.question_id, old.repeat)
            RETURNING old.length
        )
        SELECT count(*), coalesce(sum(length), 0)::bigint FROM removed
        """,
        [run_id],
        list(kept),
    )
    assert row is not None
    return Removed(0, *row)


async def has_lost_texts(connection: Connection, run_id: RunId) -> bool:
    """Whether answers of this run were removed."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM pairs WHERE run_id = $1 AND response_removed_at IS NOT NULL)",
            run_id,
        )
    )
