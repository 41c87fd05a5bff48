"""Watching a run: its progress as server-sent events, until it is finished or nobody listens any more."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

from sse_starlette import ServerSentEvent

from services.api.desk import Desk
from services.api.schemas.runs import RunProgress, progress_of
from shared.db import pairs, runs
from shared.db.runs import Run
from shared.domain.runs import PairState, RunId

INTERVAL_SECONDS = 1.0
SHARE_OF_TIME = 10  # counting a large run's pairs may take at most a tenth of the database's time per watcher
HEARTBEAT_SECONDS = 15


async def follow(desk: Desk, run_id: RunId) -> AsyncIterator[ServerSentEvent]:
    """Tell `progress` whenever it changed, at most once a second, and `finished` at the end."""
    async for progress in follow_progress(desk, run_id):
        yield ServerSentEvent(progress.model_dump_json(), event=name_event(progress))


def name_event(progress: RunProgress) -> str:
    return "finished" if progress.state.is_final else "progress"


async def follow_progress(desk: Desk, run_id: RunId) -> AsyncIterator[RunProgress]:
    """A run's progress now and whenever it changed, the last one with the run's final state.

    No connection to the database is held between two looks.
    """
    told: RunProgress | None = None
    while True:
        started = time.perf_counter()
        progress = await _read_progress(desk, run_id)
        if progress != told:
            yield progress
            told = progress
        if progress.state.is_final:
            return
        took_seconds = time.perf_counter() - started
        await asyncio.sleep(max(INTERVAL_SECONDS, SHARE_OF_TIME * took_seconds))


async def _read_progress(desk: Desk, run_id: RunId) -> RunProgress:
    async with desk.connection() as connection:
        run = await runs.find_run(connection, run_id)
        counts = await pairs.count_states(connection, run_id)
    assert run is not None, "runs are not deleted while they are watched"
    return tell_progress(run, counts)


def tell_progress(run: Run, counts: Mapping[str, Mapping[PairState, int]]) -> RunProgress:
    """`counts`: how many of each model's pairs are in which state."""
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
        models=progress_of(run.models, counts),
    )
