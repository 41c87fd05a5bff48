"""Experiments that run the product's own code over simulated nights, with fixed seeds."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.domain.causes.attribution import attribute_to_categories, attribute_to_questions
from shared.domain.drift.budget import Budget, share_operations, share_quality
from shared.domain.drift.continuous import detect_operations
from shared.domain.drift.decay import COMPARED_NIGHTS, MONTH_NIGHTS, has_decayed
from shared.domain.drift.detect import State, advance, observe_quality
from shared.domain.figures.comparison import Comparison, GateVerdict, compare
from tests.simulation.rules import RULES
from tests.simulation.world import REFERENCE_NIGHTS, Scenario, World, categorize, create

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SEED = 20260101
FLEET = 10  # models that share the budget
BATCH = 50  # models that are simulated together
YEAR = 365
OURS, MONTHLY = PRODUCT = ("driftwarden", "monthly comparison")
CONFIRMATIONS = 2


@dataclass(slots=True)
class History:
    """One model's runs: on which night, and the scores."""

    nights: list[int] = field(default_factory=list)
    runs: list[NDArray[np.int8]] = field(default_factory=list)

    def add(self, night: int, scores: NDArray[np.int64]) -> None:
        self.nights.append(night)
        self.runs.append(scores.astype(np.int8))

    @property
    def scores(self) -> NDArray[np.int64]:
        return np.array(self.runs, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Located:
    """What the first alarm after the change named: the changed category or not, and which share falsely.

    `questions_found`: the share of the changed questions, in the categories named, that were named.
    """

    category_named: bool
    categories_false: float
    questions_found: float
    questions_false: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What the product and the rules raised, each (nights, models), and how far the dates were off.

    `dated_off`: the difference in nights of the first alarm from night 31 on; NaN without one.
    """

    alarms: Mapping[str, Flags]
    is_watched: Flags
    dated_off: Array
    located: tuple[Located, ...]

    def per_year(self, rule: str) -> float:
        """Alarms per model-year; those of the rules from night 31 on."""
        alarms = self.alarms[rule]
        flagged = alarms if rule in PRODUCT else alarms[REFERENCE_NIGHTS:]
        return float(flagged.sum() / flagged.size * YEAR)

    def caught_within(self, nights: int, *rules: str) -> float:
        """The share of models that an alarm told of within so many nights of the change."""
        changed = slice(REFERENCE_NIGHTS, REFERENCE_NIGHTS + nights)
        caught = np.any([self.alarms[rule][changed].any(axis=0) for rule in rules], axis=0)
        return float(caught.mean())

    @property
    def dated_within_three(self) -> float:
        known = self.dated_off[~np.isnan(self.dated_off)]
        return float((np.abs(known) <= 3).mean())


def chance_of(name: str, batch: int = 0) -> Generator:
    """The same numbers for the same experiment, whatever else runs."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode()), batch])


@cache
def watch(name: str, scenario: Scenario, models: int) -> Watched:
    """Run a scenario for so many models, in fleets of ten."""
    parts = [
        _watch_batch(scenario, min(BATCH, models - first), chance_of(name, first // BATCH))
        for first in range(0, models, BATCH)
    ]
    return Watched(
        {rule: np.concatenate([part.alarms[rule] for part in parts], axis=1) for rule in parts[0].alarms},
        np.concatenate([part.is_watched for part in parts], axis=1),
        np.concatenate([part.dated_off for part in parts]),
        tuple(located for part in parts for located in part.located),
    )


def _watch_batch(scenario: Scenario, models: int, chance: Generator) -> Watched:
    metric = observe_quality(categorize(scenario.questions), scenario.levels, scenario.levels)
    thresholds = Budget(FLEET).of_each_model(share_quality(len(metric.streams) - 2))
    world = create(scenario, models, chance)
    state = State.fresh(models, scenario.questions, metric)
    alarms, is_watched = np.zeros((2, scenario.nights, models), dtype=bool)
    accuracy, dated_off = np.zeros(alarms.shape), np.full(models, np.nan)
    histories = [History() for _ in range(models)]
    noise, located = np.ones(alarms.shape), []
    for night in range(scenario.nights):
        tonight = world.answer(night, chance)
        accuracy[night] = tonight.mean(axis=1) / scenario.levels
        runs, takes_part = 0, np.ones(models, dtype=bool)
        while takes_part.any():
            state, detection = advance(state, tonight, metric, thresholds, takes_part)
            for model in np.flatnonzero(takes_part).tolist():
                histories[model].add(night, tonight[model])
            has_alarm = detection.reading.has_alarm.any(axis=1)
            is_first = has_alarm & (night >= REFERENCE_NIGHTS) & np.isnan(dated_off)
            for model in np.flatnonzero(is_first).tolist():
                changed = int(detection.reading.change.best[model, detection.reading.leading[model]])
                dated_off[model] = histories[model].nights[changed - 1] - REFERENCE_NIGHTS
                phi = float(detection.overdispersion[model, 0])
                located.append(_locate(histories[model], changed, phi, world, model))
            alarms[night] |= has_alarm
            is_watched[night] |= detection.reading.is_watched.any(axis=1)
            noise[night] = detection.overdispersion[:, 0]
            runs += 1
            takes_part = detection.deserves_confirmation
            if not scenario.has_confirmations or runs > CONFIRMATIONS:
                break
            tonight = world.answer(night, chance)
    months = np.array([_compare_months(h, scenario, noise[:, m]) for m, h in enumerate(histories)]).T
    found = {name: rule(accuracy, scenario.questions) for name, rule in RULES.items()}
    return Watched({OURS: alarms, MONTHLY: months, **found}, is_watched, dated_off, tuple(located))


def _locate(history: History, changed: int, phi: float, world: World, model: int) -> Located:
    """The categories and questions that an alarm names, from the first changed run (from 1) on."""
    scores, levels = history.scores, world.scenario.levels
    names = np.array(categorize(world.scenario.questions))
    units = {name: np.flatnonzero(names == name) for name in np.unique(names).tolist()}
    is_changed = world.steepness[model] > 0
    categories = attribute_to_categories(scores, changed - 1, levels, units, phi)
    named = [found.category for found in categories if found.is_worse]
    inside = np.concatenate([units[name] for name in named]) if named else np.array([], dtype=np.int64)
    questions = [q.unit for q in attribute_to_questions(scores, changed - 1, levels, inside) if q.is_worse]
    right = int(is_changed[questions].sum())
    return Located(
        category_named="category 0" in named,
        categories_false=_share(sum(not is_changed[units[name]].any() for name in named), len(named)),
        questions_found=_share(right, int(is_changed[inside].sum())),
        questions_false=_share(len(questions) - right, len(questions)),
    )


def _share(some: int, of_all: int) -> float:
    return some / of_all if of_all else 0.0


def _compare_months(history: History, scenario: Scenario, noise: Array) -> Flags:
    """(nights): whether the comparison with the first seven nights alarms, every 30th night."""
    scores, alarms = history.scores, np.zeros(scenario.nights, dtype=bool)
    if scenario.has_confirmations:
        return alarms
    for night in range(MONTH_NIGHTS, scenario.nights + 1, MONTH_NIGHTS):
        week, latest = slice(0, COMPARED_NIGHTS), slice(night - COMPARED_NIGHTS, night)
        phi = float(noise[night - 1])
        decay = has_decayed(scores, week, latest, scenario.levels, phi, FLEET)
        alarms[night - 1] = decay is not None and decay.has_alarm
    return alarms


def watch_latency(name: str, models: int, lag_1: float) -> float:
    """False alarms per model-year of one latency stream; nights share noise of 5 %."""
    thresholds = [Budget(FLEET).of_each_model(share_operations(7)[:1])] * YEAR
    alarms = 0
    for first in range(0, models, BATCH):
        chance = chance_of(name, first // BATCH)
        batch = min(BATCH, models - first)
        scenario = Scenario(questions=50, nights=YEAR, night_noise=0.05, lag_1=lag_1)
        noise = create(scenario, batch, chance).noise
        logs = chance.normal(0, 0.4, (YEAR, batch, 50)) + chance.normal(0, 1, (batch, 50)) + noise[..., None]
        alarms += sum(int(r.has_alarm.sum()) for r in detect_operations(np.exp(logs), thresholds))
    return alarms / models


def gate(name: str, questions: int, drop: float, repeats: int) -> Mapping[GateVerdict, float]:
    """How often the gate says what, of a candidate that lost `drop`."""
    chance = chance_of(name)
    scenario = Scenario(questions, REFERENCE_NIGHTS + 1, drop)
    verdicts = []
    for _ in range(repeats):
        world = create(scenario, 1, chance)
        before, after = (world.answer(night, chance)[0] for night in (0, REFERENCE_NIGHTS))
        ids = [str(number) for number in range(questions)]
        compared = compare(dict(zip(ids, before, strict=True)), dict(zip(ids, after, strict=True)))
        assert isinstance(compared, Comparison)
        verdicts.append(compared.verdict)
    return {verdict: verdicts.count(verdict) / repeats for verdict in GateVerdict}
