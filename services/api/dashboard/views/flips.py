"""Questions that flipped, with an answer from before the change beside one from after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from services.api.dashboard import numbers
from services.api.dashboard.views.diff import Stretch, compare_words
from shared.db import incidents, sequences
from shared.db.incidents import Incident
from shared.db.pool import Connection
from shared.domain.runs import RunId

FLIPS_SHOWN = 10
ENTRIES_SEARCHED = 60  # on either side of the change


@dataclass(frozen=True, slots=True)
class Side:
    """One answer; `text` is None where there is none to show."""

    night: str
    run_id: str
    mark: str
    outcome: str
    text: tuple[Stretch, ...] | None
    reason: str


@dataclass(frozen=True, slots=True)
class Flipped:
    question: str
    category: str
    input: str
    target: str
    counted: str
    before: Side | None
    after: Side | None


async def read_flips(connection: Connection, incident: Incident, page: int) -> tuple[Flipped, ...]:
    """One page of the questions that flipped. The first one is what the incident was told with."""
    questions = (incident.findings.get("questions") or ())[(page - 1) * FLIPS_SHOWN : page * FLIPS_SHOWN]
    answers = {one["unit"]: one for one in incident.findings.get("answers") or ()}
    missing = [one["unit"] for one in questions if one["unit"] not in answers]
    if missing:
        answers |= await _look_up(connection, incident, missing)
    return tuple(_describe(one, answers[one["unit"]]) for one in questions if one["unit"] in answers)


async def _look_up(
    connection: Connection, incident: Incident, units: list[str]
) -> dict[str, Mapping[str, Any]]:
    places = await sequences.list_places(connection, incident.schedule_id)
    change = incident.findings.get("change_run")
    split = next((i for i, place in enumerate(places) if change and place.run_id == UUID(change)), None)
    if split is None:
        return {}
    before = [RunId(place.scored_by) for place in places[max(0, split - ENTRIES_SEARCHED) : split]]
    after = [RunId(place.scored_by) for place in places[split:][-ENTRIES_SEARCHED:]]
    nights = {place.scored_by: place.night for place in places}
    found: dict[str, dict[str, Any]] = {}
    for one in await incidents.read_flipped_answers(connection, incident.model, units, before, after):
        told = found.setdefault(
            one.unit,
            {
                "question": one.question,
                "input": one.input,
                "target": one.target,
                "before": None,
                "after": None,
            },
        )
        told["before" if one.is_before else "after"] = {
            "run_id": str(one.run_id), "night": nights[one.run_id].isoformat(), "response": one.response,
            "score": one.score, "reason": one.reason,
        }  # fmt: skip
    return dict(found)


def _describe(flip: Mapping[str, Any], answer: Mapping[str, Any]) -> Flipped:
    before, after = answer["before"], answer["after"]
    old, new = (side["response"] if side else None for side in (before, after))
    texts: tuple[tuple[Stretch, ...] | None, ...]
    if old is not None and new is not None:
        texts = compare_words(old, new)
    else:
        texts = tuple((Stretch(one, False),) if one is not None else None for one in (old, new))
    counted = (
        f"Passed on {flip['passed_before']} of {numbers.many(flip['scored_before'], 'night')} before,"
        f" {flip['passed_after']} of {flip['scored_after']} since."
    )
    return Flipped(
        answer["question"], flip["category"], answer["input"], answer["target"], counted,
        _side(before, "passed", texts[0]), _side(after, "failed", texts[1]),
    )  # fmt: skip


def _side(answer: Mapping[str, Any] | None, mark: str, text: tuple[Stretch, ...] | None) -> Side | None:
    if answer is None:
        return None
    outcome = f"{mark}, {numbers.score(answer['score'])}"
    return Side(
        numbers.night(date.fromisoformat(answer["night"])), answer["run_id"], mark, outcome, text,
        answer["reason"] or "",
    )  # fmt: skip
