"""Running the watch over stored history: what is read, how much is too much, and what came of it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, TypedDict

from services.api.desk import Desk
from services.api.schemas.backtests import BacktestRequest
from shared.db import backtests, schedules, sequences, suites
from shared.db.backtests import PastRun
from shared.db.budget import read_alarm_budget
from shared.db.controls import compare_controls
from shared.db.identity import read_identities
from shared.db.pool import Connection
from shared.db.sequences import Place
from shared.detecting import SequenceAt, read_history
from shared.domain.causes.controls import ControlFinding
from shared.domain.causes.identity import Identity
from shared.domain.drift.budget import Budget
from shared.domain.drift.detections import Subject
from shared.domain.drift.sequence import Entry
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId
from shared.domain.telling.backtest import RENOTIFY_DAYS, Backtest, Circumstances, backtest
from shared.domain.telling.records import Event, Improvement, Record

MOST_ENTRIES = 1_000
MOST_PAIRS = 1_000_000
ENTRIES_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Past:
    """History to go over."""

    suite: str
    sequence: SequenceAt
    renotify_days: int


class Workbench(TypedDict):
    """What each request finds in `request.state`: backtests take their turns, one process thinks of one."""

    backtests: asyncio.Lock


@asynccontextmanager
async def open_workbench(_: Any) -> AsyncIterator[Workbench]:
    yield {"backtests": asyncio.Lock()}


async def run_backtest(desk: Desk, turn: asyncio.Lock, request: BacktestRequest) -> dict[str, Any]:
    """Read the history that is asked for, and run the watch over it in a thread.

    Raises:
        InvalidInput: there is no such history, or too much of it.
    """
    async with turn:
        async with desk.connection() as connection:
            past = await _find_past(connection, desk, request)
            entries = await _read_entries(connection, past.sequence, request)
            circumstances = await _read_circumstances(connection, past.sequence)
        found = await asyncio.to_thread(backtest, entries, circumstances, past.renotify_days)
    return _describe(request, past, entries, found)


async def _find_past(connection: Connection, desk: Desk, request: BacktestRequest) -> Past:
    controls = desk.catalogue.controls()
    match request.schedule, request.suite:
        case str(name), None:
            schedule = await schedules.find_schedule(connection, name)
            if schedule is None:
                raise InvalidInput("schedule", f"{name!r} is not known.", "List them: GET /api/v1/schedules.")
            places = _choose(await sequences.list_places(connection, schedule.id), request.runs)
            await _check_size(connection, places)
            sequence = await read_history(connection, places, controls)
            return Past(schedule.suite, sequence, schedule.renotify_days)
        case None, str(name):
            if await suites.find_suite(connection, name) is None:
                raise InvalidInput("suite", f"{name!r} is not known.", "List them: GET /api/v1/suites.")
            runs = await backtests.list_past_runs(connection, name)
            models = _models_of(runs, request.models, controls)
            alarms = await read_alarm_budget(connection, desk.settings)
            budget = Budget(max(len(models), 1), alarms.nights_per_false_alarm)
            of_these = [run for run in runs if set(run.models) & models]
            places = _choose(
                [Place(0, run.run_id, run.run_id, run.night, 0, budget) for run in of_these], request.runs
            )
            await _check_size(connection, places)
            return Past(name, await read_history(connection, places, controls), RENOTIFY_DAYS)
        case _:
            raise InvalidInput("schedule", "or `suite` is wanted, one of the two.", "Name the history.")


def _models_of(
    runs: Sequence[PastRun], wanted: Sequence[str] | None, controls: Collection[str]
) -> frozenset[str]:
    asked = {model for run in runs for model in run.models} - set(controls)
    return frozenset(asked & set(wanted) if wanted is not None else asked)


def _choose(places: Sequence[Place], runs: int | Sequence[Any] | None) -> list[Place]:
    """Those of the places that are asked for, in their order, numbered anew.

    Raises:
        InvalidInput: a run is not among them, or none is left.
    """
    chosen = list(places)
    if isinstance(runs, int):
        chosen = chosen[-runs:]
    elif runs is not None:
        known = {place.run_id for place in places}
        for number, run_id in enumerate(runs):
            if run_id not in known:
                raise InvalidInput(
                    f"runs[{number}]", f"{run_id} is no completed run of this history.",
                    "List them: GET /api/v1/runs?state=completed.",
                )  # fmt: skip
        chosen = [place for place in places if place.run_id in set(runs)]
    if not chosen:
        raise InvalidInput("body", "names a history without a completed run.", "Import results, or wait.")
    return [replace(place, sequence=number) for number, place in enumerate(chosen, start=1)]


async def _check_size(connection: Connection, places: Sequence[Place]) -> None:
    pairs = await backtests.count_pairs(connection, [place.scored_by for place in places])
    if len(places) > MOST_ENTRIES or pairs > MOST_PAIRS:
        raise InvalidInput(
            "runs",
            f"come to {len(places):,} entries with {pairs:,} answers; a backtest takes"
            f" {MOST_ENTRIES:,} entries and {MOST_PAIRS:,} answers.",
            "Ask for the last runs only, such as 100.",
        )


async def _read_entries(
    connection: Connection, sequence: SequenceAt, request: BacktestRequest
) -> list[Entry]:
    """All entries, by the models and the rate of false alarms that are asked for.

    Raises:
        InvalidInput: a model was never asked.
    """
    entries: list[Entry] = []
    for first in range(1, len(sequence.places) + 1, ENTRIES_AT_ONCE):
        last = min(first + ENTRIES_AT_ONCE - 1, len(sequence.places))
        entries += await sequence.read(connection, first, last, request.models)
    asked = {model for entry in entries for model in entry.models}
    for number, model in enumerate(request.models or ()):
        if model not in asked:
            raise InvalidInput(f"models[{number}]", f"{model!r} has no completed run in this history.")
    if request.nights_per_false_alarm is None:
        return entries
    rate = request.nights_per_false_alarm
    return [replace(entry, budget=Budget(entry.budget.models, rate)) for entry in entries]


async def _read_circumstances(connection: Connection, sequence: SequenceAt) -> list[Circumstances]:
    run_ids = [place.run_id for place in sequence.places]
    identities: dict[RunId, dict[str, Identity]] = await read_identities(connection, run_ids)
    controls = await _compare_controls(connection, sequence)
    return [
        Circumstances(terms, identities.get(run_id, {}), controls.get(run_id))
        for run_id, terms in zip(run_ids, sequence.terms, strict=True)
    ]


async def _compare_controls(
    connection: Connection, sequence: SequenceAt
) -> Mapping[RunId, Mapping[str, ControlFinding]]:
    """The controls' answers of each night against those of the night before, within an epoch."""
    found: dict[RunId, Mapping[str, ControlFinding]] = {}
    nights = [
        (place.run_id, epoch)
        for place, epoch in zip(sequence.places, sequence.epochs, strict=True)
        if place.attempt == 0 and sequence.controls
    ]
    for (former, old), (tonight, new) in pairwise(nights):
        if old == new:
            compared = await compare_controls(connection, former, tonight, sorted(sequence.controls))
            known = {model: finding for model, finding in compared.items() if finding.compared}
            found |= {tonight: known} if known else {}
    return found


def _describe(
    request: BacktestRequest, past: Past, entries: Sequence[Entry], found: Backtest
) -> dict[str, Any]:
    budget = entries[-1].budget
    models = [one for one in found.records if one.subject is Subject.MODEL]
    incidents = sum(len(one.opened) for one in found.records)
    improvements = sum(len(one.improvements) for one in found.records)
    quarantined = sum(len(one.quarantined) for one in found.records)
    sentence = (
        f"{_count(incidents, 'incident')} and {_count(improvements, 'improvement')} told of"
        f" {_count(len(models), 'model')} over {_count(len(entries), 'entry', 'entries')}"
        f" ({found.first_night} to {found.last_night}), at one false alarm in"
        f" {budget.nights_per_false_alarm:g} nights for {_count(budget.models, 'watched model')}."
    )
    return {
        "schedule": request.schedule,
        "suite": past.suite,
        "entries": found.entries,
        "first_night": found.first_night,
        "last_night": found.last_night,
        "watched_models": budget.models,
        "nights_per_false_alarm": budget.nights_per_false_alarm,
        "items": [_tell(record) for record in found.records],
        "summary": {
            "incidents": incidents,
            "improvements": improvements,
            "quarantined": quarantined,
            "quiet_models": [one.model for one in models if not one.opened],
            "sentence": sentence,
        },
    }


def _tell(record: Record) -> dict[str, Any]:
    return {
        "subject": record.subject,
        "model": record.model,
        "entries": record.entries,
        "state": record.state,
        "events": [_tell_event(event) for event in record.events],
        "improvements": [_tell_improvement(one) for one in record.improvements],
        "watched_nights": record.watched,
        "quarantined_nights": record.quarantined,
        "nearest": record.nearest and asdict(record.nearest),
        "sensitivity": record.sensitivity and asdict(record.sensitivity),
    }


def _tell_event(event: Event) -> dict[str, Any]:
    told = event.findings.as_json()
    names = (
        "headline", "cause", "because", "severity", "since", "size", "stream", "streams", "categories",
        "evidence_ratio",
    )  # fmt: skip
    of_them = {name: told[name] for name in names}
    return {"night": event.night, "kind": event.kind, "joined": event.joined, **of_them}


def _tell_improvement(one: Improvement) -> dict[str, Any]:
    told = asdict(one)
    del told["place"]
    return told


def _count(number: int, noun: str, several: str = "") -> str:
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"
