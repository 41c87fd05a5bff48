"""API keys: only their hashes are stored."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

import asyncpg

from shared.db.pool import Connection

USE_NOTED_EVERY = timedelta(minutes=1)
LOCK = 0x6472_6966_6B79  # "drifky"


class Scope(StrEnum):
    """What a key may do; each scope includes those before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    def includes(self, needed: "Scope") -> bool:
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: UUID
    name: str
    prefix: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    requests_per_minute: int | None


_COLUMNS = "id, name, prefix, scope, created_at, last_used_at, expires_at, revoked_at, requests_per_minute"
_KEY = f"SELECT {_COLUMNS} FROM api_keys "
_VALID = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"


def _from_row(row: asyncpg.Record) -> ApiKey:
    return ApiKey(**{**row, "scope": Scope(row["scope"])})


def _hash(secret: str) -> bytes:
    # The secret has 256 bits of its own, so a plain hash is enough and every request stays cheap.
    return hashlib.sha256(secret.encode()).digest()


async def create_key(
    connection: Connection,
    name: str,
    scope: Scope,
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
) -> tuple[ApiKey, str]:
    """Create a key; the returned secret is shown to its owner now and can't be read again."""
    secret = f"dw_{secrets.token_urlsafe(32)}"
    row = await connection.fetchrow(
        "INSERT INTO api_keys (id, name, prefix, hash, scope, expires_at, requests_per_minute)"
        f" VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}",
        uuid4(), name, secret[:8], _hash(secret), scope, expires_at, requests_per_minute,
    )  # fmt: skip
    return _from_row(row), secret


async def use_key(connection: Connection, secret: str) -> ApiKey | None:
    """Find the valid key behind a secret and note, at most once a minute, that it was used."""
    row = await connection.fetchrow(_KEY + f"WHERE hash = $1 AND {_VALID}", _hash(secret))
    if row is None:
        return None
    if row["last_used_at"] is None or row["last_used_at"] < datetime.now(UTC) - USE_NOTED_EVERY:
        await connection.execute("UPDATE api_keys SET last_used_at = now() WHERE id = $1", row["id"])
    return _from_row(row)


async def find_valid_key(connection: Connection, key_id: UUID) -> ApiKey | None:
    """A key that may be used now; None if it is unknown, revoked or expired."""
    row = await connection.fetchrow(_KEY + f"WHERE id = $1 AND {_VALID}", key_id)
    return _from_row(row) if row else None


async def list_keys(
    connection: Connection, *, after: tuple[datetime, UUID] | None = None, limit: int = 500
) -> list[ApiKey]:
    """List keys, oldest first, from just after the place `after` on; revoked ones included."""
    rows = await connection.fetch(
        _KEY
        + "WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3",
        *(after or (None, None)),
        limit,
    )
    return [_from_row(row) for row in rows]


async def hold_keys(connection: Connection) -> None:
    """Let one after the other make and revoke keys, to the end of its transaction. Using them goes on."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)


async def list_valid_keys(
    connection: Connection, *, name: str | None = None, scope: Scope | None = None
) -> list[ApiKey]:
    """The keys that may be used now: those of this name, and of this very scope."""
    rows = await connection.fetch(
        _KEY + f"WHERE {_VALID} AND ($1::text IS NULL OR name = $1) AND ($2::text IS NULL OR scope = $2)",
        name, scope,
    )  # fmt: skip
    return [_from_row(row) for row in rows]


async def revoke_key(connection: Connection, key_id: UUID) -> ApiKey | None:
    """Revoke a key; None if there is none of this id that was not revoked before."""
    row = await connection.fetchrow(
        f"UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING {_COLUMNS}",
        key_id,
    )
    return _from_row(row) if row else None
