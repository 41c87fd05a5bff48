"""Runs that a run has to do with: what it is compared with, and what was made of its answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db.pool import Connection
from shared.db.runs import Run
from shared.domain.runs import RunId, RunKind, RunState


@dataclass(frozen=True, slots=True)
class RelatedRun:
    id: RunId
    kind: RunKind
    state: RunState
    attempt: int | None
    judge: str | None
    judge_version: int | None
    created_at: datetime


async def list_related_runs(connection: Connection, run: Run) -> Sequence[RelatedRun]:
    """The other runs of its night, and those that score its answers again, oldest first."""
    rows = await connection.fetch(
        """
        SELECT r.id, r.kind, r.state, r.attempt, j.name AS judge, j.version AS judge_version, r.created_at
        FROM runs r LEFT JOIN judges j ON j.id = r.judge_id
        WHERE (r.rejudges = $1 OR (r.schedule_id = $2 AND r.night = $3)) AND r.id <> $1
        ORDER BY r.created_at, r.id
        """,
        run.id,
        run.schedule_id,
        run.night,
    )
    return [
        RelatedRun(**{**row, "kind": RunKind(row["kind"]), "state": RunState(row["state"])}) for row in rows
    ]


async def find_previous_run(connection: Connection, run: Run) -> RunId | None:
    """The completed run of its kind before it, on the same suite, with a model in common."""
    found: RunId | None = await connection.fetchval(
        """
        SELECT r.id FROM runs r JOIN suite_versions v ON v.id = r.suite_version_id
        WHERE v.suite_id = (SELECT suite_id FROM suite_versions WHERE id = $1)
          AND r.kind = $2 AND r.state = 'completed' AND r.models && $3
          AND r.schedule_id IS NOT DISTINCT FROM $4 AND (r.created_at, r.id) < ($5, $6)
        ORDER BY r.created_at DESC, r.id DESC LIMIT 1
        """,
        run.suite_version_id, run.kind, run.models, run.schedule_id, run.created_at, run.id,
    )  # fmt: skip
    return found
