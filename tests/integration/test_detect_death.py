"""What becomes of detection when schedulers are killed at any moment: each entry is seen once."""

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.db.pool import open_pool
from shared.db.seen import find_last_seen
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.fleet import ROOT, until
from tests.integration.test_detect import dropping, is_what_a_refold_says
from tests.integration.watching import Past, Story, begin_past

NIGHTS = 16


async def start_watching(settings: Settings) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.detecting_process",
        settings.database_url.get_secret_value(), settings.redis_url.get_secret_value(),
        cwd=ROOT, stdout=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    return process


@asynccontextmanager
async def two_schedulers(settings: Settings) -> AsyncIterator[list[Process]]:
    """Whoever is in the list at the end is killed."""
    running = list(await asyncio.gather(start_watching(settings), start_watching(settings)))
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_two_schedulers_that_are_killed_see_each_entry_once(
    database_url: str, redis_url: str, seed: int
) -> None:
    """No incident is doubled, none is lost, and the detections are those of an undisturbed fold."""
    chance = random.Random(seed)
    settings = Settings(database_url=database_url, redis_url=redis_url)
    async with open_pool(settings) as pool, open_redis(redis_url) as redis:
        past = await begin_past(pool, redis, ["bright", "dim"], is_paused=True)
        outage = Story(
            dropping("dim", 12, 0.4).chances, wrong=lambda model, night, _: (model, night) == ("bright", 7)
        )
        kills = 0
        async with two_schedulers(settings) as running:
            for night in range(1, NIGHTS + 1):
                last = await past.measure(outage)
                await asyncio.sleep(chance.uniform(0, 0.4))
                if chance.random() < 0.5 or night == NIGHTS:
                    victim = running.pop(chance.randrange(2))
                    victim.kill()
                    await victim.wait()
                    running.append(await start_watching(settings))
                    kills += 1

            async def is_seen() -> bool:
                async with pool.acquire() as connection:
                    return await find_last_seen(connection, past.schedule.id) == last

            await until(is_seen)
        assert kills >= 4
        await see_that_all_is_well(past)


async def see_that_all_is_well(past: Past) -> None:
    async with past.pool.acquire() as connection:
        seen: int = await connection.fetchval("SELECT count(*) FROM seen_entries")
    assert seen == NIGHTS
    rows = Counter(
        (one["model"], one["sequence"]) for one in await past.detections() if one["stream"] == "accuracy"
    )
    assert rows == dict.fromkeys([(m, n) for m in ("bright", "dim") for n in range(1, NIGHTS + 1)], 1)
    assert await is_what_a_refold_says(past)
    opened = Counter(model for model, kind in await past.events() if kind == "opened")
    assert opened == {"bright": 1, "dim": 1}
    assert {one.model: one.status for one in await past.incidents()}["dim"] == "open"
