"""/schedules: what runs by itself, how it went, and how easily it may alarm."""

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from services.api import decisions, scheduling
from services.api.alarm_budget import settle_alarm_budget
from services.api.dashboard.faults import Link, NotThere
from services.api.dashboard.forms import Filled, Reader, begin
from services.api.dashboard.views.schedule import ASIDE_LABELS, Aside, read_aside, read_schedule
from services.api.dashboard.views.schedule_form import (
    LABELS,
    fill_in,
    new_schedule,
    read_form,
    without_database,
)
from services.api.dashboard.views.schedules import BUDGET_LABELS, read_schedules
from services.api.dashboard.visit import Visit, Visiting, page_router
from services.api.decisions import Decider
from services.api.problems import NightTaken
from services.api.schemas.alarm_budget import AlarmBudgetRequest
from services.api.schemas.drift import QuarantineRequest
from services.api.schemas.fields import SuiteName
from services.api.schemas.schedules import NightDate, ScheduleRequest
from shared.db import schedules
from shared.db.keys import Scope
from shared.db.pool import AWAY_ERRORS, Connection
from shared.db.schedules import Schedule
from shared.domain.errors import InvalidInput

router = page_router()


@router.get("/schedules")
async def show_schedules(visit: Visiting, suite: SuiteName | None = None) -> Response:
    return await _show_all(visit, suite, begin(BUDGET_LABELS))


@router.post("/alarm-budget")
async def choose_budget(visit: Visiting) -> Response:
    reader = Reader(await visit.read_form(Scope.SUBMIT), BUDGET_LABELS)
    request = reader.check(
        AlarmBudgetRequest, {"nights_per_false_alarm": reader.number("nights_per_false_alarm")}
    )
    if request is None:
        return await _show_all(visit, None, reader.filled, HTTPStatus.UNPROCESSABLE_ENTITY)
    async with visit.desk.connection() as connection, connection.transaction():
        await settle_alarm_budget(connection, request.nights_per_false_alarm, visit.actor)
    return visit.go("/schedules#sensitivity")


@router.get("/new-schedule")
async def ask_for_terms(visit: Visiting, suite: SuiteName | None = None) -> Response:
    async with visit.desk.connection() as connection:
        view = await read_form(connection, visit.desk.catalogue, new_schedule(suite), is_new=True)
    return await visit.show("schedule_form.html", view)


@router.post("/new-schedule")
async def create_schedule(visit: Visiting) -> Response:
    return await _settle(visit, None)


@router.get("/schedules/{name}")
async def show_schedule(visit: Visiting, name: str, before: NightDate | None = None) -> Response:
    async with visit.desk.connection() as connection:
        schedule = await _find(connection, name)
        view = await read_schedule(connection, schedule, before, datetime.now(UTC))
    return await visit.show("schedule.html", view)


@router.get("/schedules/{name}/terms")
async def change_terms(visit: Visiting, name: str) -> Response:
    async with visit.desk.connection() as connection:
        filled = fill_in(await _find(connection, name), visit.desk.catalogue)
        view = await read_form(connection, visit.desk.catalogue, filled, is_new=False)
    return await visit.show("schedule_form.html", view)


@router.post("/schedules/{name}/terms")
async def settle_terms(visit: Visiting, name: str) -> Response:
    return await _settle(visit, name)


@router.post("/schedules/{name}/pause")
async def pause_schedule(visit: Visiting, name: str) -> Response:
    await visit.read_form(Scope.SUBMIT)
    async with visit.desk.connection() as connection, connection.transaction():
        schedule = await _find(connection, name)
        await scheduling.pause(connection, visit.actor, schedule.name)
    return visit.go(f"/schedules/{schedule.name}")


@router.post("/schedules/{name}/resume")
async def resume_schedule(visit: Visiting, name: str) -> Response:
    await visit.read_form(Scope.SUBMIT)
    async with visit.desk.connection() as connection, connection.transaction():
        schedule = await _find(connection, name)
        await scheduling.resume(connection, visit.actor, schedule.name)
    return visit.go(f"/schedules/{schedule.name}")


@router.post("/schedules/{name}/trigger")
async def trigger_night(visit: Visiting, name: str) -> Response:
    """Open tonight's night now; where that can't be, the schedule's page says why."""
    await visit.read_form(Scope.SUBMIT)
    async with visit.desk.connection() as connection:
        schedule = await _find(connection, name)
    try:
        run = await scheduling.trigger(visit.desk, visit.actor, schedule.name, None)
    except (NightTaken, InvalidInput) as error:
        told = (
            error.detail if isinstance(error, NightTaken) else f"{error.field} {error.problem} {error.remedy}"
        )
        async with visit.desk.connection() as connection:
            view = await read_schedule(connection, schedule, None, datetime.now(UTC), refusal=told)
        return await visit.show("schedule.html", view, HTTPStatus.CONFLICT)
    return visit.go(f"/runs/{run.id}")


@router.get("/schedules/{name}/nights/{night}")
async def ask_to_set_aside(
    visit: Visiting,
    name: str,
    night: NightDate,
    attempt: Annotated[int, Query(ge=0, le=2)] = 0,
) -> Response:
    form = begin(ASIDE_LABELS, attempt=attempt)
    async with visit.desk.connection() as connection:
        view = await _read_aside(connection, name, night, form)
    return await visit.show("set_aside.html", view)


@router.post("/schedules/{name}/nights/{night}")
async def set_aside(visit: Visiting, name: str, night: NightDate) -> Response:
    """Set a night aside for a model, with all that follows from it."""
    reader = Reader(await visit.read_form(Scope.SUBMIT), ASIDE_LABELS)
    request = reader.check(
        QuarantineRequest,
        {"model": reader.text("model"), "attempt": reader.whole("attempt"), "note": reader.text("note")},
    )
    if request is not None and not request.note:
        reader.refuse(InvalidInput("note", "", "Write why, for those who read it later."))
    try:
        if request is not None and reader.is_fine:
            decider = Decider(visit.actor, datetime.now(UTC), request.note)
            async with visit.desk.connection() as connection, connection.transaction():
                schedule = await _find(connection, name)
                await decisions.quarantine(
                    connection, visit.desk, schedule, request.model, night, request.attempt, decider
                )
            return visit.go(f"/schedules/{schedule.name}")
    except InvalidInput as error:
        reader.refuse(error, other="model")
    async with visit.desk.connection() as connection:
        view = await _read_aside(connection, name, night, reader.filled)
    return await visit.show("set_aside.html", view, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _show_all(visit: Visit, suite: str | None, form: Filled, status: int = HTTPStatus.OK) -> Response:
    async with visit.desk.connection() as connection:
        view = await read_schedules(connection, visit.desk, suite, form, datetime.now(UTC))
    return await visit.show("schedules.html", view, status)


async def _settle(visit: Visit, known: str | None) -> Response:
    """Store the terms of a form: of the schedule `known`, or of a new one."""
    reader = Reader(await visit.read_form(Scope.SUBMIT), LABELS)
    catalogue, name = visit.desk.catalogue, known or reader.text("name") or ""
    request = _check(reader, name)
    try:
        if request is not None:
            async with visit.desk.connection() as connection, connection.transaction():
                there = await schedules.find_schedule(connection, name)
                if there and known is None:
                    raise InvalidInput("name", f"{name!r} is there already.", "Choose another name.")
                kept = request.model_copy(update={"is_paused": there.is_paused}) if there else request
                schedule, _ = await scheduling.settle(connection, visit.desk, visit.actor, name, kept)
            return visit.go(f"/schedules/{schedule.name}")
    except InvalidInput as error:
        reader.refuse(error, other="suite")
    except AWAY_ERRORS:
        away = without_database(catalogue, reader.filled, is_new=known is None)
        return await visit.show("schedule_form.html", away, HTTPStatus.SERVICE_UNAVAILABLE)
    async with visit.desk.connection() as connection:
        view = await read_form(connection, catalogue, reader.filled, is_new=known is None)
    return await visit.show("schedule_form.html", view, HTTPStatus.UNPROCESSABLE_ENTITY)


class _NamedRequest(ScheduleRequest):
    """A schedule's terms with its name, which the REST API has in its path."""

    name: SuiteName


def _check(reader: Reader, name: str) -> ScheduleRequest | None:
    chosen = reader.words("models", "more_models")
    if not chosen and not reader.is_ticked("all_models"):
        reader.refuse(InvalidInput("all_models", "", "Tick this, or choose models."))
    named = reader.check(
        _NamedRequest,
        {
            "name": name,
            "suite": reader.text("suite"),
            "models": None if reader.is_ticked("all_models") else chosen or None,
            "judge": reader.text("judge"),
            "prompt": reader.text("prompt"),
            "cron": reader.text("cron"),
            "time_zone": reader.text("time_zone"),
            "repeats": reader.whole("repeats"),
            "sample": reader.whole("sample"),
            "max_cost_usd": reader.number("max_cost_usd"),
            "confirmations": reader.whole("confirmations"),
            "renotify_days": reader.whole("renotify_days"),
        },
    )
    return ScheduleRequest(**named.model_dump(exclude={"name"})) if named else None


async def _read_aside(connection: Connection, name: str, night: date, form: Filled) -> Aside:
    """
    Raises:
        NotThere
    """
    schedule = await _find(connection, name)
    view = await read_aside(connection, schedule, night, form)
    if view is None:
        back = Link(f"/schedules/{schedule.name}", "Its nights")
        raise NotThere(
            f"{schedule.name} has no night of {night}", "It never came due, or is still to come.", back
        )
    return view


async def _find(connection: Connection, name: str) -> Schedule:
    """
    Raises:
        NotThere
    """
    found = await schedules.find_schedule(connection, name)
    if found is None:
        told = "It was never settled here. Schedules are kept, so the address may have been cut off."
        raise NotThere(f"There is no schedule {name[:40]}", told, Link("/schedules", "All schedules"))
    return found
