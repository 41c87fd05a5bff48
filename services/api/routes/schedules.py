"""/schedules: settle what runs by itself, look at its nights, open one by hand."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Response

from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.problems import NightTaken, NotFound
from services.api.routes.runs import ACCEPTED
from services.api.routes.runs import router as runs_router
from services.api.schemas import schedules as schemas
from services.api.schemas.fields import SuiteName
from services.api.schemas.runs import Run
from shared.db import audit, runs, schedules
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.db.schedules import Schedule, ScheduleTerms
from shared.domain.calendar import check_calendar, local_date, next_due
from shared.domain.errors import InvalidInput
from shared.nights import MAX_CONFIRMATIONS, check_terms, open_confirmation, open_night

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
        return {"items": await _tell(connection, page), "next_cursor": next_cursor}


@router.get("/{name}", response_model=schemas.Schedule, dependencies=[needs(Scope.READ)], responses=MISSING)
async def show_schedule(desk: AtDesk, name: Named) -> Any:
    """Show a schedule: what it asks, when it comes due next, how its last night went."""
    async with desk.connection() as connection:
        return await _tell_one(connection, await _find(connection, name))


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
    fields = request.model_dump()
    if request.max_cost_usd is not None:
        fields["max_cost_usd"] = Decimal(str(request.max_cost_usd))
    terms = ScheduleTerms(name=name, **fields)
    check_calendar(terms.cron, terms.time_zone)
    async with desk.connection() as connection, connection.transaction():
        await check_terms(connection, desk.catalogue, terms)
        schedule, is_new = await schedules.store_schedule(connection, terms, _now())
        await audit.record(
            connection, actor, "schedule.created" if is_new else "schedule.changed", name,
            request.model_dump(mode="json"),
        )  # fmt: skip
        response.status_code = 201 if is_new else 200
        return await _tell_one(connection, schedule)


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
        schedule = await _find(connection, name)
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
    now = _now()
    async with desk.connection() as connection, connection.transaction():
        schedule = await _find(connection, name)
        night = (request and request.night) or local_date(schedule.time_zone, now)
        run = await open_night(connection, desk.catalogue, desk.settings, schedule, night, now)
        if run is None:
            run = await _confirm(connection, schedule, night)
        facts = {"night": str(night), "attempt": run.attempt, "run": str(run.id)}
        await audit.record(connection, actor, "schedule.triggered", name, facts)
    await desk.enqueue("plan_run", run.id)
    response.headers["Location"] = f"{runs_router.prefix}/{run.id}"
    return run


@router.post(
    "/{name}/pause", response_model=schemas.Schedule, dependencies=[needs(Scope.SUBMIT)], responses=MISSING
)
async def pause_schedule(desk: AtDesk, actor: Actor, name: Named) -> Any:
    """Pause a schedule: no night of it is opened, and none counts as missed. Runs that are open go on."""
    async with desk.connection() as connection, connection.transaction():
        schedule = await _find(connection, name)
        await schedules.pause_schedule(connection, schedule.id)
        await audit.record(connection, actor, "schedule.paused", name, {})
        return await _tell_one(connection, await _find(connection, name))


@router.post(
    "/{name}/resume", response_model=schemas.Schedule, dependencies=[needs(Scope.SUBMIT)], responses=MISSING
)
async def resume_schedule(desk: AtDesk, actor: Actor, name: Named) -> Any:
    """Resume a paused schedule, with the next night that comes due."""
    async with desk.connection() as connection, connection.transaction():
        schedule = await _find(connection, name)
        await schedules.resume_schedule(connection, schedule.id, _now())
        await audit.record(connection, actor, "schedule.resumed", name, {})
        return await _tell_one(connection, await _find(connection, name))


async def _confirm(connection: Connection, schedule: Schedule, night: date) -> runs.Run:
    """One more entry of a night that ran, of all its models.

    Raises:
        NightTaken: it did not run and lies in the past, or has its confirmations already.
    """
    entry = await schedules.find_night(connection, schedule.id, night)
    if entry is None or not entry.runs:
        last = await schedules.find_last_night(connection, schedule.id)
        raise NightTaken(
            f"The schedule has come to the night of {last}: {night} can't be run any more. Name a later date."
        )
    nightly = await runs.find_run(connection, entry.runs[0].run_id)
    assert nightly is not None, "the night names it"
    run = await open_confirmation(connection, schedule, night, nightly.models)
    if run is None:
        raise NightTaken(
            f"The night of {night} has run and was confirmed {MAX_CONFIRMATIONS} times. Name a later date."
        )
    return run


async def _find(connection: Connection, name: str) -> Schedule:
    schedule = await schedules.find_schedule(connection, name)
    if schedule is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return schedule


async def _tell_one(connection: Connection, schedule: Schedule) -> dict[str, Any]:
    [told] = await _tell(connection, [schedule])
    return told


async def _tell(connection: Connection, found: Sequence[Schedule]) -> list[dict[str, Any]]:
    """Schedules with what has become of them so far, and when they come due next."""
    now, ids = _now(), [schedule.id for schedule in found]
    last_nights = await schedules.list_last_nights(connection, ids)
    missed = await schedules.count_missed(connection, ids)
    return [
        {
            **asdict(schedule),
            "next_due_at": _next_due_at(schedule, last_nights.get(schedule.id), now),
            "last_night": _tell_last(last_nights.get(schedule.id)),
            "nights_missed": missed.get(schedule.id, 0),
        }
        for schedule in found
    ]


def _next_due_at(schedule: Schedule, last: schedules.Night | None, now: datetime) -> datetime | None:
    if schedule.is_paused:
        return None
    try:
        due = next_due(schedule.cron, schedule.time_zone, now, after=last.night if last else None)
    except InvalidInput:  # a time zone that was known when the schedule was settled
        return None
    return due.due_at if due else None


def _tell_last(last: schedules.Night | None) -> dict[str, Any] | None:
    if last is None:
        return None
    nightly = last.runs[0] if last.runs else None
    return {
        "night": last.night,
        "state": last.state,
        "run_id": nightly and nightly.run_id,
        "run_state": nightly and nightly.state,
        "reason": last.reason,
    }


def _now() -> datetime:
    return datetime.now(UTC)
