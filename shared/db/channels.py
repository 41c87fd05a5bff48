"""Channels: where people are reached. Targets and secrets come encrypted, and are stored as they come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg

from shared.db.pool import Connection
from shared.domain.telling.routing import MinSeverity, Routing

OF_SETTINGS = "settings-slack"  # the channel that DRIFTWARDEN_SLACK_WEBHOOK_URL makes
_NOT_SET = "DRIFTWARDEN_SLACK_WEBHOOK_URL is not set for the scheduler."


class ChannelKind(StrEnum):
    SLACK = "slack"
    WEBHOOK = "webhook"
    EMAIL = "email"
    APPRISE = "apprise"


class ChannelState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class NewChannel:
    name: str
    kind: ChannelKind
    target: bytes
    target_hint: str
    secret: bytes | None
    min_severity: MinSeverity
    models: Sequence[str] | None
    suites: Sequence[str] | None
    weekly_since: datetime | None
    created_by: str


@dataclass(frozen=True, slots=True)
class Channel:
    id: int
    name: str
    kind: ChannelKind
    origin: str
    state: ChannelState
    disabled_because: str | None
    target_hint: str
    min_severity: MinSeverity
    models: Sequence[str] | None
    suites: Sequence[str] | None
    weekly_since: datetime | None
    former_until: datetime | None
    created_at: datetime
    created_by: str
    updated_at: datetime

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "Channel":
        typed = {
            "kind": ChannelKind(row["kind"]),
            "state": ChannelState(row["state"]),
            "min_severity": MinSeverity(row["min_severity"]),
        }
        return cls(**{**row, **typed})

    @property
    def routing(self) -> Routing:
        return Routing(self.min_severity, self.models, self.suites)


_CHANNEL = (
    "SELECT id, name, kind, origin, state, disabled_because, target_hint, min_severity, models, suites,"
    " weekly_since, former_until, created_at, created_by, updated_at FROM channels "
)
_CHANGEABLE = frozenset(
    {"target", "target_hint", "min_severity", "models", "suites", "weekly_since", "state", "disabled_because"}
)


async def store_channel(connection: Connection, new: NewChannel) -> Channel | None:
    """Store a channel; None when its name is taken."""
    stored = await connection.fetchval(
        """
        INSERT INTO channels (name, kind, target, target_hint, secret, min_severity, models, suites,
                              weekly_since, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        new.name, new.kind, new.target, new.target_hint, new.secret, new.min_severity, new.models, new.suites,
        new.weekly_since, new.created_by,
    )  # fmt: skip
    return None if stored is None else await find_channel(connection, new.name)


async def find_channel(connection: Connection, name: str, *, lock: bool = False) -> Channel | None:
    row = await connection.fetchrow(
        _CHANNEL + "WHERE name = $1 AND state <> 'removed'" + (" FOR UPDATE" if lock else ""), name
    )
    return Channel.from_row(row) if row else None


async def list_channels(
    connection: Connection, *, after: str | None = None, limit: int = 500
) -> list[Channel]:
    """List channels by name, from just after the name `after` on."""
    rows = await connection.fetch(
        _CHANNEL + "WHERE state <> 'removed' AND ($1::text IS NULL OR name > $1) ORDER BY name LIMIT $2",
        after,
        limit,
    )
    return [Channel.from_row(row) for row in rows]


async def list_active_channels(connection: Connection) -> list[Channel]:
    rows = await connection.fetch(_CHANNEL + "WHERE state = 'active' ORDER BY id")
    return [Channel.from_row(row) for row in rows]


async def change_channel(connection: Connection, channel_id: int, changes: Mapping[str, Any]) -> None:
    """Change columns of a channel by name."""
    if not changes.keys() <= _CHANGEABLE:
        raise ValueError(f"not a column that changes: {changes.keys() - _CHANGEABLE}")
    columns = list(changes)
    assignments = "".join(f"{column} = ${place}, " for place, column in enumerate(columns, start=2))
    await connection.execute(
        f"UPDATE channels SET {assignments}updated_at = now() WHERE id = $1 AND state <> 'removed'",
        channel_id,
        *(changes[column] for column in columns),
    )


async def rotate_secret(
    connection: Connection, channel_id: int, secret: bytes, former_until: datetime
) -> None:
    """Sign with another secret from now on, and until a moment with the present one as well."""
    await connection.execute(
        "UPDATE channels SET former_secret = secret, former_until = $3, secret = $2, updated_at = now()"
        " WHERE id = $1 AND secret IS NOT NULL",
        channel_id, secret, former_until,
    )  # fmt: skip


async def remove_channel(connection: Connection, channel_id: int) -> None:
    """Forget a channel's target and secrets; its name is free again, its deliveries stay on record."""
    await connection.execute(
        "UPDATE channels SET state = 'removed', disabled_because = NULL, target = NULL, secret = NULL,"
        " former_secret = NULL, former_until = NULL, updated_at = now() WHERE id = $1",
        channel_id,
    )


async def disable_channel(connection: Connection, channel_id: int, reason: str) -> bool:
    """Send nothing more over a channel until a person enables it again; False if it was not active."""
    status = await connection.execute(
        "UPDATE channels SET state = 'disabled', disabled_because = $2, updated_at = now()"
        " WHERE id = $1 AND state = 'active'",
        channel_id, reason,
    )  # fmt: skip
    return bool(status == "UPDATE 1")


async def follow_settings(connection: Connection, target_hint: str | None) -> None:
    """Have the settings' own channel, or, without its address, have it disabled."""
    if target_hint is None:
        await connection.execute(
            "UPDATE channels SET state = 'disabled', disabled_because = $1, updated_at = now()"
            " WHERE origin = 'settings' AND state = 'active'",
            _NOT_SET,
        )
        return
    await connection.execute(
        """
        INSERT INTO channels AS c (name, kind, origin, target_hint, created_by)
        VALUES ($1, 'slack', 'settings', $2, 'settings')
        ON CONFLICT (name) WHERE state <> 'removed' DO UPDATE
        SET state = 'active', disabled_because = NULL, target_hint = $2, updated_at = now()
        WHERE c.origin = 'settings' AND (c.disabled_because = $3 OR c.target_hint <> $2)
        """,
        OF_SETTINGS, target_hint, _NOT_SET,
    )  # fmt: skip
