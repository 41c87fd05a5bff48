"""Simulated models: how often each answers each question right, night after night, and how that changes."""

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


class NoiseOn(Enum):
    """What moves with the night: the mean, exactly; each chance, up to 1; doubtful answers alone."""

    MEAN = "mean"
    EACH_CHANCE = "each chance"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to each simulated model.

    From night 31 on the mean of the measured scores falls by `drop`, concentrated on a random 30 % of the
    questions, or `in_category`: on a category of seven, whose own mean falls by `drop`. `night_noise` is the
    standard deviation of what all questions of a night have in common, in shares of 1; `noise_on` says on
    what it acts, `lag_1` is its correlation from night to night.
    """

    questions: int
    nights: int
    drop: float = 0.0
    in_category: bool = False
    night_noise: float = 0.0
    noise_on: NoiseOn = NoiseOn.MEAN
    lag_1: float = 0.0
    has_confirmations: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Chances (models, questions) of a right answer before and after, and the noise (nights, models)."""

    before: Array
    after: Array
    noise: Array
    noise_on: NoiseOn

    def answer(self, night: int, chance: Generator) -> Integers:
        """One run tonight: scores (models, questions)."""
        right = self.before if night < REFERENCE_NIGHTS else self.after
        tonight = self.noise[night][:, None]
        match self.noise_on:
            case NoiseOn.MEAN:
                mean = right.mean(axis=1, keepdims=True)
                moved = right + np.where(tonight < 0, right / mean, (1 - right) / (1 - mean)) * tonight
            case NoiseOn.EACH_CHANCE:
                moved = np.clip(right + tonight, 0.0, 1.0)
            case NoiseOn.DOUBTFUL:
                doubt = right * (1 - right)
                moved = np.clip(right + doubt / doubt.mean(axis=1, keepdims=True) * tonight, 0.0, 1.0)
        seen = moved * (1 - JUDGE_FLIPS) + (1 - moved) * JUDGE_FLIPS
        scores: Integers = (chance.random(right.shape) < seen).astype(np.int64)
        return scores


def create(scenario: Scenario, models: int, chance: Generator) -> World:
    """Draw the models of a scenario."""
    before = chance.beta(1.2, 0.3, (models, scenario.questions))
    if scenario.in_category:
        is_changed = np.broadcast_to(np.arange(scenario.questions) < SMALL_CATEGORY, before.shape)
        lost = scenario.drop * SMALL_CATEGORY
    else:
        order = chance.random(before.shape).argsort(axis=1)
        is_changed = order < CHANGED_SHARE * scenario.questions
        lost = scenario.drop * scenario.questions
    lost /= 1 - 2 * JUDGE_FLIPS  # the judge's flips hide some of it
    held = np.where(is_changed, before, 0.0).sum(axis=1, keepdims=True)
    after = np.where(is_changed, before * (1 - np.minimum(lost / held, 1.0)), before)
    return World(before, after, _draw_noise(scenario, models, chance), scenario.noise_on)


def categorize(questions: int) -> list[str]:
    """A category of seven questions, and six that share the rest."""
    rest = np.arange(questions - SMALL_CATEGORY) % (CATEGORIES - 1) + 1
    return ["category 0"] * SMALL_CATEGORY + [f"category {number}" for number in rest]


def _draw_noise(scenario: Scenario, models: int, chance: Generator) -> Array:
    steps = chance.normal(0.0, 1.0, (scenario.nights, models))
    noise = np.empty_like(steps)
    noise[0] = steps[0]
    for night in range(1, scenario.nights):
        fresh = np.sqrt(1 - scenario.lag_1**2) * steps[night]
        noise[night] = scenario.lag_1 * noise[night - 1] + fresh
    return scenario.night_noise * noise
