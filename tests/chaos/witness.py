"""Who asks the databases themselves, past every wire, and does not give up while they are away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import asyncpg
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from shared.db.pairs import list_open_pairs
from shared.db.pool import Connection, speak_json
from shared.domain.runs import PairKey, RunId
from shared.queue import open_redis, pair_of
from tests.chaos.processes import PAUSE_SECONDS

PATIENCE_SECONDS = 120.0
AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
)
HOLDERS = "arq:in-progress:pair:"

T = TypeVar("T")


class Witness:
    """Reads what is open, what is closed and who holds what."""

    def __init__(self, database_url: str, redis: ArqRedis) -> None:
        self.redis = redis
        self._database_url = database_url
        self._connection: asyncpg.Connection | None = None

    async def ask(self, read: Callable[[Connection], Awaitable[T]]) -> T:
        """Read from PostgreSQL, as soon as it is there. TimeoutError when it stays away."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    if self._connection is None:
                        self._connection = await asyncpg.connect(self._database_url, timeout=5)
                        await speak_json(self._connection)
                    return await read(self._connection)
                except AWAY:
                    self.hang_up()
                    await asyncio.sleep(PAUSE_SECONDS)

    async def ask_redis(self, read: Callable[[ArqRedis], Awaitable[T]]) -> T:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await read(self.redis)
                except (RedisError, OSError):
                    await asyncio.sleep(PAUSE_SECONDS)

    async def open_pairs(self, run_id: RunId) -> set[PairKey]:
        """What still waits for an answer or the judge."""
        return set(await self.ask(lambda connection: list_open_pairs(connection, run_id)))

    async def count_closed(self, run_id: RunId) -> int:
        query = "SELECT count(*) FROM pairs WHERE run_id = $1 AND closed_at IS NOT NULL"
        return int(await self.ask(lambda connection: connection.fetchval(query, run_id)))

    async def is_finished(self, run_id: RunId) -> bool:
        query = "SELECT finished_at IS NOT NULL FROM runs WHERE id = $1"
        return bool(await self.ask(lambda connection: connection.fetchval(query, run_id)))

    async def nights(self, schedule: str) -> list[RunId]:
        """The runs that a schedule's nights have opened."""
        query = "SELECT r.id FROM runs r JOIN schedules s ON s.id = r.schedule_id WHERE s.name = $1"
        rows = await self.ask(lambda connection: connection.fetch(query, schedule))
        return [RunId(row["id"]) for row in rows]

    async def holders(self) -> dict[PairKey, int]:
        """Which process holds which pair, by its process id."""

        async def read(redis: ArqRedis) -> dict[PairKey, int]:
            keys = [key async for key in redis.scan_iter(HOLDERS + "*", count=1000)]
            owners = await redis.mget(keys) if keys else []
            return {
                pair_of(key.decode().removeprefix("arq:in-progress:")): int(owner.decode().split(":")[1])
                for key, owner in zip(keys, owners, strict=True)
                if owner is not None
            }

        return await self.ask_redis(read)

    def hang_up(self) -> None:
        if self._connection is not None:
            with suppress(OSError, asyncpg.InterfaceError):
                self._connection.terminate()
            self._connection = None


@asynccontextmanager
async def call_witness(database_url: str, redis_url: str) -> AsyncIterator[Witness]:
    async with open_redis(redis_url) as redis:
        witness = Witness(database_url, redis)
        try:
            yield witness
        finally:
            witness.hang_up()
