"""A scheduler's surroundings: databases, a catalogue, schedules whose nights come due when a test says so."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from arq.connections import ArqRedis

from services.scheduler.nightly import open_due_nights
from shared.db import schedules, suites
from shared.db.pool import Pool, open_pool
from shared.db.schedules import Night, Schedule, ScheduleTerms
from shared.models import Catalogue
from shared.queue import open_redis
from shared.settings import Settings
from tests.factories import make_suite
from tests.integration.fleet import ROOT

# A schedule of these tests is made at noon, and comes due at two in the morning.
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERMS = ScheduleTerms(
    name="nightly",
    suite="golden",
    models=None,
    judge=None,
    prompt=None,
    cron="0 2 * * *",
    time_zone="UTC",
    repeats=1,
    sample=None,
    max_cost_usd=None,
    confirmations=2,
    renotify_days=7,
    is_paused=False,
)


def on_night(day: int, hours: float = 2.0) -> datetime:
    """The moment so many hours into the `day`th date after the one on which schedules are made."""
    return NOON.replace(hour=0) + timedelta(days=day, hours=hours)


@dataclass(frozen=True, slots=True)
class Watch:
    settings: Settings
    catalogue: Catalogue
    pool: Pool
    redis: ArqRedis

    async def schedule(self, *, now: datetime = NOON, **changed: Any) -> Schedule:
        """Store a schedule, and its suite unless that is there."""
        terms = replace(TERMS, **changed)
        async with self.pool.acquire() as connection, connection.transaction():
            await suites.store_suite(connection, terms.suite, make_suite())
            stored, _ = await schedules.store_schedule(connection, terms, now)
        return stored

    async def look(self, now: datetime, **changed: Any) -> Counter[str]:
        """One turn of a scheduler."""
        here = replace(self, **changed)
        return await open_due_nights(here.pool, here.redis, here.catalogue, here.settings, now)

    async def nights(self, schedule: Schedule) -> list[Night]:
        """All nights of a schedule, oldest first."""
        async with self.pool.acquire() as connection:
            return (await schedules.list_nights(connection, schedule.id, limit=10_000))[::-1]

    async def dates(self, schedule: Schedule) -> list[tuple[date, str, int]]:
        """Each night's date, state and number of runs, oldest first."""
        return [(each.night, each.state, len(each.runs)) for each in await self.nights(schedule)]


@asynccontextmanager
async def keep_watch(settings: Settings) -> AsyncIterator[Watch]:
    catalogue = Catalogue.load(settings.models_file, {})
    async with open_pool(settings) as pool, open_redis(settings.redis_url.get_secret_value()) as redis:
        yield Watch(settings, catalogue, pool, redis)


@asynccontextmanager
async def scheduler(settings: Settings) -> AsyncIterator[None]:
    """A scheduler as it is started in production, for the length of the block."""
    environment = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "DRIFTWARDEN_MODELS": str(settings.models),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "scheduler", cwd=ROOT, env={**os.environ, **environment}
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()
