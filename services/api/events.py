"""Watching a run: its progress as server-sent events, until it is finished or nobody listens any more."""

import asyncio
import time
from collections.abc import AsyncIterator

from sse_starlette import ServerSentEvent

from services.api.desk import Desk
from services.api.schemas.runs import RunProgress, progress_of
from shared.db import pairs, runs
from shared.domain.runs import PairState, RunId

INTERVAL_SECONDS = 1.0
SHARE_OF_TIME = 10  # counting a large run's pairs may take at most a tenth of the database's time per watcher
HEARTBEAT_SECONDS = 15


async def follow(desk: Desk, run_id: RunId) -> AsyncIterator[ServerSentEvent]:
    """Tell `progress` whenever it changed, at most once a second, and `finished` at the end.

    No connection to the database is held between two looks.
    """
    told: RunProgress | None = None
    while True:
        started = time.perf_counter()
        progress = await _read_progress(desk, run_id)
        if progress.state.is_final:
            yield ServerSentEvent(progress.model_dump_json(), event="finished")
            return
        if progress != told:
            yield ServerSentEvent(progress.model_dump_json(), event="progress")
            told = progress
        took_seconds = time.perf_counter() - started
        await asyncio.sleep(max(INTERVAL_SECONDS, SHARE_OF_TIME * took_seconds))


async def _read_progress(desk: Desk, run_id: RunId) -> RunProgress:
    async with desk.connection() as connection:
        run = await runs.find_run(connection, run_id)
        counts = await pairs.count_states(connection, run_id)
    assert run is not None, "runs are not deleted while they are watched"
    models = progress_of(run.models, counts)
    closed = sum(
        number
        for states in counts.values()
        for state, number in states.items()
        if state not in (PairState.PENDING, PairState.ANSWERED)
    )
    return RunProgress(
        run_id=run.id,
        state=run.state,
        planned_pairs=run.planned_pairs,
        closed_pairs=closed,
        spent_usd=run.spent_usd,
        error=run.error,
        models=models,
    )
