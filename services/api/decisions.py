"""What people decide about a model's nights: written with the fold that obeys it, in one go.

The caller's schedule is locked first, as the scheduler does: detections stay the fold of results and acts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus

from services.api.desk import Desk
from services.api.problems import Problem
from shared.db import audit, baselines, schedules, seen, sequences, standings
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.db.sequences import ActRow, Place
from shared.detecting import SequenceAt, read_sequence, refold_model
from shared.domain.drift.decay import COMPARED_NIGHTS
from shared.domain.drift.detect import LEAST_COVERAGE
from shared.domain.drift.series import number_series
from shared.domain.errors import InvalidInput


class NightNotMeasured(Problem):
    status, title = HTTPStatus.CONFLICT, "Night not measured"


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides, when, and what they say about it."""

    name: str
    now: datetime
    note: str = ""


async def quarantine(
    connection: Connection,
    desk: Desk,
    schedule: Schedule,
    model: str,
    night: date,
    attempt: int,
    decider: Decider,
) -> list[ActRow]:
    """Set a night aside for a model, and return what is decided now; a second time changes nothing.

    Raises:
        NightNotMeasured: there is no completed run of that night and attempt.
        InvalidInput: it did not ask this model, or that is a control; the field is `model`.
    """
    await schedules.lock_schedule(connection, schedule.id)
    entries = await _find_entries(connection, desk, schedule, model, night, attempt)
    known = await _list_quarantined(connection, schedule, model, entries)
    new = [place for place in entries if place.run_id not in {act.run_id for act in known}]
    if not new:
        return known
    before = await read_seen(connection, desk, schedule.id)
    for place in new:
        await sequences.store_act(
            connection, schedule.id, model, "quarantine", place.run_id, decider.name, decider.note
        )
        facts = {"model": model, "night": str(night), "attempt": attempt, "run": str(place.run_id)}
        about = {**facts, "note": decider.note}
        await audit.record(connection, decider.name, "night.quarantined", schedule.name, about)
    await refold(connection, desk, before, model)
    return await _list_quarantined(connection, schedule, model, entries)


async def admit(
    connection: Connection,
    desk: Desk,
    schedule: Schedule,
    model: str,
    night: date,
    attempt: int,
    decider: Decider,
) -> None:
    """Let a night that was set aside for a model count again; where it does already, nothing changes.

    Raises:
        NightNotMeasured, InvalidInput: as `quarantine` does.
    """
    await schedules.lock_schedule(connection, schedule.id)
    entries = await _find_entries(connection, desk, schedule, model, night, attempt)
    known = await _list_quarantined(connection, schedule, model, entries)
    if not known:
        return
    before = await read_seen(connection, desk, schedule.id)
    for act in known:
        await sequences.withdraw_act(connection, schedule.id, model, "quarantine", act.run_id)
        about = {"model": model, "night": str(night), "attempt": attempt, "run": str(act.run_id)}
        facts = {**about, "set_aside_by": act.by, "set_aside_at": act.at.isoformat()}
        await audit.record(connection, decider.name, "night.admitted", schedule.name, facts)
    await refold(connection, desk, before, model)


async def pin_baseline(
    connection: Connection,
    desk: Desk,
    schedule: Schedule,
    model: str,
    nights: tuple[date, date],
    decider: Decider,
) -> None:
    """Name the nights that slow decay of a model is measured against, in place of those that it had.

    Raises:
        InvalidInput: too few nights were measured there, or they can't be compared with the latest ones.
    """
    await schedules.lock_schedule(connection, schedule.id)
    before = await read_seen(connection, desk, schedule.id)
    if before is None:
        raise InvalidInput("schedule", f"{schedule.name!r} has no night yet.", "Wait for its first nights.")
    await _check_pin(connection, before, model, *nights)
    await baselines.store_baseline(connection, schedule.id, model, nights, decider.name, decider.now)
    facts = {"model": model, "first_night": str(nights[0]), "last_night": str(nights[1])}
    await audit.record(connection, decider.name, "baseline.pinned", schedule.name, facts)
    await refold(connection, desk, before, model)


async def read_seen(connection: Connection, desk: Desk, schedule_id: int) -> SequenceAt | None:
    """The sequence as far as the watch has seen it, if it has; the rest is the scheduler's to fold in."""
    last = await seen.find_last_seen(connection, schedule_id)
    if last is None:
        return None
    return await read_sequence(connection, schedule_id, desk.catalogue.controls(), last=last)


async def refold(connection: Connection, desk: Desk, before: SequenceAt | None, model: str) -> None:
    """Compute a model's detections anew after a decision; `before`: the sequence without it."""
    if before is not None:
        after = await read_seen(connection, desk, before.schedule_id)
        assert after is not None, "what was seen stays so"
        await refold_model(connection, before, after, model)


async def _find_entries(
    connection: Connection, desk: Desk, schedule: Schedule, model: str, night: date, attempt: int
) -> list[Place]:
    """The entries of a night that asked a model: one, or several where imports of one date are linked."""
    if desk.catalogue.is_control(model):
        raise InvalidInput("model", f"{model!r} is a control: its scores are not watched.", "Name a model.")
    places = await sequences.list_places(connection, schedule.id)
    there = [place for place in places if (place.night, place.attempt) == (night, attempt)]
    if not there:
        which = f"Confirmation {attempt} of {night}" if attempt else f"The night of {night}"
        raise NightNotMeasured(f"{which} has no completed run in {schedule.name!r}: nothing to set aside.")
    asked = await sequences.list_asked(connection, [place.run_id for place in there])
    found = [place for place in there if model in asked[place.run_id]]
    if not found:
        known = ", ".join(sorted({name for models in asked.values() for name in models}))
        raise InvalidInput("model", f"{model!r} was not asked on {night}.", f"Asked then: {known}.")
    return found


async def _list_quarantined(
    connection: Connection, schedule: Schedule, model: str, entries: Sequence[Place]
) -> list[ActRow]:
    runs = {place.run_id for place in entries}
    acts = await sequences.list_acts(connection, schedule.id)
    return [act for act in acts if (act.kind, act.model) == ("quarantine", model) and act.run_id in runs]


async def _check_pin(
    connection: Connection, sequence: SequenceAt, model: str, first_night: date, last_night: date
) -> None:
    runs = [place.scored_by for place in sequence.places]
    covered = {
        run_id
        for run_id, (coverage, _) in (await standings.read_accuracies(connection, runs, model, "all")).items()
        if coverage >= LEAST_COVERAGE
    }
    restarts = [model in decisions.restart for decisions in sequence.decisions]
    series = number_series(sequence.epochs, restarts)
    pinned = [
        number
        for place, number, decisions in zip(sequence.places, series, sequence.decisions, strict=True)
        if place.scored_by in covered
        and model not in decisions.set_aside
        and first_night <= place.night <= last_night
    ]
    if len(pinned) < COMPARED_NIGHTS:
        raise InvalidInput(
            "first_night",
            f"only {len(pinned)} entries from {first_night} to {last_night} have measured {model!r}.",
            f"Name nights with at least {COMPARED_NIGHTS}: so many are compared.",
        )
    if min(pinned) < series[-1]:
        begin = sequence.places[series.index(series[-1])].night
        raise InvalidInput(
            "first_night",
            f"{first_night} can't be compared with the latest nights: a new series began on {begin}.",
            "Name nights from then on; `driftwarden drift --history` tells what changed.",
        )
