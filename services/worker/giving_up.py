"""Giving a model up: what waits for one that answers nobody ends unmeasured, with the reason."""

from datetime import UTC, datetime, timedelta

import structlog

from services.worker.bench import Bench
from services.worker.finalize import finalize_and_tell
from shared import metrics
from shared.db import pairs, runs
from shared.domain.answers.scoring import Unscored
from shared.domain.runs import RunId, RunState
from shared.queue import running_in, withdraw_from

log = structlog.get_logger()


async def give_model_up(bench: Bench, model: str) -> None:
    """End what waits for a model in every run that has waited for as long as a model may be silent."""
    fault = bench.pace.last_faults.get(model)
    if fault is None:
        return
    patience = timedelta(seconds=bench.pace.patience_seconds)
    told = Unscored(
        fault.kind, f"No call was answered for {patience.total_seconds():g} s. Last: {fault.detail}"
    )
    async with bench.pool.acquire() as connection:
        open_runs = await runs.list_open_runs(connection)
    for run in open_runs:
        has_waited = datetime.now(UTC) - run.created_at >= patience
        if run.state is RunState.RUNNING and run.stop_reason is None and has_waited:
            await give_up_line(bench, run.id, model, told)


async def give_up_line(bench: Bench, run_id: RunId, model: str, fault: Unscored) -> None:
    """End what a run has waiting for a model. What is being asked right now ends by itself."""
    in_flight = await running_in(bench.redis, model)
    async with bench.pool.acquire() as connection:
        closed = await pairs.give_up_line(connection, run_id, model, fault, except_for=in_flight)
    if not closed:
        return
    for pair, kind in closed:
        metrics.count_answer(pair.model, kind)
    log.warning("model.given_up", run=str(run_id), model=model, pairs=len(closed), reason=fault.detail)
    await withdraw_from(bench.redis, model, [pair for pair, _ in closed])
    await finalize_and_tell(bench.pool, bench.redis, run_id)
