"""Detection: a fold over a schedule's nights and over what people decided about them.

The same nights and the same acts give the same detections, to the last bit, whether they are folded at once
or night by night, together with other models or alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import Thresholds
from shared.domain.drift.detector import Detector, Flags, Reading
from shared.domain.drift.nightly import MISSING, NightScore, Noise, put_in_bags, score_night, weigh

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAST_COVERAGE = 0.80
QUIET_BELOW = 1.10


@dataclass(frozen=True, slots=True)
class Stream:
    """The units (by number) whose scores are summed. `is_weighted`: stable units count more."""

    name: str
    units: Integers
    is_weighted: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """Streams over one kind of score: integers 0 .. grid, `levels` for one question answered right.

    Only clusters, whose units are sums over their questions, have a grid above their levels.
    """

    streams: tuple[Stream, ...]
    levels: int = 1
    grid: int = 1


@dataclass(frozen=True, slots=True)
class Quarantine:
    """This night (an index) says nothing about the model, as after an outage that has passed."""

    model: int
    night: int


@dataclass(frozen=True, slots=True)
class AcceptBaseline:
    """From this night (an index) on, the model's answers are the new normal."""

    model: int
    night: int


Act: TypeAlias = Quarantine | AcceptBaseline


@dataclass(frozen=True, slots=True)
class Nights:
    """A schedule's sequence. `scores` (nights, models, units), MISSING where there is none.

    `coverage` (nights, models): scored pairs over planned ones; below 80 % a night does not count.
    """

    scores: NDArray[np.integer]
    coverage: Array


@dataclass(frozen=True, slots=True)
class State:
    """What the nights so far leave behind; a nightly update needs nothing else."""

    bags: Integers
    noise: Noise
    detector: Detector

    @classmethod
    def fresh(cls, models: int, units: int, metric: Metric) -> "State":
        bags = np.zeros((models, units, metric.grid + 1), dtype=np.int64)
        shape = models, len(metric.streams)
        return cls(bags, Noise.unknown(*shape), Detector.fresh(*shape))

    def restart(self, models: Flags) -> "State":
        """Empty the bags of these models and forget their evidence."""
        bags = np.where(models[:, None, None], 0, self.bags)
        return State(bags, self.noise.restart(models[:, None]), self.detector.restart(models))


@dataclass(frozen=True, slots=True)
class Detection:
    """One night: the reading, and the overdispersion phi (models, streams) that the nights before showed.

    The reading's scores have been divided by the square root of the noise's allowance, phi or more.
    """

    reading: Reading
    overdispersion: Array

    @property
    def deserves_confirmation(self) -> Flags:
        """(models): watched by a stream whose nights are quiet, so that a second run tonight adds evidence.

        Where nights are noisy, a run in the same night would share its noise and prove too much.
        """
        quiet = self.reading.is_watched & (self.overdispersion < QUIET_BELOW)
        deserves: Flags = np.logical_and(quiet.any(axis=1), ~self.reading.has_alarm.any(axis=1))
        return deserves


def observe_quality(categories: Sequence[str], levels: int = 1, grid: int = 1) -> Metric:
    """The streams `accuracy`, `weighted`, then each category by name; `categories` has one entry per unit."""
    slices = [
        Stream(name, np.flatnonzero([category == name for category in categories]), is_weighted=True)
        for name in sorted(set(categories))
    ]
    every = np.arange(len(categories))
    whole = Stream("accuracy", every), Stream("weighted", every, is_weighted=True)
    return Metric((*whole, *slices), levels, grid)


def detect(
    nights: Nights, metric: Metric, thresholds: Sequence[Thresholds], acts: Sequence[Act] = ()
) -> Iterator[Detection]:
    """Fold a sequence, with one set of thresholds per night."""
    count, models, units = nights.scores.shape
    takes_part, restarts = apply_acts(acts, nights.coverage >= LEAST_COVERAGE)
    state = State.fresh(models, units, metric)
    for night in range(count):
        if restarts[night].any():
            state = state.restart(restarts[night])
        tonight = nights.scores[night].astype(np.int64)
        state, detection = advance(state, tonight, metric, thresholds[night], takes_part[night])
        yield detection


def advance(
    state: State, tonight: Integers, metric: Metric, thresholds: Thresholds, takes_part: Flags
) -> tuple[State, Detection]:
    """One night more: scores (models, units) of the models that take part."""
    bags = np.where(takes_part[:, None, None], put_in_bags(state.bags, tonight), state.bags)
    scored = _score(bags, tonight, metric)
    spread = np.sqrt(state.noise.allowance)
    low, high = scored.low / spread, scored.high / spread
    mid = np.where(takes_part[:, None], scored.mid, np.nan)
    detector, reading = state.detector.after(low, high, thresholds, takes_part)
    return State(bags, state.noise.after(mid), detector), Detection(reading, state.noise.overdispersion)


def _score(bags: Integers, tonight: Integers, metric: Metric) -> NightScore:
    """Normal scores (models, streams), each model's on the coarsest grid that holds all it was ever given.

    Its neighbours' grades must not reach its last bits; and the coarser grid is the quicker one.
    """
    is_graded = bags[..., np.arange(bags.shape[-1]) % metric.levels > 0].any(axis=(1, 2))
    scores = np.full((3, len(bags), len(metric.streams)), np.nan)
    for models, step in ((~is_graded, metric.levels), (is_graded, 1)):
        if not models.any():
            continue
        held = bags[models][..., ::step]
        score = np.where(tonight[models] == MISSING, MISSING, tonight[models] // step)
        for column, stream in enumerate(metric.streams):
            own = held[:, stream.units]
            weights = weigh(own, metric.levels // step) if stream.is_weighted else None
            one = score_night(own, score[:, stream.units], weights)
            scores[:, models, column] = one.low, one.high, one.mid
    return NightScore(*scores)


def apply_acts(acts: Sequence[Act], covered: Flags) -> tuple[Flags, Flags]:
    """Which nights count for which model, and at which a model starts afresh: both (nights, models)."""
    takes_part, restarts = covered.copy(), np.zeros_like(covered)
    for act in acts:
        match act:
            case Quarantine(model, night):
                takes_part[night, model] = False
            case AcceptBaseline(model, night):
                restarts[night, model] = True
            case _:
                assert_never(act)
    return takes_part, restarts
