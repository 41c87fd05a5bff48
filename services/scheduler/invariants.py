"""Invariants: what must hold of every run, looked at again and again. It only looks: a person has to act."""

from datetime import datetime, timedelta

import structlog

from shared.db.invariants import count_broken
from shared.db.pool import Pool
from shared.metrics import INVARIANTS_BROKEN
from shared.settings import Settings

LOOKS_BACK = timedelta(days=7)

log = structlog.get_logger()


async def check_invariants(pool: Pool, settings: Settings, now: datetime) -> dict[str, int]:
    """Count the runs that break each invariant, log those that are broken, export all of them."""
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        counts = await count_broken(
            connection,
            open_since=now - timedelta(hours=settings.open_run_hours),
            finished_since=now - LOOKS_BACK,
        )
    for invariant, broken in counts.items():
        INVARIANTS_BROKEN.labels(invariant).set(broken)
        if broken:
            log.error("invariant.broken", invariant=invariant, runs=broken)
    return counts
