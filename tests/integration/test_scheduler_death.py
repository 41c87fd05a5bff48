"""What becomes of nights when schedulers are killed at any moment: each has its run, and one only."""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.rescue import rescue
from shared.queue import plant_sentinel
from shared.settings import Settings
from tests.integration.fleet import ROOT, until
from tests.integration.scheduler_process import CLOCK
from tests.integration.scheduling import Watch, keep_watch, on_night
from tests.integration.submitting import is_queued

SCHEDULERS = 2
NIGHTS = 5


async def start_scheduler(settings: Settings) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.scheduler_process",
        f"database_url={settings.database_url.get_secret_value()}",
        f"redis_url={settings.redis_url.get_secret_value()}",
        f"models={settings.models}",
        cwd=ROOT,
        stdout=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    return process


@asynccontextmanager
async def schedulers(settings: Settings) -> AsyncIterator[list[Process]]:
    """Some running schedulers; whoever is in the list at the end is killed."""
    running = list(await asyncio.gather(*(start_scheduler(settings) for _ in range(SCHEDULERS))))
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            await process.wait()


async def turn_clock(watch: Watch, now: datetime) -> None:
    await watch.redis.set(CLOCK, now.isoformat())


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
async def test_schedulers_that_are_killed_lose_no_night_and_open_none_twice(
    api_settings: Settings, seed: int
) -> None:
    chance = random.Random(seed)
    async with keep_watch(api_settings) as watch:
        named = [await watch.schedule(name=f"schedule-{number}") for number in range(3)]
        await turn_clock(watch, on_night(1, hours=0))
        async with schedulers(api_settings) as running:
            for day in range(1, NIGHTS + 1):
                await turn_clock(watch, on_night(day))
                await asyncio.sleep(chance.uniform(0, 0.03))
                victim = running.pop(chance.randrange(len(running)))
                victim.send_signal(signal.SIGKILL)
                await victim.wait()
                running.append(await start_scheduler(api_settings))

                async def all_are_there(nights: int = day) -> bool:
                    return all([len(await watch.nights(schedule)) == nights for schedule in named])

                await until(all_are_there)
        for schedule in named:
            assert [(state, runs) for _, state, runs in await watch.dates(schedule)] == [("ran", 1)] * NIGHTS
        await plant_sentinel(watch.redis)
        await rescue(watch.pool, watch.redis, datetime.now(UTC) + timedelta(minutes=1))
        for schedule in named:
            for night in await watch.nights(schedule):
                assert await is_queued(watch.redis, "plan_run", str(night.runs[0].run_id))
