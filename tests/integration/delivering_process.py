"""A sender as a process of its own, by the test's clock. At the point named, it tells so and stands still."""

import asyncio
import logging
import sys
from datetime import datetime
from typing import Any

import structlog
from arq.connections import ArqRedis

from services.scheduler.channels.post import Post, open_post
from services.scheduler.deliver import deliver
from shared.db.pool import open_pool
from shared.queue import open_redis
from shared.settings import Settings

CLOCK = "clock"


async def stand_still(point: str) -> None:
    print(point, flush=True)
    await asyncio.Event().wait()


class Slow(Post):
    """Stands still right before, or right after, it sends."""

    point = ""

    async def send(self, *parcel: Any) -> Any:
        if self.point == "before":
            await stand_still("before")
        outcome = await super().send(*parcel)
        if self.point == "after":
            await stand_still("after")
        return outcome


async def read_clock(redis: ArqRedis) -> datetime:
    return datetime.fromisoformat((await redis.get(CLOCK)).decode())


async def main(point: str, settings: Settings) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    Slow.point = point
    async with (
        open_pool(settings) as pool,
        open_redis(settings.redis_url.get_secret_value()) as redis,
        open_post(settings) as post,
    ):
        slow = Slow(post.session, post.vault, post.mail_server, post.slack_url, post.public_url)
        print("ready", flush=True)
        while True:
            now = await read_clock(redis)
            await deliver(pool, slow, lambda now=now: now)  # type: ignore[misc]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Settings(**dict(one.split("=", 1) for one in sys.argv[2:]))))  # type: ignore[arg-type]
