"""Runs: submitted once, planned once, closed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg

from shared.db.pool import Connection
from shared.domain.runs import RunId, RunKind, RunState


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run as submitted. `request_hash` tells whether a repeated idempotency key repeats the request."""

    id: RunId
    kind: RunKind
    suite_version_id: int
    judge_id: int | None
    models: Sequence[str]
    repeats: int
    sample: int | None
    parameters: Mapping[str, Any]
    max_cost_usd: Decimal | None
    labels: Mapping[str, str]
    git_commit: str | None
    client_versions: Mapping[str, str]
    idempotency_key: str | None
    request_hash: str
    schedule_id: int | None = None
    night: date | None = None
    attempt: int | None = None
    rejudges: RunId | None = None
    prompt_id: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    id: RunId
    kind: RunKind
    state: RunState
    suite: str
    suite_version: int
    suite_version_id: int
    judge: str | None
    judge_version: int | None
    judge_id: int | None
    prompt: str | None
    prompt_version: int | None
    prompt_id: int | None
    models: Sequence[str]
    repeats: int
    sample: int | None
    parameters: Mapping[str, Any]
    max_cost_usd: Decimal | None
    spent_usd: Decimal
    labels: Mapping[str, str]
    git_commit: str | None
    client_versions: Mapping[str, str]
    request_hash: str
    stop_reason: str | None
    error: str | None
    planned_pairs: int | None
    created_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    schedule_id: int | None
    schedule: str | None
    night: date | None
    attempt: int | None
    rejudges: RunId | None

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "Run":
        return cls(**{**row, "kind": RunKind(row["kind"]), "state": RunState(row["state"])})


_RUN = """
    SELECT r.id, r.kind, r.state, s.name AS suite, v.version AS suite_version, r.suite_version_id,
           j.name AS judge, j.version AS judge_version, r.judge_id,
           p.name AS prompt, p.version AS prompt_version, r.prompt_id, r.models, r.repeats, r.sample,
           r.parameters, r.max_cost_usd, r.spent_usd, r.labels, r.git_commit, r.client_versions,
           r.request_hash, r.stop_reason, r.error, r.planned_pairs, r.created_at, r.planned_at, r.finished_at,
           r.schedule_id, c.name AS schedule, r.night, r.attempt, r.rejudges
    FROM runs r
    JOIN suite_versions v ON v.id = r.suite_version_id
    JOIN suites s ON s.id = v.suite_id
    LEFT JOIN judges j ON j.id = r.judge_id
    LEFT JOIN prompts p ON p.id = r.prompt_id
    LEFT JOIN schedules c ON c.id = r.schedule_id
"""


async def submit_run(connection: Connection, run: NewRun) -> RunId | None:
    """Store a submitted run; None when its idempotency key, or its place in a night, is already taken."""
    stored: RunId | None = await connection.fetchval(
        """
        INSERT INTO runs (id, kind, suite_version_id, judge_id, models, repeats, sample, parameters,
                          max_cost_usd, labels, git_commit, client_versions, idempotency_key, request_hash,
                          schedule_id, night, attempt, rejudges, prompt_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT DO NOTHING
        RETURNING id
        """,
        run.id, run.kind, run.suite_version_id, run.judge_id, run.models, run.repeats, run.sample,
        run.parameters, run.max_cost_usd, run.labels, run.git_commit,
        run.client_versions, run.idempotency_key, run.request_hash,
        run.schedule_id, run.night, run.attempt, run.rejudges, run.prompt_id,
    )  # fmt: skip
    return stored


async def store_callback(connection: Connection, run_id: RunId, url: bytes, hint: str) -> None:
    """Have a run told to an address, encrypted by the caller, once it is finished."""
    await connection.execute(
        "UPDATE runs SET callback_url = $2, callback_hint = $3 WHERE id = $1", run_id, url, hint
    )


async def find_run(connection: Connection, run_id: RunId) -> Run | None:
    row = await connection.fetchrow(_RUN + "WHERE r.id = $1", run_id)
    return Run.from_row(row) if row else None


async def find_run_by_idempotency_key(connection: Connection, key: str) -> Run | None:
    row = await connection.fetchrow(_RUN + "WHERE r.idempotency_key = $1", key)
    return Run.from_row(row) if row else None


async def list_runs(
    connection: Connection,
    *,
    before: tuple[datetime, RunId] | None = None,
    kind: RunKind | None = None,
    state: RunState | None = None,
    suite: str | None = None,
    model: str | None = None,
    labels: Mapping[str, str] = MappingProxyType({}),
    ids: tuple[UUID, UUID] | None = None,
    limit: int = 50,
) -> list[Run]:
    """List runs, newest first, from just after the cursor `before` on; `ids`: a range, ends included.

    A run listed has all of `labels`.
    """
    rows = await connection.fetch(
        _RUN
        + """
        WHERE ($1::timestamptz IS NULL OR (r.created_at, r.id) < ($1, $2))
          AND ($3::text IS NULL OR r.state = $3)
          AND ($4::text IS NULL OR s.name = $4)
          AND ($5::text IS NULL OR $5 = ANY (r.models))
          AND ($6::uuid IS NULL OR r.id BETWEEN $6 AND $7)
          AND ($8::text IS NULL OR r.kind = $8)
          AND r.labels @> $9
        ORDER BY r.created_at DESC, r.id DESC LIMIT $10
        """,
        *(before or (None, None)), state, suite, model, *(ids or (None, None)), kind,
        dict(labels), limit,
    )  # fmt: skip
    return [Run.from_row(row) for row in rows]


async def lock_run(connection: Connection, run_id: RunId) -> Run | None:
    """Read a run and hold its row until the caller's transaction ends."""
    await connection.execute("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", run_id)
    return await find_run(connection, run_id)


async def mark_planned(connection: Connection, run_id: RunId, planned_pairs: int) -> None:
    await connection.execute(
        "UPDATE runs SET state = 'planned', planned_pairs = $2, planned_at = now()"
        " WHERE id = $1 AND state = 'submitted'",
        run_id,
        planned_pairs,
    )


async def mark_running(connection: Connection, run_id: RunId) -> None:
    await connection.execute("UPDATE runs SET state = 'running' WHERE id = $1 AND state = 'planned'", run_id)


async def request_stop(connection: Connection, run_id: RunId, reason: RunState) -> bool:
    """Ask an open run to stop, for the first reason given; False when it is finished or was asked before."""
    status = await connection.execute(
        "UPDATE runs SET stop_reason = $2 WHERE id = $1 AND finished_at IS NULL AND stop_reason IS NULL",
        run_id,
        reason,
    )
    return bool(status == "UPDATE 1")


async def add_spending(connection: Connection, run_id: RunId, cost_usd: Decimal) -> bool:
    """Add to what a run has spent; True when its allowance is now used up."""
    return bool(
        await connection.fetchval(
            "UPDATE runs SET spent_usd = spent_usd + $2 WHERE id = $1 RETURNING spent_usd >= max_cost_usd",
            run_id,
            cost_usd,
        )
    )


async def claim_close(connection: Connection, run_id: RunId) -> bool:
    """Lock a run that has nothing left open, for closing it in this transaction.

    Exactly one of any number of callers gets True; it must call `close_run` before it commits. The check is
    right only in a statement that began after the last pair's commit.
    """
    return bool(
        await connection.fetchval(
            """
            SELECT 1 FROM runs r
            WHERE r.id = $1 AND r.finished_at IS NULL
              AND (r.state = 'running' OR r.stop_reason IS NOT NULL)
              AND NOT EXISTS (SELECT 1 FROM pairs p
                              WHERE p.run_id = r.id AND p.state IN ('pending', 'answered'))
            FOR UPDATE SKIP LOCKED
            """,
            run_id,
        )
    )


async def close_run(connection: Connection, run_id: RunId) -> RunState:
    """Write a run's final state: what it was stopped for, else completed."""
    return RunState(
        await connection.fetchval(
            "UPDATE runs SET state = coalesce(stop_reason, 'completed'), finished_at = now()"
            " WHERE id = $1 AND finished_at IS NULL RETURNING state",
            run_id,
        )
    )


async def fail_run(connection: Connection, run_id: RunId, error: str) -> None:
    await connection.execute(
        "UPDATE runs SET state = 'failed', error = $2, finished_at = now()"
        " WHERE id = $1 AND finished_at IS NULL",
        run_id,
        error,
    )


async def count_unfinished_pairs(connection: Connection) -> int:
    """How many pairs the runs have that are not finished, those included that they have closed already."""
    count: int = await connection.fetchval(
        """
        SELECT coalesce(sum(cardinality(r.models)::bigint * r.repeats * least(r.sample, v.questions)), 0)
               ::bigint
        FROM runs r JOIN suite_versions v ON v.id = r.suite_version_id WHERE r.finished_at IS NULL
        """
    )
    return count


async def list_open_runs(connection: Connection) -> list[Run]:
    """All runs that are not finished, oldest first."""
    rows = await connection.fetch(_RUN + "WHERE r.finished_at IS NULL ORDER BY r.created_at, r.id")
    return [Run.from_row(row) for row in rows]
