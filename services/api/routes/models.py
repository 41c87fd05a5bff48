"""/models: rank them, recommend one, look at their history, ask them who they are."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.api import check
from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.leaderboard import list_standings, read_board
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import BY_TIME, CursorText, Limit
from services.api.rankings import AtShelf, open_shelf
from services.api.recommending import describe_recommendation, read_open_incidents, recommend_of
from services.api.schemas import models as schemas
from services.api.schemas.fields import ModelName, SuiteName, Text
from services.api.schemas.recommendation import Recommendation
from shared.db import audit, measurements
from shared.db.keys import Scope
from shared.domain.figures.recommendation import DEFAULT_LOSS
from shared.domain.runs import RunId
from shared.orders import choose_models

router = APIRouter(prefix="/api/v1", tags=["models"], responses=KEYED, lifespan=open_shelf)


@router.get(
    "/models",
    response_model=schemas.Leaderboard,
    dependencies=[needs(Scope.READ)],
    responses={**MISSING, **CONFLICTING},
)
async def show_leaderboard(
    desk: AtDesk,
    shelf: AtShelf,
    suite: Annotated[
        SuiteName | None, Query(description="Absent: the suite of the newest completed run.")
    ] = None,
    category: Annotated[Text, Query(description="`all` is the whole suite.")] = "all",
    run: Annotated[UUID | None, Query(description="Only what this run measured.")] = None,
) -> Any:
    """Rank the models by each one's newest completed run of a suite, imported runs included.

    A rank is the range of places that comparing every two models on the questions of both leaves open.
    """
    async with desk.connection() as connection:
        board = await read_board(connection, desk, shelf, suite, category, run)
    return {"suite": board.suite, "category": category, "items": list_standings(board)}


@router.get(
    "/recommendation",
    response_model=Recommendation,
    dependencies=[needs(Scope.READ)],
    responses=MISSING,
)
async def recommend_model(
    desk: AtDesk,
    shelf: AtShelf,
    suite: Annotated[
        SuiteName | None, Query(description="Absent: the suite of the newest completed run.")
    ] = None,
    category: Annotated[Text, Query(description="`all` is the whole suite.")] = "all",
    loss: Annotated[
        float, Query(gt=0, le=1, allow_inf_nan=False, description="How far behind the best is good enough.")
    ] = DEFAULT_LOSS,
) -> Any:
    """Recommend a model for each need, by each one's newest completed run of a suite, with the reason."""
    async with desk.connection() as connection:
        board = await read_board(connection, desk, shelf, suite, category)
        open_incidents = await read_open_incidents(connection, board.suite) if board.suite else {}
    return describe_recommendation(board, recommend_of(board, open_incidents, loss))


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
async def check_models(desk: AtDesk, actor: Actor, request: schemas.CheckRequest) -> Any:
    """Ask models who they are, to see whether they answer. Waits for them for at most 90 s."""
    models = choose_models(desk.catalogue, request.models or desk.catalogue.names() or None)
    async with desk.connection() as connection:
        await audit.record(connection, actor, "models.checked", "models", {"models": models})
    return {"items": await check.check_models(desk, models)}
