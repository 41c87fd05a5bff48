"""Retention: for how many days answers are kept, and letting go of the older ones bit by bit."""

from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from shared.db import audit, retention
from shared.db.pool import Connection
from shared.db.retention import BATCH_PAIRS, Removed

RUNS_COUNTED = 200


async def count_prunable(connection: Connection, now: datetime, days: int, kept: Collection[str]) -> Removed:
    """What `prune` would remove now; `kept` are models whose answers stay."""
    found = Removed()
    run_ids = await retention.list_finished_before(connection, now - timedelta(days=days))
    for first in range(0, len(run_ids), RUNS_COUNTED):
        found += await retention.count_texts(connection, run_ids[first : first + RUNS_COUNTED], kept)
    return found


async def prune(
    connection: Connection,
    now: datetime,
    days: int,
    kept: Collection[str],
    actor: str,
    say: Callable[[Removed], None] = lambda _: None,
) -> Removed:
    """Remove the texts of runs that finished more than `days` ago, in small transactions; note it once.

    Interrupted, it has removed what it has removed, and noted that.
    """
    removed = Removed()
    try:
        for run_id in await retention.list_finished_before(connection, now - timedelta(days=days)):
            of_run = Removed()
            while True:
                async with connection.transaction():
                    batch = await retention.remove_texts(connection, run_id, kept)
                of_run += batch
                say(removed + of_run)
                if batch.pairs < BATCH_PAIRS:
                    break
            removed += replace(of_run, runs=int(of_run.pairs > 0))
    finally:
        if removed.pairs:
            facts = {"older_than_days": days, **asdict(removed)}
            await audit.record(connection, actor, "responses.pruned", "responses", facts)
    return removed
