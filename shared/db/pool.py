"""Connections to PostgreSQL, the one place where truth is kept."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from shared.settings import Settings

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
Pool: TypeAlias = asyncpg.Pool

# PostgreSQL is away; the statement was not wrong. A timeout is an OSError, and a connection that breaks at a
# bad moment shows as asyncpg's InternalClientError.
AWAY_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,
)
DATABASE_ERRORS = (*AWAY_ERRORS, asyncpg.PostgresError, asyncpg.InterfaceError)

STATEMENT_SECONDS = 30.0
# A session whose client vanished in the middle of a transaction must not hold its rows for hours.
ABANDONED_AFTER = "30s"


class Line(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Hangs up on a server that does not answer a statement in time, for the way to it may be gone.

    asyncpg itself would wait as long once more for it to cancel the statement, and then to roll back; and
    then again on each connection of the pool, hence `on_silence`.
    """

    on_silence: Callable[[], Awaitable[object]]

    async def execute(self, *arguments: Any, **options: Any) -> str:
        async with self._hanging_up():
            status: str = await super().execute(*arguments, **options)
            return status

    async def _execute(self, *arguments: Any, **options: Any) -> Any:
        async with self._hanging_up():
            return await super()._execute(*arguments, **options)

    @asynccontextmanager
    async def _hanging_up(self) -> AsyncIterator[None]:
        try:
            yield
        except TimeoutError:
            self.terminate()
            await self.on_silence()
            raise


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
    """Open a bounded pool; a statement that outlives STATEMENT_SECONDS costs all its connections."""

    async def set_up(connection: Line) -> None:
        connection.on_silence = pool.expire_connections
        await speak_json(connection)
        # Not asked for at the start of the connection, where PgBouncer would refuse it.
        await connection.execute(f"SET idle_in_transaction_session_timeout = '{ABANDONED_AFTER}'")

    pool = asyncpg.create_pool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=settings.database_connections,
        command_timeout=STATEMENT_SECONDS,
        connection_class=Line,
        init=set_up,
        reset=keep_session,
        server_settings={"application_name": "driftwarden", "timezone": "UTC"},
    )
    async with pool:
        yield pool
