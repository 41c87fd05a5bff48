"""Schedules: settled, paused, resumed, triggered, and told with what has become of them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from services.api.desk import Desk
from services.api.lookup import find_schedule
from services.api.problems import NightTaken
from services.api.schemas.schedules import ScheduleRequest
from shared.db import audit, runs, schedules
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.db.schedules import Schedule, ScheduleTerms
from shared.domain.calendar import check_calendar, local_date, next_due
from shared.domain.errors import InvalidInput
from shared.nights import MAX_CONFIRMATIONS, check_terms, open_confirmation, open_night


async def settle(
    connection: Connection, desk: Desk, actor: str, name: str, request: ScheduleRequest
) -> tuple[Schedule, bool]:
    """Store a schedule's terms, checked as if its night came due now; the flag tells whether it is new.

    Call it inside a transaction.

    Raises:
        InvalidInput: a night of these terms could not be run; the field says why.
    """
    fields = request.model_dump()
    if request.max_cost_usd is not None:
        fields["max_cost_usd"] = Decimal(str(request.max_cost_usd))
    terms = ScheduleTerms(name=name, **fields)
    check_calendar(terms.cron, terms.time_zone)
    await check_terms(connection, desk.catalogue, terms)
    schedule, is_new = await schedules.store_schedule(connection, terms, _now())
    act = "schedule.created" if is_new else "schedule.changed"
    await audit.record(connection, actor, act, name, request.model_dump(mode="json"))
    return schedule, is_new


async def trigger(desk: Desk, actor: str, name: str, night: date | None) -> Run:
    """Open tonight's night now, or that of a later date; one that has run is confirmed.

    Raises:
        NotFound: there is no such schedule.
        NightTaken: the night lies in the past, or has its confirmations already.
        InvalidInput: the schedule's order can't be run as things stand; the field says why.
    """
    now = _now()
    async with desk.connection() as connection, connection.transaction():
        schedule = await find_schedule(connection, name)
        wanted = night or local_date(schedule.time_zone, now)
        run = await open_night(connection, desk.catalogue, desk.settings, schedule, wanted, now)
        if run is None:
            run = await _confirm(connection, schedule, wanted)
        facts = {"night": str(wanted), "attempt": run.attempt, "run": str(run.id)}
        await audit.record(connection, actor, "schedule.triggered", name, facts)
    await desk.enqueue("plan_run", run.id)
    return run


async def pause(connection: Connection, actor: str, name: str) -> Schedule:
    """Open no more nights of a schedule. Call it inside a transaction.

    Raises:
        NotFound: there is no such schedule.
    """
    schedule = await find_schedule(connection, name)
    await schedules.pause_schedule(connection, schedule.id)
    await audit.record(connection, actor, "schedule.paused", name, {})
    return await find_schedule(connection, name)


async def resume(connection: Connection, actor: str, name: str) -> Schedule:
    """Let a paused schedule go on. Call it inside a transaction.

    Raises:
        NotFound: there is no such schedule.
    """
    schedule = await find_schedule(connection, name)
    await schedules.resume_schedule(connection, schedule.id, _now())
    await audit.record(connection, actor, "schedule.resumed", name, {})
    return await find_schedule(connection, name)


async def tell_schedule(connection: Connection, schedule: Schedule) -> dict[str, Any]:
    [told] = await tell_schedules(connection, [schedule])
    return told


async def tell_schedules(connection: Connection, found: Sequence[Schedule]) -> list[dict[str, Any]]:
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


async def _confirm(connection: Connection, schedule: Schedule, night: date) -> Run:
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
