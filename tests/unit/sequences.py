"""Sequences made up in memory: entries of a few models and questions, measured as a test says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.domain.drift.budget import Budget
from shared.domain.drift.detections import Detection
from shared.domain.drift.fold import Decisions, Fold
from shared.domain.drift.sequence import Anchoring, Asked, Entry, Measured
from shared.domain.runs import RunId

Array = NDArray[np.float64]

FIRST_NIGHT = date(2026, 1, 1)
SUITE = tuple(Asked(f"u{number}", f"q{number}", f"cat-{number % 2}") for number in range(100))


def make_entry(place: int, models: Sequence[str], scores: Array, **changed: Any) -> Entry:
    """An entry of these scores (models, questions), NaN where there is none. Arrays may be left out."""
    known = np.where(np.isnan(scores), np.nan, 1.0)
    questions = changed.pop("questions", SUITE[: scores.shape[1]])
    about = {name: changed.pop(name) for name in ("epoch", "budget", "anchors", "night") if name in changed}
    arrays: dict[str, Array] = {
        "score": scores,
        "answered": np.where(np.isnan(scores), 0.0, 1.0),
        "scored": known,
        "accepted": known,
        "well_formed": known,
        "seconds": known / 2,
        "output_tokens": known * 20,
        "cost_usd": known * 1e-4,
        "coverage": 1.0 - np.isnan(scores).mean(axis=1),
    }
    return Entry(
        RunId(UUID(int=place)),
        about.get("night", FIRST_NIGHT + timedelta(days=place)),
        about.get("epoch", "first"),
        about.get("budget", Budget(len(models))),
        tuple(models),
        tuple(questions),
        Measured(**{**arrays, **changed}),
        about.get("anchors"),
    )


def answer(chance: np.random.Generator, models: int, questions: int, right: float | Array = 0.8) -> Array:
    """Scores (models, questions), each 1 with the chance `right`, else 0."""
    scores: Array = (chance.random((models, questions)) < right).astype(float)
    return scores


def fold_in(
    entries: Sequence[Entry], decisions: Sequence[Decisions] = ()
) -> tuple[Fold, list[tuple[Detection, ...]]]:
    """Fold these entries in, one after the other; each one's detections."""
    fold, found = Fold(), []
    for entry, decision in zip(entries, decisions or [Decisions()] * len(entries), strict=True):
        fold, detections = fold.after(entry, decision)
        found.append(detections)
    return fold, found


def difference(one: Sequence[object], other: Sequence[object]) -> object:
    """The first place at which two long lists differ, None if they are equal."""
    pairs = zip_longest(one, other)
    return next(((place, mine, theirs) for place, (mine, theirs) in enumerate(pairs) if mine != theirs), None)


def exactly(detections: Sequence[Detection], *, without: Sequence[str] = ()) -> list[tuple[object, ...]]:
    """Detections with every float to its last bit, in the order of their streams, some fields left out."""
    told = []
    for one in sorted(detections, key=lambda each: (each.subject, each.model, each.stream)):
        fields = {name: getattr(one, name) for name in Detection.__slots__ if name not in without}
        told.append(tuple(value.hex() if isinstance(value, float) else value for value in fields.values()))
    return told


def every(found: Sequence[Sequence[Detection]]) -> list[tuple[object, ...]]:
    """All detections of a sequence, exactly."""
    return [one for tonight in found for one in exactly(tonight)]


@dataclass(frozen=True, slots=True, repr=False)
class Past:
    """A sequence with what was decided about each entry."""

    entries: tuple[Entry, ...]
    decisions: tuple[Decisions, ...]
    models: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        return f"{len(self.entries)} entries of {', '.join(self.models)}"

    def only(self, *models: str) -> tuple[Entry, ...]:
        return tuple(entry.select(models) for entry in self.entries)


POOL = (
    *(Asked(f"u{number}", f"q{number}", "code" if number % 3 else "facts") for number in range(7)),
    Asked("u7", "q7", "code", asks_judge=True),
    Asked("u8", "q8", "late", cluster="case"),
    Asked("u9", "q9", "late", cluster="case"),
    Asked("u9b", "q9", "late", cluster="case"),
)


@st.composite
def pasts(draw: st.DrawFn, least: int = 1, most: int = 9) -> Past:
    """Anything that may befall a sequence: questions, models and categories come and go, grades and clusters
    appear late, epochs and judges change, nights go badly, people decide.
    """
    models = draw(st.permutations(["bright", "dim", "odd"]))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    entries, decisions = [], []
    graded = {model: draw(st.integers(0, most + 3)) for model in models}  # the first graded entry
    for place in range(1, draw(st.integers(least, most)) + 1):
        asked = draw(st.lists(st.sampled_from(models), min_size=1, unique=True))
        questions = [one for one in POOL if draw(st.integers(0, 5))] or [POOL[0]]
        size = len(asked), len(questions)
        right = np.array([[draw(st.sampled_from([0.8, 0.8, 1.0, 0.0]))] for _ in asked])
        scores = (chance.random(size) < right).astype(float)
        for row, model in enumerate(asked):
            if place >= graded[model]:
                scores[row] = np.where(chance.random(size[1]) < 0.5, scores[row], chance.random(size[1]))
        scores[chance.random(size) < draw(st.sampled_from([0.0, 0.0, 0.1, 0.5]))] = np.nan
        extra: dict[str, Any] = {
            "seconds": np.exp(chance.normal(size=size) / 9), "accepted": chance.integers(0, 3, size) / 2.0,
        }  # fmt: skip
        anchors = draw(st.sampled_from([None, "judge", "judge", "other"]))
        if anchors:
            values = (chance.random(6) < 0.7).astype(float)
            extra["anchors"] = Anchoring(
                anchors, dict(enumerate(values.tolist())), dict.fromkeys(range(6), "clear"), 0.5
            )
        entries.append(
            make_entry(
                place,
                asked,
                scores,
                questions=questions,
                epoch=draw(st.sampled_from([None, "one", "one", "two"])),
                budget=Budget(3, draw(st.sampled_from([1.0, 365.0]))),
                night=FIRST_NIGHT + timedelta(days=9 * place),
                **extra,
            )
        )
        some = st.frozensets(st.sampled_from(models), max_size=1)
        decisions.append(
            Decisions(*(draw(some) if draw(st.integers(0, 3)) == 0 else frozenset() for _ in range(3)))
        )
    return Past(tuple(entries), tuple(decisions), tuple(models))


def of_model(found: Sequence[Sequence[Detection]], model: str) -> list[list[Detection]]:
    """Each entry's detections of one model."""
    return [[one for one in tonight if one.model == model] for tonight in found]


def by_stream(detections: Sequence[Detection], model: str) -> Mapping[str, Detection]:
    return {one.stream: one for one in detections if one.model == model}
