"""What /schedules shows: every schedule with what becomes of it, and how easily the watch may alarm."""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cronsim import CronSim

from services.api.alarm_budget import tell_alarm_budget
from services.api.dashboard import numbers
from services.api.dashboard.forms import Filled
from services.api.desk import Desk
from services.api.scheduling import tell_schedules
from services.api.schemas.alarm_budget import AlarmBudget, Sensitivity
from shared.db import schedules, suites
from shared.db.pool import Connection
from shared.domain.figures.power import LARGEST_DROP, LEAST_QUESTIONS, LONGEST_NIGHTS
from shared.domain.runs import RunState

BUDGET_LABELS = {"nights_per_false_alarm": "One false alarm in at most"}
RUN_MARKS = {
    RunState.COMPLETED: "passed",
    RunState.FAILED: "outage",
    RunState.CANCELLED: "outage",
    RunState.STOPPED_BY_BUDGET: "outage",
}

_WEEKDAYS = {name.upper(): day for name, day in zip(calendar.day_abbr, calendar.day_name, strict=True)} | {
    str((number + 1) % 7): day for number, day in enumerate(calendar.day_name)
}


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One schedule. `last` is its last night in words, with its mark."""

    name: str
    suite: str
    models: str
    when: str
    mark: str
    last: str
    last_run: str
    next: str
    missed: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What one budget means, as the page prints it."""

    value: str
    nights: str
    alarms: str
    drop: str
    ten_points: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """The slider: its steps, for the suite chosen among `suites`. `chosen` is the value that is shown."""

    form: Filled
    suite: str
    questions: int
    watched: int
    suites: tuple[str, ...]
    steps: tuple[Step, ...]
    chosen: str
    set_by: str
    is_measured: bool

    @property
    def shown(self) -> Step:
        return next(step for step in self.steps if step.value == self.chosen)


@dataclass(frozen=True, slots=True)
class Schedules:
    rows: tuple[ScheduleRow, ...]
    sensitivity: Sensitivities
    has_suites: bool


async def read_schedules(
    connection: Connection, desk: Desk, suite: str | None, form: Filled, now: datetime
) -> Schedules:
    """All schedules; the sensitivity is told for this suite, else for that of a schedule."""
    found = await schedules.list_schedules(connection)
    told = await tell_schedules(connection, found)
    names = tuple(one.name for one in await suites.list_suites(connection))
    budget = await tell_alarm_budget(connection, desk, suite)
    return Schedules(
        tuple(describe_schedule(one, now) for one in told),
        describe_sensitivities(budget, names, form),
        bool(names),
    )


def describe_schedule(told: Mapping[str, Any], now: datetime) -> ScheduleRow:
    last, models = told["last_night"], told["models"]
    return ScheduleRow(
        name=told["name"],
        suite=told["suite"],
        models=f"{len(models)}: {', '.join(models)}" if models else "all of models.yaml",
        when=tell_times(told["cron"], told["time_zone"]),
        mark=_mark(last),
        last=_tell_last(last),
        last_run=str(last["run_id"]) if last and last["run_id"] else "",
        next=_tell_next(told["next_due_at"], now),
        missed=told["nights_missed"],
        is_paused=told["is_paused"],
    )


def tell_times(cron: str, time_zone: str) -> str:
    """`every day 02:00`, `Sundays 04:30, Europe/Berlin`, `1st of the month 04:00`; else cronsim's words."""
    minute, hour, day, month, weekday = cron.split()
    zone = "" if time_zone == "UTC" else f", {time_zone}"
    if minute.isdecimal() and hour.isdecimal() and month == "*":
        at = f"{int(hour):02}:{int(minute):02}{zone}"
        if day == weekday == "*":
            return f"every day {at}"
        if day == "*" and weekday.upper() in _WEEKDAYS:
            return f"{_WEEKDAYS[weekday.upper()]}s {at}"
        if weekday == "*" and day.isdecimal():
            return f"{numbers.ordinal(int(day))} of the month {at}"
    return f"{CronSim(cron, datetime.min).explain()}{zone}"


def describe_sensitivities(budget: AlarmBudget, names: Sequence[str], form: Filled) -> Sensitivities:
    current = f"{budget.nights_per_false_alarm:g}"
    values = {f"{one.nights_per_false_alarm:g}" for one in budget.choices}
    asked = form.text("nights_per_false_alarm")
    by = (
        f"Set by {budget.set_by} on {numbers.moment(budget.set_at)} UTC."
        if budget.set_at
        else "Nobody has chosen yet: this is the server's setting."
    )
    return Sensitivities(
        form=form,
        suite=budget.suite or "",
        questions=budget.questions or 0,
        watched=budget.watched_models,
        suites=tuple(names),
        steps=tuple(_describe_step(one, budget.questions or 0, current) for one in budget.choices),
        chosen=asked if asked in values else current,
        set_by=by,
        is_measured=(budget.questions or 0) >= LEAST_QUESTIONS,
    )


def _describe_step(one: Sensitivity, questions: int, current: str) -> Step:
    value = f"{one.nights_per_false_alarm:g}"
    drop, nights = one.drop_within_week, one.nights_to_ten_points
    unknown = questions < LEAST_QUESTIONS
    return Step(
        value,
        numbers.count(round(one.nights_per_false_alarm)),
        f"≤ {numbers.rate(one.false_alarms_a_year)}",
        "not measured" if unknown
        else f"over {100 * LARGEST_DROP:.0f} points" if drop is None
        else f"{numbers.size(drop)} points",
        "not measured" if unknown
        else f"over {LONGEST_NIGHTS} nights" if nights is None
        else numbers.many(nights, "night"),
        value == current,
    )  # fmt: skip


def _mark(last: Mapping[str, Any] | None) -> str:
    if last is None or last["run_id"] is None:
        return "unmeasured"
    return RUN_MARKS.get(last["run_state"], "watch")


def _tell_last(last: Mapping[str, Any] | None) -> str:
    if last is None:
        return "none yet"
    night = numbers.night(last["night"])
    if last["run_id"] is None:
        return f"missed, {night}"
    state = last["run_state"]
    return night if state is RunState.COMPLETED else f"{state.replace('_', ' ')}, {night}"


def _tell_next(due_at: datetime | None, now: datetime) -> str:
    return numbers.NOT_MEASURED if due_at is None else f"in {numbers.lasting((due_at - now).total_seconds())}"
