"""What the form of a schedule's terms shows."""

from dataclasses import dataclass

from services.api.dashboard.forms import Filled, begin
from services.api.dashboard.views.submit import name_models, name_suite, read_judges
from shared.db import suites
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.models import Catalogue

LABELS = {
    "name": "Name",
    "suite": "Suite",
    "all_models": "All of models.yaml, as it is on each night",
    "models": "Or only these models",
    "more_models": "Other models",
    "judge": "Judge",
    "prompt": "Prompt",
    "cron": "When: minute, hour, day, month, weekday",
    "time_zone": "On the clock of",
    "repeats": "Repeats",
    "sample": "Questions, at most",
    "max_cost_usd": "Stop a night at cost, USD",
    "confirmations": "Confirmations, at most",
    "renotify_days": "Remind every so many days",
}
ZONES = ("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo")


@dataclass(frozen=True, slots=True)
class ScheduleForm:
    """The form with its choices: pairs of a value and its text. `name` is that of a known schedule."""

    form: Filled
    name: str
    is_new: bool
    suites: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str], ...]
    judges: tuple[tuple[str, str], ...]
    zones: tuple[str, ...] = ZONES


def new_schedule(suite: str | None) -> Filled:
    return begin(
        LABELS, name="nightly", suite=suite, all_models="yes", cron="0 2 * * *", time_zone="UTC", repeats=1,
        confirmations=2, renotify_days=7,
    )  # fmt: skip


def fill_in(schedule: Schedule, catalogue: Catalogue) -> Filled:
    named = schedule.models or ()
    return begin(
        LABELS,
        name=schedule.name,
        suite=schedule.suite,
        all_models=None if schedule.models else "yes",
        models=[name for name in named if name in catalogue.entries],
        more_models=" ".join(name for name in named if name not in catalogue.entries) or None,
        judge=schedule.judge,
        prompt=schedule.prompt,
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        repeats=schedule.repeats,
        sample=schedule.sample,
        max_cost_usd=None if schedule.max_cost_usd is None else f"{schedule.max_cost_usd.normalize():f}",
        confirmations=schedule.confirmations,
        renotify_days=schedule.renotify_days,
    )


async def read_form(
    connection: Connection, catalogue: Catalogue, form: Filled, *, is_new: bool
) -> ScheduleForm:
    stored = [one for one in await suites.list_suites(connection) if one.is_runnable]
    return ScheduleForm(
        form,
        form.text("name"),
        is_new,
        tuple((one.name, name_suite(one)) for one in stored),
        name_models(catalogue, form.values.get("models", ())),
        await read_judges(connection, catalogue, form.text("judge")),
    )


def without_database(catalogue: Catalogue, form: Filled, *, is_new: bool) -> ScheduleForm:
    """The form as it was sent, when the database does not even tell the suites."""
    suite, judge = form.text("suite"), form.text("judge")
    return ScheduleForm(
        form.unsaved(), form.text("name"), is_new, ((suite, suite),),
        name_models(catalogue, form.values.get("models", ())), ((judge, judge or "the default one"),),
    )  # fmt: skip
