"""The four that may have moved, on one scale: model, judge, harness, and the user's own configuration."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.api.dashboard import numbers
from shared.db.incidents import Incident
from shared.domain.causes.blame import Cause
from shared.domain.drift.detections import Subject


@dataclass(frozen=True, slots=True)
class Suspected:
    """`kind` is the colour of its interval: drift, judge or quiet."""

    name: str
    mark: str
    word: str
    value: float | None
    lower: float | None
    upper: float | None
    kind: str
    told: str


@dataclass(frozen=True, slots=True)
class LineUp:
    rows: tuple[Suspected, ...]
    low: float
    high: float


def line_up(incident: Incident, has_controls: bool) -> LineUp:
    """Who is suspected, with the measure behind each finding."""
    found = incident.findings
    cause, size, verdict = Cause(incident.cause), found.get("size") or {}, found.get("verdict")
    rows = (
        _model(incident, size),
        _judge(incident, cause, size, verdict),
        _harness(cause, found["because"], has_controls),
        _yours(found.get("your_side") or ()),
    )
    return LineUp(rows, *span([row for row in rows if row.value is not None]))


def span(rows: Sequence[Any]) -> tuple[float, float]:
    """One scale for several estimates: multiples of five points around all of them and zero."""
    ends = [0.0, *(end for row in rows for end in (row.lower, row.upper, row.value) if end is not None)]
    return math.floor(min(ends) * 20) / 20 - 0.05, math.ceil(max(ends) * 20) / 20 + 0.05


def _model(incident: Incident, size: Mapping[str, Any]) -> Suspected:
    if incident.subject is not Subject.MODEL:
        return _unmeasured("The models", "held", "steady", "This is not about a model's answers.")
    if size.get("ratio") is not None:
        told = f"Now {size['ratio']:.2f} times what it was, median over the questions."
        return _unmeasured("The model", "moved", "moved", told)
    if size.get("value") is None:
        return _unmeasured(
            "The model", "not measured", "unmeasured", "Too little was measured to size a change."
        )
    blamed = incident.cause in (Cause.MODEL, Cause.MIXED, Cause.SERVICE)
    return Suspected(
        "The model", "moved" if blamed else "watch", "moved" if blamed else "its scores moved",
        size["value"], size["lower"], size["upper"], "drift" if blamed else "",
        f"{numbers.points(size['value'])} points on {numbers.many(size['units'], 'question')} that"
        " were scored before and since.",
    )  # fmt: skip


def _judge(
    incident: Incident, cause: Cause, size: Mapping[str, Any], verdict: Mapping[str, Any] | None
) -> Suspected:
    if incident.subject is Subject.JUDGE and size.get("value") is not None:
        told = "Its scores of the frozen answers, before and since."
        return Suspected(
            "The judge", "judge", "moved", size["value"], size["lower"], size["upper"], "judge", told
        )
    if verdict is None:
        anchors = next(
            (
                one
                for one in incident.findings["because"]
                if "judge" in one.lower() or "anchor" in one.lower()
            ),
            "Its anchors were not judged on both sides of the change.",
        )
        takes_no_part = "no judge takes part" in anchors.lower()
        return _unmeasured(
            "The judge", "takes no part" if takes_no_part else "not measured",
            "steady" if takes_no_part else "unmeasured", anchors,
        )  # fmt: skip
    own = verdict["judge"]
    moved = cause in (Cause.JUDGE, Cause.MIXED) or verdict["suspect"] in ("judge", "mixed")
    open_ = verdict["suspect"] == "undetermined"
    word = "moved" if moved else "can't tell yet" if open_ else "held"
    told = "Its scores of frozen answers over the same nights."
    if open_:
        told += " More nights of anchors would tell."
    return Suspected(
        "The judge", "judge" if moved else "watch" if open_ else "steady", word,
        own["value"], own["lower"], own["upper"], "judge", told,
    )  # fmt: skip


def _harness(cause: Cause, because: Sequence[str], has_controls: bool) -> Suspected:
    if cause is Cause.HARNESS:
        return _unmeasured("The harness", "moved", "moved", because[0])
    if not has_controls:
        told = "No control model is asked: mark one in models.yaml, and the harness is watched, too."
        return _unmeasured("The harness", "not measured", "unmeasured", told)
    return _unmeasured("The harness", "held", "steady", "The control's answers are the same, byte for byte.")


def _yours(changes: Sequence[str]) -> Suspected:
    if changes:
        return _unmeasured("Your configuration", "changed", "moved", " ".join(changes))
    told = "Same prompt, parameters, scorers and judge on both sides of the change."
    return _unmeasured("Your configuration", "same", "steady", told)


def _unmeasured(name: str, word: str, mark: str, told: str) -> Suspected:
    return Suspected(name, mark, word, None, None, None, "", told)
