"""/healthz and /readyz of worker and scheduler: they tell the truth, and what to do about it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
from asyncpg import Pool

from services.standalone.instance import reserve_port
from services.worker.claim import ClaimingWorker
from shared.db.pool import open_pool
from shared.domain.runs import RunId
from shared.health import STUCK_SECONDS, Pulse, Vitals, ask_database, serve_probes
from shared.queue import enqueue_pairs, open_redis
from shared.settings import Settings
from tests.integration.fleet import ROOT, Floor, Valkey, pairs_of, serve_valkey, until, worker_for, working


@pytest.fixture
async def own_valkey() -> AsyncIterator[Valkey]:
    async with serve_valkey() as valkey:
        yield valkey


class Probed:
    """A process' probes, asked over HTTP."""

    def __init__(self, client: httpx.AsyncClient, worker: ClaimingWorker, floor: Floor, pool: Pool) -> None:
        self._client, self.worker, self.floor, self.pool = client, worker, floor, pool

    async def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        answer = await self._client.get(path)
        return answer.status_code, answer.json()

    async def is_ready(self) -> bool:
        return (await self.ask("/readyz"))[0] == 200

    @property
    def url(self) -> str:
        return str(self._client.base_url)


@asynccontextmanager
async def probe(database_url: str, redis_url: str, pulse: Pulse | None = None) -> AsyncIterator[Probed]:
    settings = Settings(database_url=database_url, redis_url=redis_url, _env_file=None)  # type: ignore[call-arg, arg-type]
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings))
        redis = await stack.enter_async_context(open_redis(redis_url))
        floor = Floor()
        worker = worker_for(redis, floor.evaluate_pair)
        vitals = Vitals(pool, redis, pulse or worker.pulse, lambda: not worker.allow_pick_jobs)
        port = serve_probes(settings, vitals)
        url = f"http://127.0.0.1:{port}"
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))
        yield Probed(client, worker, floor, pool)


async def test_a_worker_that_lost_redis_lives_but_is_not_ready(database_url: str, own_valkey: Valkey) -> None:
    async with probe(database_url, own_valkey.url) as process, working(process.worker):
        assert await process.ask("/healthz") == (200, {"status": "ok"})
        assert await process.ask("/readyz") == (200, {"process": "ok", "database": "ok", "redis": "ok"})
        await own_valkey.stop()
        status, told = await process.ask("/readyz")
        assert (status, told["database"]) == (503, "ok")
        assert told["redis"] != "ok"
        assert told["detail"].startswith("Redis does not answer: ")
        assert "REDIS_URL" in told["detail"]
        assert (await process.ask("/healthz"))[0] == 200, "a restart would not bring Redis back"
        await own_valkey.start()
        await until(process.is_ready)


async def test_a_database_that_is_gone_is_named(postgres_url: str, database_url: str, redis_url: str) -> None:
    name = urlsplit(database_url).path[1:]
    async with AsyncExitStack() as stack:
        connection = await asyncpg.connect(postgres_url)
        stack.push_async_callback(connection.close)
        process = await stack.enter_async_context(probe(database_url, redis_url))
        assert await process.is_ready()
        try:
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
            )
            await until(lambda: _is_unready(process))
            status, told = await process.ask("/readyz")
        finally:
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await until(process.is_ready)
    assert (status, told["redis"]) == (503, "ok")
    assert "DATABASE_URL" in told["detail"]


class _Breaking:
    """A pool whose connection ends while it is being asked, which asyncpg calls an error of its own."""

    def acquire(self) -> AbstractAsyncContextManager[Any]:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


async def test_a_connection_that_ends_while_it_is_asked_is_no_answer() -> None:
    told = await ask_database(cast(Pool, _Breaking()))
    assert told.startswith("InternalClientError: cannot switch")


async def _is_unready(process: Probed) -> bool:
    return not await process.is_ready()


async def test_a_worker_that_drains_is_not_ready_and_lives(database_url: str, redis_url: str) -> None:
    async with probe(database_url, redis_url) as process, open_redis(redis_url) as redis:
        await enqueue_pairs(redis, run := RunId(uuid4()), pairs_of(run, "slow", range(1)))
        async with working(process.worker):
            await process.floor.until_begun(1)
            process.worker.stop()
            status, told = await process.ask("/readyz")
            assert (status, told["process"]) == (503, "draining")
            assert (await process.ask("/healthz"))[0] == 200
            process.floor.gate.set()


async def test_a_scheduler_waits_for_a_redis_that_is_away(database_url: str, own_valkey: Valkey) -> None:
    with reserve_port("127.0.0.1", 0, required=True) as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli", "scheduler", cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
            env={**os.environ, "DATABASE_URL": database_url, "REDIS_URL": own_valkey.url,
                 "DRIFTWARDEN_METRICS_PORT": str(port)},
        )  # fmt: skip
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:

            async def answers(status: int) -> bool:
                try:
                    return (await client.get("/readyz")).status_code == status
                except httpx.HTTPError:
                    return False

            await until(lambda: answers(200))
            await own_valkey.stop()
            await until(lambda: answers(503))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(process.wait(), 4)  # by now arq's own worker would have ended
            await own_valkey.start()
            await until(lambda: answers(200))
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0


async def test_a_loop_without_progress_is_not_alive(database_url: str, redis_url: str) -> None:
    now = 0.0
    pulse = Pulse(lambda: now)
    pulse.beat("poll")
    pulse.beat("renewal")
    async with probe(database_url, redis_url, pulse) as process:
        now = STUCK_SECONDS
        assert (await process.ask("/healthz"))[0] == 200
        pulse.beat("renewal")
        now = STUCK_SECONDS + 30
        status, told = await process.ask("/healthz")
    assert (status, told["title"]) == (503, "Stuck")
    assert "poll for 90 s" in told["detail"]
    assert "renewal" not in told["detail"]


async def test_a_worker_at_work_keeps_its_pulse(database_url: str, redis_url: str) -> None:
    async with probe(database_url, redis_url) as process:
        seen: set[str] = set()
        process.worker.pulse.beat = seen.add  # type: ignore[method-assign]

        async def both_beat() -> bool:
            return seen == {"poll", "renewal"}

        async with working(process.worker):
            await until(both_beat)


async def test_an_event_loop_that_does_not_turn_is_told_from_outside(
    database_url: str, redis_url: str
) -> None:
    async with probe(database_url, redis_url) as process:
        # This holds the very loop that is asked about.
        blocking = httpx.get(f"{process.url}/readyz", timeout=10)  # noqa: ASYNC210
    assert blocking.status_code == 503
    assert "event loop" in blocking.json()["process"]
