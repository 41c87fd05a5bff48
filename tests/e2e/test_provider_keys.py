"""A run's own keys to providers: used by the workers for that run, and found nowhere afterwards."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml
from redis.asyncio import Redis

from services.simulator.config import SimulatorConfig
from services.simulator.serving import serve
from services.standalone.cluster import find_binaries
from shared.db.keys import Scope, create_key
from tests.e2e.prometheus import find_free_ports
from tests.factories import make_question
from tests.integration.fleet import ROOT, until

KEY = "sk-test-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
HEADERS = {"X-Provider-Key": f"openai={KEY}"}
QUESTIONS = [make_question(number) for number in range(1, 6)]
HEAD = "id,category,input,expected_output,scorer\n"
SUITE = HEAD + "".join(f"{each.id},math,{each.input},{each.target},numeric\n" for each in QUESTIONS)


@dataclass
class Services:
    """Processes as production runs them, each with a log of its own at the most talkative level."""

    folder: Path
    environment: Mapping[str, str]
    logs: list[Path] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[None]:
        log = self.folder / f"{name}.log"
        self.logs.append(log)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.cli", name),
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    """A provider that answers to the one key and nothing else."""
    config = SimulatorConfig.model_validate({"api_key": KEY, "models": {"bright": {"skill": 1.0}}})
    async with serve(config, questions=QUESTIONS) as url:
        yield f"{url}/v1"


@pytest.fixture
def services(provider: str, database_url: str, redis_url: str, tmp_path: Path) -> Services:
    parameters = {"model": "openai/bright", "api_base": provider, "api_key": "none"}
    entries = [{"model_name": "bright", "litellm_params": parameters}]
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"model_list": entries}))
    environment = {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DRIFTWARDEN_PORT": str(find_free_ports(1)),
        "DRIFTWARDEN_SECRET_KEY": "a secret of this installation",
        "DRIFTWARDEN_LOG_LEVEL": "debug",
        "DRIFTWARDEN_LOG_FORMAT": "json",
    }
    return Services(tmp_path, environment)


@pytest.fixture
async def client(services: Services, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    connection = await asyncpg.connect(database_url)
    _, secret = await create_key(connection, "test", Scope.ADMIN)
    await connection.close()
    url = f"http://127.0.0.1:{services.environment['DRIFTWARDEN_PORT']}"
    async with (
        services.running("api"),
        httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as client,
    ):

        async def answers() -> bool:
            try:
                return (await client.get("/readyz")).is_success
            except httpx.TransportError:
                return False

        await until(answers, within_seconds=60)
        where = {"name": "sums", "filename": "sums.csv"}
        (await client.post("/api/v1/suites", params=where, content=SUITE)).raise_for_status()
        yield client


async def submit(client: httpx.AsyncClient, headers: Mapping[str, str], **changed: Any) -> str:
    body = {"suite": "sums", "models": ["bright"], **changed}
    reply = await client.post("/api/v1/runs", json=body, headers=headers)
    assert reply.status_code == 202, reply.text
    assert KEY not in reply.text
    return str(reply.json()["id"])


async def end_of(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    async def is_finished() -> bool:
        return (await client.get(f"/api/v1/runs/{run_id}")).json()["finished_at"] is not None

    await until(is_finished, within_seconds=60)
    run: dict[str, Any] = (await client.get(f"/api/v1/runs/{run_id}")).json()
    return run


async def dump(database_url: str, *options: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(find_binaries() / "pg_dump", "--inserts", *options, database_url), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def everything_in(redis_url: str) -> str:
    async with Redis.from_url(redis_url) as redis:
        return repr([(key, await redis.dump(key)) async for key in redis.scan_iter()])


async def test_a_run_asks_with_its_own_key_which_is_nowhere_afterwards(
    services: Services, client: httpx.AsyncClient, database_url: str, redis_url: str
) -> None:
    run_id = await submit(client, HEADERS)
    kept = await dump(database_url, "--table", "run_provider_keys")
    while_open = await dump(database_url)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(services.running("worker"))
        own = await end_of(client, run_id)
        other = await end_of(client, await submit(client, {}))
    results = (await client.get(f"/api/v1/runs/{run_id}/results")).text
    exported = (await client.get(f"/api/v1/runs/{run_id}/export", params={"format": "jsonl"})).text

    assert own["aggregates"][0]["scored"] == len(QUESTIONS)
    assert other["aggregates"][0]["errors"] == {"authentication": len(QUESTIONS)}
    assert run_id in kept
    assert "INSERT" not in await dump(database_url, "--table", "run_provider_keys")
    told = {
        "the database while it was open": while_open,
        "the database": await dump(database_url),
        "Redis": await everything_in(redis_url),
        "results": results + exported + (await client.get("/api/v1/audit")).text,
        "metrics": (await client.get("/metrics")).text,
        **{log.name: log.read_text() for log in services.logs},
    }
    assert [place for place, text in told.items() if KEY in text] == []
    assert run_id in told["worker.log"]
    assert '"own_keys_to": ["openai"]' in told["the database"]
