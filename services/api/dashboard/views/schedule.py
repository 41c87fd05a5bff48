"""What the page of one schedule shows: its terms, and its nights with their runs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.api.dashboard import numbers
from services.api.dashboard.forms import Filled
from services.api.dashboard.views.schedules import RUN_MARKS, ScheduleRow, describe_schedule
from services.api.scheduling import tell_schedule
from shared.db import schedules, sequences
from shared.db.pool import Connection
from shared.db.schedules import Night, NightRun, NightState, Schedule
from shared.db.sequences import ActRow
from shared.domain.runs import RunId, RunState

SHOWN = 30
ASIDE_LABELS = {"model": "Model", "attempt": "Which run", "note": "Why?"}


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a night. `aside`: what was set aside of it, and by whom, in sentences."""

    id: str
    name: str
    mark: str
    state: str
    aside: tuple[str, ...]
    can_be_set_aside: bool
    attempt: int


@dataclass(frozen=True, slots=True)
class NightRow:
    night: date
    due: str
    mark: str
    word: str
    reason: str
    runs: tuple[RunRow, ...]


@dataclass(frozen=True, slots=True)
class SchedulePage:
    """`terms` are facts: a question and its answer. `older` is the address of the nights before these."""

    row: ScheduleRow
    terms: tuple[tuple[str, str], ...]
    nights: tuple[NightRow, ...]
    older: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Aside:
    """The form that sets a night aside for a model; runs and models are values with their texts."""

    form: Filled
    schedule: str
    night: date
    runs: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str], ...]


async def read_schedule(
    connection: Connection, schedule: Schedule, before: date | None, now: datetime, *, refusal: str = ""
) -> SchedulePage:
    """`refusal`: why a night could not be opened just now."""
    told = await tell_schedule(connection, schedule)
    found = await schedules.list_nights(connection, schedule.id, before=before, limit=SHOWN + 1)
    acts: dict[RunId, list[ActRow]] = defaultdict(list)
    for act in await sequences.list_acts(connection, schedule.id):
        acts[act.run_id].append(act)
    address = f"/schedules/{schedule.name}?before="
    older = f"{address}{found[SHOWN - 1].night}#nights" if len(found) > SHOWN else ""
    return SchedulePage(
        describe_schedule(told, now),
        _tell_terms(told),
        tuple(_describe_night(night, acts) for night in found[:SHOWN]),
        older,
        refusal,
    )


async def read_aside(connection: Connection, schedule: Schedule, night: date, form: Filled) -> Aside | None:
    """None: the schedule has no such night."""
    found = await schedules.find_night(connection, schedule.id, night)
    if found is None:
        return None
    done = [run for run in found.runs if run.state is RunState.COMPLETED]
    asked = await sequences.list_asked(connection, [run.run_id for run in done])
    models = sorted({model for named in asked.values() for model in named})
    return Aside(
        form, schedule.name, night,
        tuple((str(run.attempt), _name_run(run)) for run in done),
        tuple((model, model) for model in models),
    )  # fmt: skip


def _tell_terms(told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    asked = f"a sample of {numbers.count(told['sample'])} questions" if told["sample"] else "all questions"
    limit = told["max_cost_usd"]
    return (
        ("Suite", f"{told['suite']}, its newest version, {asked}"),
        ("Models", ", ".join(told["models"]) if told["models"] else "all of models.yaml on each night"),
        ("Judge", told["judge"] or "the default one of models.yaml"),
        ("Prompt", told["prompt"] or "none: the question alone"),
        ("Repeats", numbers.many(told["repeats"], "answer") + " to each question"),
        ("Confirms", _tell_confirmations(told["confirmations"])),
        ("Stops", "never for its cost" if limit is None else f"when a run has cost {numbers.usd(limit)} USD"),
        ("Reminds", f"every {numbers.many(told['renotify_days'], 'day')} of what is still open"),
    )


def _tell_confirmations(most: int) -> str:
    return f"a suspicious night {numbers.many(most, 'time')} at most" if most else "no night at once"


def _describe_night(night: Night, acts: Mapping[RunId, Sequence[ActRow]]) -> NightRow:
    is_missed = night.state is NightState.MISSED
    first = night.runs[0] if night.runs else None
    return NightRow(
        night.night,
        numbers.moment(night.due_at),
        "unmeasured" if is_missed or first is None else _mark(first),
        "missed" if is_missed else _name_state(first) if first else "no run",
        night.reason or "",
        tuple(_describe_run(run, acts.get(run.run_id, ())) for run in night.runs),
    )


def _describe_run(run: NightRun, acts: Sequence[ActRow]) -> RunRow:
    aside = tuple(
        f"{act.model} set aside by {act.by}. {act.note}".strip() for act in acts if act.kind == "quarantine"
    )
    return RunRow(
        str(run.run_id), _name_run(run), _mark(run), _name_state(run), aside,
        run.state is RunState.COMPLETED, run.attempt,
    )  # fmt: skip


def _mark(run: NightRun) -> str:
    return RUN_MARKS.get(run.state, "watch")


def _name_run(run: NightRun) -> str:
    return f"{numbers.ordinal(run.attempt)} confirmation" if run.attempt else "nightly run"


def _name_state(run: NightRun) -> str:
    state = run.state.replace("_", " ")
    return f"{state}, not seen by the watch yet" if run.state.is_final and not run.is_seen else state
