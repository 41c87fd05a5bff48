"""What the API works with: opened once, handed to every request, closed in reverse."""

from asyncio import Semaphore, timeout
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import structlog
from arq.connections import ArqRedis
from fastapi import Depends, Request
from redis.exceptions import RedisError

from services.api.limits import Limits
from shared.db.pool import Connection, Pool, open_pool
from shared.domain.runs import RunId
from shared.models import Catalogue
from shared.prices import find_list_price
from shared.queue import enqueue_delivery, enqueue_run_job, open_redis
from shared.secrets import Vault, open_vault
from shared.settings import Settings

CONNECTION_SECONDS = 10.0
ENQUEUE_SECONDS = 0.5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Desk:
    """`exports` keeps downloads, which hold a connection as long as they last, from taking all of them.

    `vault` is None without DRIFTWARDEN_SECRET_KEY.
    """

    settings: Settings
    catalogue: Catalogue
    pool: Pool
    redis: ArqRedis
    exports: Semaphore
    limits: Limits
    vault: Vault | None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection to the database; TimeoutError when none gets free in time."""
        async with self.pool.acquire(timeout=CONNECTION_SECONDS) as connection:
            yield connection

    async def enqueue(self, job: str, run_id: RunId) -> None:
        """Put a run's control job on the queue. When Redis is away, the rescuer does it later."""
        try:
            async with timeout(ENQUEUE_SECONDS):
                await enqueue_run_job(self.redis, job, run_id)
        except (RedisError, OSError) as error:
            log.warning("run.enqueue_postponed", run=str(run_id), job=job, error=repr(error))

    async def enqueue_delivery(self) -> None:
        """Have messages sent at once. When Redis is away, the scheduler sends them a little later."""
        try:
            async with timeout(ENQUEUE_SECONDS):
                await enqueue_delivery(self.redis)
        except (RedisError, OSError) as error:
            log.warning("delivery.enqueue_postponed", error=repr(error))


@asynccontextmanager
async def open_desk(settings: Settings, catalogue: Catalogue) -> AsyncIterator[Desk]:
    find_list_price("")  # reads the price list now, so that no request waits for it
    async with open_pool(settings) as pool, open_redis(settings.redis_url.get_secret_value()) as redis:
        exports = Semaphore(max(1, settings.database_connections // 2))
        yield Desk(settings, catalogue, pool, redis, exports, Limits(redis), open_vault(settings))


async def _find_desk(request: Request) -> Desk:
    desk: Desk = request.state.desk
    return desk


AtDesk: TypeAlias = Annotated[Desk, Depends(_find_desk)]
