"""The audit log: who did what. Written in the transaction that does it."""

from collections.abc import Mapping
from typing import Any

from shared.db.pool import Connection


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
