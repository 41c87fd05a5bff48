"""Cancelling an open run."""

from services.api.desk import Desk
from services.api.lookup import find_run
from services.api.problems import RunFinished
from shared.db import audit, runs
from shared.db.runs import Run
from shared.domain.runs import RunId, RunState


async def cancel(desk: Desk, actor: str, run_id: RunId) -> Run:
    """Have an open run stopped: what was not begun is skipped, what is being asked right now is kept.

    Raises:
        NotFound: there is no such run.
        RunFinished
    """
    async with desk.connection() as connection, connection.transaction():
        if await runs.request_stop(connection, run_id, RunState.CANCELLED):
            await audit.record(connection, actor, "run.cancelled", str(run_id), {})
        run = await find_run(connection, run_id)
    if run.state.is_final:
        raise RunFinished(f"The run is {run.state} already.")
    await desk.enqueue("stop_run", run.id)
    return run
