"""A schedule's nights: each is opened once, with its run, in one transaction."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import uuid4

from shared.db import runs, schedules
from shared.db.budget import read_alarm_budget
from shared.db.pool import Connection
from shared.db.runs import NewRun, Run
from shared.db.schedules import Budget, Schedule, ScheduleTerms
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId, RunKind
from shared.models import Catalogue
from shared.orders import (
    CLIENT_VERSIONS,
    CheckedOrder,
    JudgesItself,
    NightPlace,
    Order,
    check_order,
    choose_models,
    place_order,
)
from shared.settings import Settings

MAX_CONFIRMATIONS = 2


async def open_night(
    connection: Connection,
    catalogue: Catalogue,
    settings: Settings,
    schedule: Schedule,
    night: date,
    due_at: datetime,
) -> Run | None:
    """Open a night with its nightly run; None when it, or a later one, is there already.

    A night that was missed may still be opened, as long as it is the last one. The run's job is the caller's
    to enqueue, after the commit; the rescuer does it otherwise.

    Raises:
        InvalidInput: the schedule's order can't be run as things stand; the field says why.
    """
    async with connection.transaction():
        schedule = await schedules.lock_schedule(connection, schedule.id)
        checked = await check_terms(connection, catalogue, schedule)
        budget = await budget_of(connection, catalogue, settings, schedule)
        if not await schedules.store_night(connection, schedule.id, night, due_at, budget):
            return None
        place = NightPlace(schedule.id, night, attempt=0)
        run_id = await place_order(connection, settings, checked, RunKind.NIGHTLY, place=place)
        return await _read(connection, run_id)


async def miss_night(
    connection: Connection,
    catalogue: Catalogue,
    settings: Settings,
    schedule: Schedule,
    night: date,
    due_at: datetime,
    reason: str,
) -> bool:
    """Store that a night did not take place, and why; False when it, or a later one, is there already."""
    async with connection.transaction():
        await schedules.lock_schedule(connection, schedule.id)
        budget = await budget_of(connection, catalogue, settings, schedule)
        return await schedules.store_night(
            connection, schedule.id, night, due_at, budget, missed_because=reason
        )


async def open_confirmation(
    connection: Connection, schedule: Schedule, night: date, models: Sequence[str]
) -> Run | None:
    """Ask these models once more in a night that ran; None when it did not, or has two confirmations already.

    All else is the nightly run's own, so that the two can be compared.
    """
    async with connection.transaction():
        await schedules.lock_schedule(connection, schedule.id)
        entry = await schedules.find_night(connection, schedule.id, night)
        if entry is None or not 1 <= len(entry.runs) <= MAX_CONFIRMATIONS:
            return None
        nightly = await _read(connection, entry.runs[0].run_id)
        new = NewRun(
            id=RunId(uuid4()),
            kind=RunKind.CONFIRMATION,
            suite_version_id=nightly.suite_version_id,
            judge_id=nightly.judge_id,
            prompt_id=nightly.prompt_id,
            models=list(models),
            repeats=nightly.repeats,
            sample=nightly.sample,
            parameters=nightly.parameters,
            max_cost_usd=nightly.max_cost_usd,
            labels={},
            git_commit=None,
            client_versions=CLIENT_VERSIONS,
            idempotency_key=None,
            request_hash="",
            schedule_id=schedule.id,
            night=night,
            attempt=len(entry.runs),
        )
        return await _read(connection, await runs.submit_run(connection, new))


async def check_terms(connection: Connection, catalogue: Catalogue, terms: ScheduleTerms) -> CheckedOrder:
    """Check that a night of these terms could be run now: the models to watch, and every control beside them.

    Raises:
        InvalidInput: it could not; the field says why.
    """
    watched = choose_models(catalogue, terms.models)
    if all(catalogue.is_control(model) for model in watched):
        raise InvalidInput("models", "names controls only.", "Name a model to watch; controls come along.")
    controls = catalogue.controls()
    order = Order(
        suite=terms.suite,
        models=[*watched, *(control for control in controls if control not in watched)],
        judge=terms.judge,
        prompt=terms.prompt,
        repeats=terms.repeats,
        sample=terms.sample,
        max_cost_usd=terms.max_cost_usd,
    )
    try:
        return await check_order(connection, catalogue, order)
    except JudgesItself as error:  # which a night can't be allowed to do
        raise InvalidInput(error.field, error.problem, "Name another judge.") from None


async def budget_of(
    connection: Connection, catalogue: Catalogue, settings: Settings, schedule: Schedule
) -> Budget:
    """How easily the watch may alarm now: all models that active schedules watch, this one's included."""
    chosen = await read_alarm_budget(connection, settings)
    watched = await count_watched(connection, catalogue, schedule)
    return Budget(max(1, watched), chosen.nights_per_false_alarm)


async def count_watched(connection: Connection, catalogue: Catalogue, *besides: Schedule) -> int:
    """How many models all active schedules watch now, and these schedules, active or not."""
    active = await schedules.list_active_schedules(connection)
    each_once = {each.id: each for each in (*active, *besides)}
    return sum(_count_watched(catalogue, each) for each in each_once.values())


def _count_watched(catalogue: Catalogue, terms: ScheduleTerms) -> int:
    try:
        models = terms.models or choose_models(catalogue, None)
    except InvalidInput:
        return 0
    return sum(not catalogue.is_control(model) for model in models)


async def _read(connection: Connection, run_id: RunId | None) -> Run:
    assert run_id is not None, "the schedule's lock keeps its place free"
    run = await runs.find_run(connection, run_id)
    assert run is not None, "it was stored in this transaction"
    return run
