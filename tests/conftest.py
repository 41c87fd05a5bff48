"""Real servers: one PostgreSQL and one Valkey for the session, a database of its own for each test."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from services.standalone import postgres, valkey
from shared.db.migrate import migrate

# How fast examples are made says how busy the machine is, and nothing of what is tested.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

TEMPLATE = "migrated"
# A test's data need not outlive the power supply.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="driftwarden-tests-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def postgres_url(server_folder: Path) -> AsyncIterator[str]:
    """A PostgreSQL server, by the URL of a database that nobody writes to."""
    async with postgres.launch(server_folder, settings=CARELESS) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
        await connection.close()
        await migrate(in_database(url, TEMPLATE))
        yield url


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """An empty, migrated database."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield in_database(postgres_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="session")
async def valkey_url(server_folder: Path) -> AsyncIterator[str]:
    async with valkey.launch(server_folder) as url:
        yield url


@pytest.fixture
async def redis_url(valkey_url: str) -> str:
    """A Valkey server that holds nothing."""
    async with Redis.from_url(valkey_url) as redis:
        await redis.flushall()
    return valkey_url


def in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
