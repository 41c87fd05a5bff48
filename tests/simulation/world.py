"""Simulated models: how well each answers each question, night after night, and how that changes."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

REFERENCE_NIGHTS = 30
CHANGED_SHARE = 0.30
JUDGE_FLIPS = 0.02
CATEGORIES = 7
SMALL_CATEGORY = 7  # questions
GRADED = 20  # levels of a graded answer
GRADES_AGREE = 4.0  # so strongly does a graded answer keep to its mean: Beta(4 p, 4 (1 - p))


class NoiseOn(Enum):
    """What moves with the night.

    The measured mean, exactly; each chance, up to 1; each measured chance (after the judge's flips), up to
    1; doubtful answers alone.
    """

    MEAN = "mean"
    EACH_CHANCE = "each chance"
    EACH_MEASURED = "each measured chance"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to each simulated model.

    From night 31 on the mean of the measured scores falls by `drop`, and by `decay` more with each night,
    concentrated on a random 30 % of the questions, or `in_category`: on a category of seven, whose own mean
    falls. `night_noise` is the standard deviation of what all questions of a night have in common, in shares
    of 1; `noise_on` says on what it acts, `lag_1` is its correlation from night to night.
    """

    questions: int
    nights: int
    drop: float = 0.0
    decay: float = 0.0
    in_category: bool = False
    night_noise: float = 0.0
    noise_on: NoiseOn = NoiseOn.MEAN
    lag_1: float = 0.0
    has_confirmations: bool = False
    is_graded: bool = False

    @property
    def levels(self) -> int:
        return GRADED if self.is_graded else 1


@dataclass(frozen=True, slots=True)
class World:
    """`before` (models, questions): the chance of a right answer, or the mean of a graded one.

    `steepness` (models, questions): the share of it that is lost when the measured mean falls by 1, 0 for
    questions that do not change. `noise` (nights, models).
    """

    scenario: Scenario
    before: Array
    steepness: Array
    noise: Array

    def answer(self, night: int, chance: Generator) -> Integers:
        """One run tonight: scores (models, questions) from 0 to the scenario's levels."""
        seen = self._expect(night)
        if self.scenario.is_graded:
            seen = np.clip(seen, 1e-6, 1 - 1e-6)
            grades = GRADED * chance.beta(GRADES_AGREE * seen, GRADES_AGREE * (1 - seen))
        else:
            grades = (chance.random(seen.shape) < seen).astype(float)
        scores: Integers = np.rint(grades).astype(np.int64)
        return scores

    def _expect(self, night: int) -> Array:
        """(models, questions): the mean of tonight's measured scores."""
        right = self._keep(night)
        tonight = self.noise[night][:, None]
        match self.scenario.noise_on:
            case NoiseOn.MEAN:
                mean = right.mean(axis=1, keepdims=True)
                moved = right + np.where(tonight < 0, right / mean, (1 - right) / (1 - mean)) * tonight
            case NoiseOn.EACH_CHANCE:
                moved = np.clip(right + tonight, 0.0, 1.0)
            case NoiseOn.EACH_MEASURED:
                measured: Array = np.clip(_judge(right) + tonight, 0.0, 1.0)
                return measured
            case NoiseOn.DOUBTFUL:
                doubt = right * (1 - right)
                moved = np.clip(right + doubt / doubt.mean(axis=1, keepdims=True) * tonight, 0.0, 1.0)
        return _judge(moved)

    def _keep(self, night: int) -> Array:
        if night < REFERENCE_NIGHTS:
            return self.before
        lost = self.scenario.drop + self.scenario.decay * (night + 1 - REFERENCE_NIGHTS)
        kept: Array = self.before * (1 - np.minimum(self.steepness * lost, 1.0))
        return kept


def create(scenario: Scenario, models: int, chance: Generator) -> World:
    """Draw the models of a scenario."""
    before = chance.beta(1.2, 0.3, (models, scenario.questions))
    if scenario.in_category:
        is_changed = np.broadcast_to(np.arange(scenario.questions) < SMALL_CATEGORY, before.shape)
        questions = SMALL_CATEGORY
    else:
        order = chance.random(before.shape).argsort(axis=1)
        is_changed = order < CHANGED_SHARE * scenario.questions
        questions = scenario.questions
    held = np.where(is_changed, before, 0.0).sum(axis=1, keepdims=True)
    steepness = np.where(is_changed, questions / (1 - 2 * JUDGE_FLIPS) / held, 0.0)  # the flips hide some
    return World(scenario, before, steepness, _draw_noise(scenario, models, chance))


def categorize(questions: int) -> list[str]:
    """A category of seven questions, and six that share the rest."""
    rest = np.arange(questions - SMALL_CATEGORY) % (CATEGORIES - 1) + 1
    return ["category 0"] * SMALL_CATEGORY + [f"category {number}" for number in rest]


def _judge(right: Array) -> Array:
    return right * (1 - JUDGE_FLIPS) + (1 - right) * JUDGE_FLIPS


def _draw_noise(scenario: Scenario, models: int, chance: Generator) -> Array:
    steps = chance.normal(0.0, 1.0, (scenario.nights, models))
    noise = np.empty_like(steps)
    noise[0] = steps[0]
    for night in range(1, scenario.nights):
        fresh = np.sqrt(1 - scenario.lag_1**2) * steps[night]
        noise[night] = scenario.lag_1 * noise[night - 1] + fresh
    return scenario.night_noise * noise
