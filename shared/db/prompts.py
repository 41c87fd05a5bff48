"""Prompts, versioned by content."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.db.pool import Connection
from shared.domain.questions.prompts import Message, Prompt
from shared.domain.runs import RunId


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    id: int
    version: int
    created_at: datetime
    prompt: Prompt

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "StoredPrompt":
        messages = tuple(Message(**each) for each in row["messages"])
        return cls(
            row["id"], row["version"], row["created_at"], Prompt(row["name"], messages, row["variables"])
        )


_PROMPT = "SELECT id, name, version, messages, variables, created_at FROM prompts "


async def store_prompt(connection: Connection, prompt: Prompt) -> tuple[StoredPrompt, bool]:
    """Store a prompt, or find the version that already has this content; whether it is a new version.

    The caller's transaction keeps others from numbering the same name meanwhile.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"prompt:{prompt.name}")
    status = await connection.execute(
        """
        INSERT INTO prompts (name, version, messages, variables, content_hash)
        SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4 FROM prompts WHERE name = $1
        ON CONFLICT (name, content_hash) DO NOTHING
        """,
        prompt.name, [each.as_json() for each in prompt.messages], dict(prompt.variables),
        prompt.content_hash,
    )  # fmt: skip
    row = await connection.fetchrow(
        _PROMPT + "WHERE name = $1 AND content_hash = $2", prompt.name, prompt.content_hash
    )
    return StoredPrompt.from_row(row), bool(status == "INSERT 0 1")


async def find_prompt(connection: Connection, name: str, version: int | None) -> StoredPrompt | None:
    """Find a version of a prompt; without one, the newest."""
    row = await connection.fetchrow(
        _PROMPT + "WHERE name = $1 AND ($2::int IS NULL OR version = $2) ORDER BY version DESC LIMIT 1",
        name,
        version,
    )
    return StoredPrompt.from_row(row) if row else None


async def read_prompt(connection: Connection, prompt_id: int) -> StoredPrompt:
    return StoredPrompt.from_row(await connection.fetchrow(_PROMPT + "WHERE id = $1", prompt_id))


async def list_prompts(
    connection: Connection, *, after: tuple[str, int] | None = None, limit: int = 500
) -> list[StoredPrompt]:
    """List prompts by name, newest version first, from just after the place `after` (name, version) on."""
    rows = await connection.fetch(
        _PROMPT + "WHERE $1::text IS NULL OR name > $1 OR (name = $1 AND version < $2)"
        " ORDER BY name, version DESC LIMIT $3",
        *(after or (None, None)),
        limit,
    )
    return [StoredPrompt.from_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class PromptUse:
    """How a version was used: how many runs, and the newest completed one of them."""

    prompt_id: int
    runs: int
    run_id: RunId | None
    suite: str | None


async def list_uses(connection: Connection, prompt_ids: Sequence[int]) -> dict[int, PromptUse]:
    """The uses of these versions; one that no run has used has no entry."""
    rows = await connection.fetch(
        """
        SELECT r.prompt_id, count(*)::int AS runs, last.run_id, last.suite
        FROM runs r
        LEFT JOIN LATERAL (
            SELECT l.id AS run_id, s.name AS suite
            FROM runs l JOIN suite_versions v ON v.id = l.suite_version_id JOIN suites s ON s.id = v.suite_id
            WHERE l.prompt_id = r.prompt_id AND l.state = 'completed'
            ORDER BY l.finished_at DESC, l.id DESC LIMIT 1
        ) last ON true
        WHERE r.prompt_id = ANY ($1)
        GROUP BY r.prompt_id, last.run_id, last.suite
        """,
        prompt_ids,
    )
    return {row["prompt_id"]: PromptUse(**row) for row in rows}
