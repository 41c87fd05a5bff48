"""/baselines: the nights that slow decay is measured against, where a person named them."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.api import decisions
from services.api.auth import Actor, needs
from services.api.decisions import Decider
from services.api.desk import AtDesk
from services.api.openapi import KEYED, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.schemas import baselines as schemas
from services.api.schemas.fields import ModelName, SuiteName
from shared.db import baselines, schedules
from shared.db.keys import Scope
from shared.domain.errors import InvalidInput

router = APIRouter(prefix="/api/v1/baselines", tags=["baselines"], responses=KEYED)

_by_model = Cursor[tuple[str, str]](tuple[SuiteName, ModelName])


@router.get("", response_model=schemas.BaselinePage, dependencies=[needs(Scope.READ)])
async def list_baselines(
    desk: AtDesk,
    schedule: Annotated[SuiteName | None, Query()] = None,
    model: Annotated[ModelName | None, Query()] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List the baselines that people have pinned. All other models have the first seven nights of theirs."""
    after = _by_model.read(cursor)
    async with desk.connection() as connection:
        found = await baselines.list_baselines(
            connection, schedule=schedule, model=model, after=after, limit=limit + 1
        )
    items, next_cursor = _by_model.cut(found, limit, lambda each: (each.schedule, each.model))
    return {"items": items, "next_cursor": next_cursor}


@router.post("", response_model=schemas.Baseline, dependencies=[needs(Scope.SUBMIT)], responses=WITH_BODY)
async def pin_baseline(desk: AtDesk, actor: Actor, request: schemas.BaselineRequest) -> Any:
    """Pin a model's baseline, in place of the one it had; what follows from it is computed anew.

    Once a month the model's latest seven nights are compared with it: so a decay is found that is too slow
    for any night to show.
    """
    nights = request.first_night, request.last_night
    if nights[1] < nights[0]:
        raise InvalidInput("last_night", f"{nights[1]} lies before {nights[0]}.", "Swap the two.")
    async with desk.connection() as connection, connection.transaction():
        schedule = await schedules.find_schedule(connection, request.schedule)
        if schedule is None:
            raise InvalidInput(
                "schedule", f"{request.schedule!r} is not known.", "GET /schedules lists them."
            )
        decider = Decider(actor, datetime.now(UTC))
        await decisions.pin_baseline(connection, desk, schedule, request.model, nights, decider)
        [pinned] = await baselines.list_baselines(
            connection, schedule=schedule.name, model=request.model, limit=1
        )
        return pinned
