"""Real servers: one PostgreSQL and one Valkey for the session, an empty database for each test."""

import gc
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from services.standalone import postgres, valkey
from tests.databases import Databases, prepare_databases

# How fast examples are made says how busy the machine is, and nothing of what is tested.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

# A test's data need not outlive the power supply.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_collection_finish() -> None:
    """What was imported lives as long as the tests do: no search for garbage needs to pass it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="driftwarden-tests-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def postgres_url(server_folder: Path) -> AsyncIterator[str]:
    """A PostgreSQL server, by the URL of a database that nobody writes to."""
    async with postgres.launch(server_folder, settings=CARELESS) as url:
        yield url


@pytest.fixture(scope="session")
async def databases(postgres_url: str) -> Databases:
    return await prepare_databases(postgres_url)


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """An empty, migrated database."""
    async with databases.lend() as url:
        yield url


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
