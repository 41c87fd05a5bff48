"""A scheduler as a process of its own: it opens the nights that are due by the test's clock."""

import asyncio
import sys
from datetime import datetime

from arq.connections import ArqRedis

from services.scheduler.nightly import open_due_nights
from shared.db.pool import open_pool
from shared.models import Catalogue
from shared.queue import open_redis
from shared.settings import Settings

CLOCK = "clock"


async def read_clock(redis: ArqRedis) -> datetime:
    return datetime.fromisoformat((await redis.get(CLOCK)).decode())


async def main(settings: Settings) -> None:
    catalogue = Catalogue.load(settings.models_file, {})
    async with open_pool(settings) as pool, open_redis(settings.redis_url.get_secret_value()) as redis:
        print("ready", flush=True)
        while True:
            await open_due_nights(pool, redis, catalogue, settings, await read_clock(redis))


if __name__ == "__main__":
    asyncio.run(main(Settings(**dict(argument.split("=", 1) for argument in sys.argv[1:]))))  # type: ignore[arg-type]
