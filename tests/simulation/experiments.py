"""Experiments that run the product's own code over simulated nights, with fixed seeds."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.domain.budget import Budget, share_operations, share_quality
from shared.domain.comparison import Comparison, GateVerdict, compare
from shared.domain.continuous import detect_operations
from shared.domain.dating import Shift, measure_shift
from shared.domain.drift import Detection, Metric, State, advance, observe_quality
from shared.domain.suspects import Suspect, suspect, weigh_strata
from tests.simulation.rules import RULES
from tests.simulation.world import REFERENCE_NIGHTS, Scenario, categorize, create

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SEED = 20260101
FLEET = 10  # models that share the budget
BATCH = 50  # models that are simulated together
YEAR = 365
WITHIN = (1, 3, 7, 14, 30)
CONFIRMATIONS = 2


@dataclass(frozen=True, slots=True)
class Watched:
    """What the product and the rules raised, each (nights, models), and how far the dates were off.

    `dated_off`: the difference in nights of the first alarm from night 31 on; NaN without one.
    """

    alarms: Mapping[str, Flags]
    dated_off: Array
    accuracy: Array

    def per_year(self, rule: str) -> float:
        """Alarms per model-year; those of the rules from night 31 on."""
        flagged = self.alarms[rule] if rule == "driftwarden" else self.alarms[rule][REFERENCE_NIGHTS:]
        return float(flagged.sum() / flagged.size * YEAR)

    def caught_within(self, rule: str, nights: int) -> float:
        """The share of models that an alarm told of within so many nights of the change."""
        changed = self.alarms[rule][REFERENCE_NIGHTS : REFERENCE_NIGHTS + nights]
        return float(changed.any(axis=0).mean())

    @property
    def dated_within_three(self) -> float:
        known = self.dated_off[~np.isnan(self.dated_off)]
        return float((np.abs(known) <= 3).mean())


def chance_of(name: str, batch: int = 0) -> Generator:
    """The same numbers for the same experiment, whatever else runs."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode()), batch])


def watch(name: str, scenario: Scenario, models: int) -> Watched:
    """Run a scenario for so many models, in fleets of ten."""
    parts = [
        _watch_batch(scenario, min(BATCH, models - first), chance_of(name, first // BATCH))
        for first in range(0, models, BATCH)
    ]
    return Watched(
        {rule: np.concatenate([part.alarms[rule] for part in parts], axis=1) for rule in parts[0].alarms},
        np.concatenate([part.dated_off for part in parts]),
        np.concatenate([part.accuracy for part in parts], axis=1),
    )


def _watch_batch(scenario: Scenario, models: int, chance: Generator) -> Watched:
    metric = observe_quality(categorize(scenario.questions))
    world = create(scenario, models, chance)
    state = State.fresh(models, scenario.questions, metric)
    alarms = np.zeros((scenario.nights, models), dtype=bool)
    accuracy, dated_off = np.zeros(alarms.shape), np.full(models, np.nan)
    calendar: list[list[int]] = [[] for _ in range(models)]  # the night of each retained run
    for night in range(scenario.nights):
        tonight = world.answer(night, chance)
        accuracy[night] = tonight.mean(axis=1)
        runs, takes_part = 0, np.ones(models, dtype=bool)
        while takes_part.any():
            state, detection = _advance(state, tonight, metric, takes_part)
            for model in np.flatnonzero(takes_part).tolist():
                calendar[model].append(night)
            reading = detection.reading
            has_alarm = reading.has_alarm.any(axis=1)
            for model in np.flatnonzero(
                has_alarm & (night >= REFERENCE_NIGHTS) & np.isnan(dated_off)
            ).tolist():
                changed = int(reading.change.best[model, reading.leading[model]])
                dated_off[model] = calendar[model][changed - 1] - REFERENCE_NIGHTS
            alarms[night] |= has_alarm
            runs += 1
            takes_part = detection.deserves_confirmation
            if not scenario.has_confirmations or runs > CONFIRMATIONS:
                break
            tonight = world.answer(night, chance)
    found = {name: rule(accuracy, scenario.questions) for name, rule in RULES.items()}
    return Watched({"driftwarden": alarms, **found}, dated_off, accuracy)


def _advance(
    state: State, tonight: NDArray[np.int64], metric: Metric, takes_part: Flags
) -> tuple[State, Detection]:
    thresholds = Budget(FLEET).of_each_model(share_quality(len(metric.streams) - 2))
    return advance(state, tonight, metric, thresholds, takes_part)


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


def accuse(
    name: str, model_drop: float, judge_drop: Mapping[str, float], repeats: int
) -> Mapping[Suspect, float]:
    """Whom the anchors accuse after 30 nights before and 7 after, on which each is judged five times.

    `judge_drop`: what the judge takes off the score of each stratum's answers. Of 200 answers 60 are
    borderline (0.2 to 0.8 of judgements pass), the others clear; of 90 anchors 45 are. The model loses
    right answers.
    """
    chance = chance_of(name)
    strata = {"borderline": 0.30, "clear": 0.70}
    verdicts = []
    for _ in range(repeats):
        answers = {stratum: _draw_answers(stratum, int(200 * s), chance) for stratum, s in strata.items()}
        kept = 1 - model_drop / np.concatenate(list(answers.values())).mean()
        suite = [_judge(right, right * kept, judge_drop[s], 1, chance) for s, right in answers.items()]
        anchors = {}
        for stratum in strata:
            frozen = _draw_answers(stratum, 45, chance)
            anchors[stratum] = _shift(_judge(frozen, frozen, judge_drop[stratum], 5, chance), 5)
        model = _shift(np.concatenate(suite, axis=1), 1)
        verdicts.append(suspect(model, weigh_strata(anchors, strata)).suspect)
    return {verdict: verdicts.count(verdict) / repeats for verdict in Suspect}


def _draw_answers(stratum: str, count: int, chance: Generator) -> Array:
    if stratum == "borderline":
        return chance.uniform(0.2, 0.8, count)
    return np.where(chance.random(count) < 0.85, 0.98, 0.02)


def _judge(before: Array, after: Array, drop: float, repeats: int, chance: Generator) -> NDArray[np.int64]:
    """Scores (37 nights, answers) from 0 to `repeats`: one judgement a night, at the end `repeats`."""
    stricter = after * (1 - drop / after.mean())
    first = repeats * chance.binomial(1, np.broadcast_to(before, (REFERENCE_NIGHTS, before.size)))
    return np.concatenate([first, chance.binomial(repeats, np.broadcast_to(stricter, (7, before.size)))])


def _shift(scores: NDArray[np.int64], levels: int) -> Shift:
    shift = measure_shift(scores, REFERENCE_NIGHTS, levels)
    assert shift is not None
    return shift
