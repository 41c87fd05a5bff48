"""The API over a database and a Valkey of the test's own, and the queue by itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from arq import ArqRedis

from shared.domain.runs import RunId
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.serving import Api, make_settings, open_api, serve_api


@pytest.fixture
def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, redis_url, tmp_path)


@pytest.fixture
async def api(api_settings: Settings) -> AsyncIterator[Api]:
    """The application in this process."""
    async with open_api(api_settings) as api:
        yield api


@pytest.fixture
async def served_api(api_settings: Settings) -> AsyncIterator[Api]:
    """The application behind a real server, for what streams."""
    async with serve_api(api_settings) as api:
        yield api


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    async with open_redis(redis_url) as redis:
        yield redis


@pytest.fixture
def run_id() -> RunId:
    """Of a run that only the queue knows."""
    return RunId(uuid4())
