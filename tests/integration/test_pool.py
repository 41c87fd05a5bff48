"""Connections to a database that goes silent: nobody waits for it for long, and it waits for nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from services.standalone.postgres import SOCKET_PORT
from shared.db import pool as pools
from shared.db.pool import Pool, open_pool
from shared.settings import Settings
from tests.chaos.wires import Cut, Wire, string_wire

HARDLY_ANY_SECONDS = 0.5
GONE = (TimeoutError, asyncpg.InterfaceError)


def settings_for(url: str) -> Settings:
    return Settings(database_url=url, database_connections=2, _env_file=None)


@asynccontextmanager
async def lead(database_url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to the server, and the database's URL over it."""
    address = urlsplit(database_url)
    socket = Path(parse_qs(address.query)["host"][0]) / f".s.PGSQL.{SOCKET_PORT}"
    async with string_wire(socket) as wire:
        yield wire, f"postgresql://postgres@127.0.0.1:{wire.port}{address.path}"


async def write_in_transaction(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT 1")


async def test_a_silent_server_is_waited_for_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement, not also its cancelling and the rollback; then a new connection is made."""
    monkeypatch.setattr(pools, "STATEMENT_SECONDS", HARDLY_ANY_SECONDS)
    async with lead(database_url) as (wire, url), open_pool(settings_for(url)) as pool:
        await write_in_transaction(pool)
        await wire.cut(Cut.LOST)
        async with asyncio.timeout(2 * HARDLY_ANY_SECONDS):
            with pytest.raises(GONE):
                await write_in_transaction(pool)
        await wire.mend()
        await write_in_transaction(pool)


async def test_all_that_goes_silent_is_left_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When one connection is found dead, the others are not tried one after the other."""
    monkeypatch.setattr(pools, "STATEMENT_SECONDS", HARDLY_ANY_SECONDS)
    async with lead(database_url) as (wire, url), open_pool(settings_for(url)) as pool:
        async with pool.acquire(), pool.acquire():
            pass
        await wire.cut(Cut.LOST)
        with pytest.raises(GONE):
            await write_in_transaction(pool)
        await wire.mend()
        await asyncio.gather(*(write_in_transaction(pool) for _ in range(2)))


async def test_an_abandoned_transaction_holds_its_rows_for_seconds_only(database_url: str) -> None:
    async with open_pool(settings_for(database_url)) as pool:
        assert await pool.fetchval("SHOW idle_in_transaction_session_timeout") == pools.ABANDONED_AFTER
