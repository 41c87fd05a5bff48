"""A scheduler's watch as a process of its own, which looks for unseen entries without a pause."""

import asyncio
import logging
import sys
from datetime import UTC, datetime

import structlog

from services.scheduler.detect import detect
from shared.db.pool import open_pool
from shared.models import Catalogue
from shared.queue import open_redis
from shared.settings import Settings


async def main(settings: Settings) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    async with open_pool(settings) as pool, open_redis(settings.redis_url.get_secret_value()) as redis:
        print("ready", flush=True)
        while True:
            await detect(pool, redis, Catalogue({}), datetime.now(UTC))


if __name__ == "__main__":
    asyncio.run(main(Settings(database_url=sys.argv[1], redis_url=sys.argv[2])))
