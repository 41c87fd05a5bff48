"""Judges: a model, a prompt and its parameters, versioned by content."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.db.pool import Connection
from shared.domain.answers.judging import Judge


@dataclass(frozen=True, slots=True)
class StoredJudge:
    id: int
    version: int
    created_at: datetime
    judge: Judge

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "StoredJudge":
        judge = Judge(row["name"], row["model"], row["prompt"], row["parameters"])
        return cls(row["id"], row["version"], row["created_at"], judge)


_JUDGE = "SELECT id, name, version, model, prompt, parameters, created_at FROM judges "


async def store_judge(connection: Connection, judge: Judge) -> StoredJudge:
    """Store a judge, or find the version that already has this content."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"judge:{judge.name}")
    await connection.execute(
        """
        INSERT INTO judges (name, version, model, prompt, parameters, content_hash)
        SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5 FROM judges WHERE name = $1
        ON CONFLICT (name, content_hash) DO NOTHING
        """,
        judge.name, judge.model, judge.prompt, judge.parameters, judge.content_hash,
    )  # fmt: skip
    row = await connection.fetchrow(
        _JUDGE + "WHERE name = $1 AND content_hash = $2", judge.name, judge.content_hash
    )
    return StoredJudge.from_row(row)


async def find_judge(connection: Connection, name: str) -> StoredJudge | None:
    """Find a judge's newest version by name."""
    row = await connection.fetchrow(_JUDGE + "WHERE name = $1 ORDER BY version DESC LIMIT 1", name)
    return StoredJudge.from_row(row) if row else None


async def read_judge(connection: Connection, judge_id: int) -> StoredJudge:
    return StoredJudge.from_row(await connection.fetchrow(_JUDGE + "WHERE id = $1", judge_id))


async def list_judges(
    connection: Connection, *, after: tuple[str, int] | None = None, limit: int = 500
) -> list[StoredJudge]:
    """List judges by name, newest version first, from just after the place `after` (name, version) on."""
    rows = await connection.fetch(
        _JUDGE + "WHERE $1::text IS NULL OR name > $1 OR (name = $1 AND version < $2)"
        " ORDER BY name, version DESC LIMIT $3",
        *(after or (None, None)),
        limit,
    )
    return [StoredJudge.from_row(row) for row in rows]
