"""Connections to PostgreSQL, the one place where truth is kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from shared.settings import Settings

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
Pool: TypeAlias = asyncpg.Pool


async def speak_json(connection: asyncpg.Connection) -> None:
    """Let jsonb columns travel as Python values."""

    def encode(value: Any) -> bytes:
        return b"\x01" + orjson.dumps(value)

    def decode(stored: bytes) -> Any:
        return orjson.loads(stored[1:])

    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=encode, decoder=decode, format="binary"
    )


async def keep_session(_: asyncpg.Connection) -> None:
    """Release a connection as it is: nobody sets session state, and asyncpg rolls back what is left open."""


@asynccontextmanager
async def open_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Open a bounded pool; a statement that outlives 60 s is cut off rather than holding its connection."""
    async with asyncpg.create_pool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=settings.database_connections,
        command_timeout=60,
        init=speak_json,
        reset=keep_session,
        server_settings={"application_name": "driftwarden", "timezone": "UTC"},
    ) as pool:
        yield pool
