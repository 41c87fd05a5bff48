"""The API over a database and a Valkey of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
