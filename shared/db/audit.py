"""The audit log: who did what. Written in the transaction that does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """`actor` did `act`, such as `schedule.paused`, to `subject`; `facts` tell the rest."""

    id: int
    at: datetime
    actor: str
    act: str
    subject: str
    facts: Mapping[str, Any]


async def record(
    connection: Connection, actor: str, act: str, subject: str, facts: Mapping[str, Any]
) -> None:
    """Note that `actor` did `act` (such as `schedule.paused`) to `subject`; `facts` tell the rest."""
    await connection.execute(
        "INSERT INTO audit_log (actor, act, subject, facts) VALUES ($1, $2, $3, $4)",
        actor,
        act,
        subject,
        facts,
    )


async def list_entries(
    connection: Connection,
    *,
    actor: str | None = None,
    act: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """List what was done, newest first, from just after the entry `before` on.

    An `act` that ends with a dot is all acts that begin so; `until` itself is left out.
    """
    rows = await connection.fetch(
        """
        SELECT id, at, actor, act, subject, facts FROM audit_log
        WHERE ($1::text IS NULL OR actor = $1)
          AND ($2::text IS NULL OR act = $2 OR ($2 LIKE '%.' AND starts_with(act, $2)))
          AND ($3::text IS NULL OR subject = $3)
          AND ($4::timestamptz IS NULL OR at >= $4)
          AND ($5::timestamptz IS NULL OR at < $5)
          AND ($6::bigint IS NULL OR id < $6)
        ORDER BY id DESC LIMIT $7
        """,
        actor, act, subject, since, until, before, limit,
    )  # fmt: skip
    return [Entry(**row) for row in rows]
