"""/models: rank them, look at their history, ask them who they are."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.api import check
from services.api.auth import needs
from services.api.desk import AtDesk
from services.api.leaderboard import RunUnfinished, rank_models
from services.api.lookup import find_run, find_suite
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import BY_TIME, CursorText, Limit
from services.api.schemas import models as schemas
from services.api.schemas.fields import ModelName, SuiteName, Text
from shared.db import measurements
from shared.db.keys import Scope
from shared.db.measurements import Measurement
from shared.db.pool import Connection
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId, RunState
from shared.orders import choose_models

router = APIRouter(prefix="/api/v1", tags=["models"], responses=KEYED)


@router.get(
    "/models",
    response_model=schemas.Leaderboard,
    dependencies=[needs(Scope.READ)],
    responses={**MISSING, **CONFLICTING},
)
async def show_leaderboard(
    desk: AtDesk,
    suite: Annotated[
        SuiteName | None, Query(description="Absent: the suite of the newest completed run.")
    ] = None,
    category: Annotated[Text, Query(description="`all` is the whole suite.")] = "all",
    run: Annotated[UUID | None, Query(description="Only what this run measured.")] = None,
) -> Any:
    """Rank the models by each one's newest completed run of a suite, imported runs included."""
    async with desk.connection() as connection:
        if run is not None:
            suite, measured = await _read_run(connection, run, suite, category)
        else:
            suite, measured = await _read_newest(connection, suite, category)
    return {"suite": suite, "category": category, "items": rank_models(measured)}


async def _read_run(
    connection: Connection, run_id: UUID, suite: str | None, category: str
) -> tuple[str, list[Measurement]]:
    run = await find_run(connection, run_id)
    if suite not in (None, run.suite):
        raise InvalidInput("suite", f"is not that of the run, which is {run.suite!r}.", "Leave it out.")
    if run.state is not RunState.COMPLETED:
        raise RunUnfinished(f"The run is {run.state}; only completed runs are ranked. See /runs/{run.id}.")
    return run.suite, await measurements.read_run(connection, run.id, category)


async def _read_newest(
    connection: Connection, suite: str | None, category: str
) -> tuple[str | None, list[Measurement]]:
    if suite is None:
        suite = await measurements.find_newest_suite(connection)
    else:
        await find_suite(connection, suite, None)
    return suite, [] if suite is None else await measurements.read_newest(connection, suite, category)


@router.get("/models/history", response_model=schemas.HistoryPage, dependencies=[needs(Scope.READ)])
async def list_history(
    desk: AtDesk,
    model: Annotated[ModelName, Query()],
    suite: Annotated[SuiteName | None, Query()] = None,
    category: Annotated[Text, Query(description="`all` is the whole suite.")] = "all",
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List what one model came to, run by run, newest first."""
    place = BY_TIME.read(cursor)
    before = (place[0], RunId(place[1])) if place else None
    async with desk.connection() as connection:
        found = await measurements.list_history(
            connection, model, suite=suite, category=category, before=before, limit=limit + 1
        )
    items, next_cursor = BY_TIME.cut(found, limit, lambda each: (each.finished_at, each.run_id))
    return {"items": items, "next_cursor": next_cursor}


@router.post(
    "/models:check",
    response_model=schemas.CheckedModels,
    dependencies=[needs(Scope.SUBMIT)],
    responses=WITH_BODY,
)
async def check_models(desk: AtDesk, request: schemas.CheckRequest) -> Any:
    """Ask models who they are, to see whether they answer. Waits for them for at most 90 s."""
    models = choose_models(desk.catalogue, request.models or desk.catalogue.names() or None)
    return {"items": await check.check_models(desk, models)}
