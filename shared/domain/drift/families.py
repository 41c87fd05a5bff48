"""Families of streams that are learned together, and how they make room for what is new.

A sequence brings new models, questions and categories as it goes on. Each is appended, so what was learned
keeps its place, and folding in a night at a time gives what folding in all of them gives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import Thresholds
from shared.domain.drift.continuous import Operations
from shared.domain.drift.detect import Metric, State, Stream, advance
from shared.domain.drift.detector import Detector, Flags, Reading
from shared.domain.drift.evidence import Evidence
from shared.domain.drift.nightly import MISSING, Noise

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tonight:
    """Scores (models, units) of one night: whole numbers from 0 to levels x the largest unit, or MISSING.

    `members`: the units (by place) of each stream. `shares`: what each stream may spend.
    """

    units: tuple[str, ...]
    scores: Integers
    levels: int
    largest: int
    members: Mapping[str, Integers]
    weighted: frozenset[str]
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class Found:
    """A family's reading and overdispersion, (models, streams); `nights`: as many as each stream has had."""

    streams: tuple[str, ...]
    reading: Reading
    overdispersion: Array
    nights: Integers


@dataclass(frozen=True, slots=True)
class Counted:
    """Streams over scores that are counted in bags. `took_part` (models, entries) since the last restart."""

    units: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    levels: int = 1
    largest: int = 1
    state: State = field(default_factory=lambda: State.fresh(0, 0, Metric(())))
    took_part: Flags = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))

    def after(self, tonight: Tonight, takes_part: Flags, restart: Flags) -> tuple["Counted", Found]:
        room = self.with_room(
            len(takes_part), tonight.units, tuple(tonight.members), tonight.levels, tonight.largest
        )
        state = room.state.restart(restart) if restart.any() else room.state
        at = places_of(room.units, tonight.units)
        scores = np.full((len(takes_part), len(room.units)), MISSING, dtype=np.int64)
        finer = np.where(tonight.scores == MISSING, MISSING, tonight.scores * (room.levels // tonight.levels))
        scores[:, at] = finer
        nothing = np.zeros(0, dtype=np.int64)
        metric = Metric(
            tuple(
                Stream(name, at[tonight.members.get(name, nothing)], name in tonight.weighted)
                for name in room.streams
            ),
            room.levels,
            room.levels * room.largest,
        )
        thresholds = _spread_thresholds(tonight, room.streams)
        state, detection = advance(state, scores, metric, thresholds, takes_part)
        nights = state.detector.worse.nights.reshape(state.detector.shape)
        found = Found(room.streams, detection.reading, detection.overdispersion, nights)
        return replace(room, state=state, took_part=mark(room.took_part, takes_part, restart)), found

    def with_room(
        self, models: int, units: Sequence[str], streams: Sequence[str], levels: int, largest: int
    ) -> "Counted":
        """The same with room for so many models, and these units and streams, on a grid as fine as this."""
        units, streams = append(self.units, units), append(self.streams, streams)
        levels, largest = max(self.levels, levels), max(self.largest, largest)
        if (units, streams, levels, largest, models) == (
            self.units, self.streams, self.levels, self.largest, len(self.took_part),
        ):  # fmt: skip
            return self
        after = models, len(streams)
        bags = np.zeros((models, len(units), levels * largest + 1), dtype=np.int64)
        old = self.state.bags
        step = levels // self.levels
        bags[: old.shape[0], : old.shape[1], : (old.shape[2] - 1) * step + 1 : step] = old
        noise, detector = self.state.noise, self.state.detector
        state = State(
            bags,
            Noise(
                pad(noise.squares, after, 0.0),
                pad(noise.differences, after, 0),
                pad(noise.last, after, np.nan),
            ),
            _pad_detector(detector, after),
        )
        took_part = pad(self.took_part, (models, self.took_part.shape[1]), False)
        return Counted(units, streams, levels, largest, state, took_part)


@dataclass(frozen=True, slots=True)
class Amount:
    """A stream over seconds, tokens or money. `took_part` (models, entries) since the last restart."""

    questions: tuple[str, ...] = ()
    operations: Operations = field(default_factory=lambda: Operations.fresh(0, 0))
    took_part: Flags = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))

    def after(
        self,
        stream: str,
        questions: tuple[str, ...],
        values: Array,
        thresholds: Thresholds,
        takes_part: Flags,
        restart: Flags,
    ) -> tuple["Amount", Found]:
        """`values` (models, questions): NaN where there is none."""
        room = self._with_room(len(takes_part), questions)
        operations = room.operations.restart(restart) if restart.any() else room.operations
        spread = np.full((len(takes_part), len(room.questions)), np.nan)
        spread[:, places_of(room.questions, questions)] = values
        operations, reading = operations.after(spread, thresholds, takes_part)
        counted = ~np.isnan(reading.low[:, 0])
        nights = operations.detector.worse.nights[:, None]
        found = Found((stream,), reading, np.ones((len(takes_part), 1)), nights)
        return replace(room, operations=operations, took_part=mark(room.took_part, counted, restart)), found

    def usual(self, models: int, questions: tuple[str, ...], restart: Flags) -> Array:
        """(models, questions): each question's usual value, NaN before it is settled."""
        usual = np.full((models, len(questions)), np.nan)
        known = {question: place for place, question in enumerate(self.questions)}
        at = np.array([known.get(question, -1) for question in questions], dtype=np.int64)
        reference = self.operations.reference
        if len(reference):
            logs = np.median(reference, axis=-1)[:, at[at >= 0]]
            usual[: len(reference), at >= 0] = np.exp(logs)
        usual[restart] = np.nan
        return usual

    def _with_room(self, models: int, questions: tuple[str, ...]) -> "Amount":
        names = append(self.questions, questions)
        if names == self.questions and models == len(self.took_part):
            return self
        old = self.operations
        operations = Operations(
            pad(old.reference, (models, len(names), old.reference.shape[2]), np.nan),
            pad(old.levels, (models,), 0),
            pad(old.mean, (models,), 0.0),
            pad(old.squares, (models,), 0.0),
            pad(old.scores, (models, old.scores.shape[1]), np.nan),
            _pad_detector(old.detector, (models, 1)),
        )
        return Amount(names, operations, pad(self.took_part, (models, self.took_part.shape[1]), False))


def mark(took_part: Flags, tonight: Flags, restart: Flags) -> Flags:
    """Add a night's column; who starts anew has no nights before it."""
    before = took_part & ~restart[:, None]
    marked: Flags = np.concatenate([before, tonight[:, None]], axis=1)
    return marked


def append(known: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
    """The names known already, then those that are new, in their order."""
    if known == tuple(names):
        return known
    return tuple(dict.fromkeys((*known, *names)))


def places_of(known: Sequence[str], names: Sequence[str]) -> Integers:
    place = {name: number for number, name in enumerate(known)}
    return np.array([place[name] for name in names], dtype=np.int64)


def pad(array: NDArray[Any], shape: tuple[int, ...], fill: object) -> NDArray[Any]:
    padded = np.full(shape, fill, dtype=array.dtype)
    padded[tuple(slice(size) for size in array.shape)] = array
    return padded


def _pad_detector(detector: Detector, shape: tuple[int, int]) -> Detector:
    """Its evidence has one row for each of (models x streams)."""

    def grow(array: NDArray[Any], fill: object) -> NDArray[Any]:
        rest = array.shape[1:]
        padded = pad(array.reshape(*detector.shape, *rest), (*shape, *rest), fill)
        return padded.reshape(shape[0] * shape[1], *rest)

    def room_for(evidence: Evidence) -> Evidence:
        return Evidence(grow(evidence.nights, 0), grow(evidence.log_ratios, -np.inf), grow(evidence.since, 0))

    return Detector(shape, room_for(detector.worse), room_for(detector.better))


def _spread_thresholds(tonight: Tonight, streams: Sequence[str]) -> Thresholds:
    """A stream without questions tonight can't be watched."""
    at = {name: place for place, name in enumerate(tonight.members)}
    both = []
    for values in (tonight.thresholds.log_watch, tonight.thresholds.log_alarm):
        both.append(np.array([values[at[name]] if name in at else np.inf for name in streams]))
    return Thresholds(*both)
