"""/schedules: settle what runs by itself, look at its nights, open one by hand."""

from datetime import date
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Response

from services.api import scheduling
from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.lookup import find_schedule
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.routes.runs import ACCEPTED
from services.api.routes.runs import router as runs_router
from services.api.scheduling import tell_schedule, tell_schedules
from services.api.schemas import schedules as schemas
from services.api.schemas.fields import SuiteName
from services.api.schemas.runs import Run
from shared.db import schedules
from shared.db.keys import Scope

router = APIRouter(prefix="/api/v1/schedules", tags=["schedules"], responses=KEYED)

_by_name = Cursor[str](SuiteName)
_by_night = Cursor[date](schemas.NightDate)

Named: TypeAlias = Annotated[SuiteName, Path(description="The schedule's name.", examples=["nightly"])]


@router.get("", response_model=schemas.SchedulePage, dependencies=[needs(Scope.READ)])
async def list_schedules(desk: AtDesk, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List the schedules by name."""
    async with desk.connection() as connection:
        found = await schedules.list_schedules(connection, after=_by_name.read(cursor), limit=limit + 1)
        page, next_cursor = _by_name.cut(found, limit, lambda schedule: schedule.name)
        return {"items": await tell_schedules(connection, page), "next_cursor": next_cursor}


@router.get("/{name}", response_model=schemas.Schedule, dependencies=[needs(Scope.READ)], responses=MISSING)
async def show_schedule(desk: AtDesk, name: Named) -> Any:
    """Show a schedule: what it asks, when it comes due next, how its last night went."""
    async with desk.connection() as connection:
        return await tell_schedule(connection, await find_schedule(connection, name))


@router.put(
    "/{name}",
    response_model=schemas.Schedule,
    dependencies=[needs(Scope.SUBMIT)],
    responses={
        200: {"description": "The schedule was there; it has these terms from now on."},
        201: {"model": schemas.Schedule, "description": "The schedule is new."},
        **MISSING,
        **WITH_BODY,
    },
)
async def put_schedule(
    desk: AtDesk, actor: Actor, name: Named, request: schemas.ScheduleRequest, response: Response
) -> Any:
    """Settle a schedule. Everything is checked as if its night came due now; what has been measured stays.

    Its nights begin with the first time that comes due after it was made, resumed, or given other times.
    """
    async with desk.connection() as connection, connection.transaction():
        schedule, is_new = await scheduling.settle(connection, desk, actor, name, request)
        response.status_code = 201 if is_new else 200
        return await tell_schedule(connection, schedule)


@router.get(
    "/{name}/nights",
    response_model=schemas.NightPage,
    dependencies=[needs(Scope.READ)],
    responses=MISSING,
)
async def list_nights(desk: AtDesk, name: Named, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List a schedule's nights, newest first, those that were missed included."""
    before = _by_night.read(cursor)
    async with desk.connection() as connection:
        schedule = await find_schedule(connection, name)
        found = await schedules.list_nights(connection, schedule.id, before=before, limit=limit + 1)
    items, next_cursor = _by_night.cut(found, limit, lambda night: night.night)
    return {"items": items, "next_cursor": next_cursor}


@router.post(
    "/{name}/trigger",
    status_code=202,
    response_model=Run,
    dependencies=[needs(Scope.SUBMIT)],
    responses={202: ACCEPTED, **MISSING, **CONFLICTING, **WITH_BODY},
)
async def trigger_night(
    desk: AtDesk, actor: Actor, name: Named, response: Response, request: schemas.TriggerRequest | None = None
) -> Any:
    """Open tonight's night now, or that of a later date. A night that has run is confirmed, twice at most.

    Nights only go forward: the schedule goes on by itself with the first date after this one.
    """
    run = await scheduling.trigger(desk, actor, name, request.night if request else None)
    response.headers["Location"] = f"{runs_router.prefix}/{run.id}"
    return run


@router.post(
    "/{name}/pause", response_model=schemas.Schedule, dependencies=[needs(Scope.SUBMIT)], responses=MISSING
)
async def pause_schedule(desk: AtDesk, actor: Actor, name: Named) -> Any:
    """Pause a schedule: no night of it is opened, and none counts as missed. Runs that are open go on."""
    async with desk.connection() as connection, connection.transaction():
        return await tell_schedule(connection, await scheduling.pause(connection, actor, name))


@router.post(
    "/{name}/resume", response_model=schemas.Schedule, dependencies=[needs(Scope.SUBMIT)], responses=MISSING
)
async def resume_schedule(desk: AtDesk, actor: Actor, name: Named) -> Any:
    """Resume a paused schedule, with the next night that comes due."""
    async with desk.connection() as connection, connection.transaction():
        return await tell_schedule(connection, await scheduling.resume(connection, actor, name))
