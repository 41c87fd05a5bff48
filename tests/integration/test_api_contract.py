"""The API keeps to its own description: whatever schemathesis makes of it is answered as /docs says.

CONTRACT_EXAMPLES=200 looks for longer.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.api import check
from tests.integration.commands import ROOT
from tests.integration.serving import Api, finished_run, make_settings, serve_api
from tests.integration.submitting import store_suite

EXAMPLES = os.environ.get("CONTRACT_EXAMPLES", "3")
CONFIGURATION = Path(__file__).parent / "contract" / "schemathesis.toml"


@pytest.fixture
async def api(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    monkeypatch.setattr(check.check_models, "__defaults__", (0.1,))  # no worker is there to wait for
    many = {"requests_per_minute": 10**6, "unknown_keys_per_minute": 10**6}
    settings = make_settings(database_url, redis_url, tmp_path, secret_key="s", **many)
    async with serve_api(settings) as api:
        yield api


@pytest.mark.slow
async def test_every_answer_is_one_that_the_description_knows(api: Api, tmp_path: Path) -> None:
    await store_suite(api)
    schedule = {"suite": "golden", "models": ["bright"]}
    (await api.client.put("/api/v1/schedules/nightly", json=schedule)).raise_for_status()
    key = api.client.headers["Authorization"]

    options = (key, str(await finished_run(api)), "--max-examples", EXAMPLES)

    reading, acting = await asyncio.gather(
        look(api, tmp_path, *options, "--include-method", "GET"),
        look(api, tmp_path, *options, "--exclude-method", "GET"),
    )

    assert reading[0] == 0, reading[1]
    assert acting[0] == 0, acting[1]


async def test_without_a_key_every_answer_is_described_too(api: Api, tmp_path: Path) -> None:
    code, told = await look(
        api, tmp_path, "", str(uuid4()), "--max-examples", "1", "--phases", "examples,fuzzing"
    )

    assert code == 0, told


async def look(api: Api, folder: Path, authorization: str, run_id: str, *options: str) -> tuple[int, str]:
    """Run schemathesis over the whole description, as a process of its own: its exit code and its words."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", "run"),
        *(f"{api.client.base_url}/openapi.json", *options),
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CONTRACT_AUTHORIZATION": authorization,
            "CONTRACT_RUN": run_id,
            "COLUMNS": "120",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()
