"""The monthly comparison with the pinned baseline: its threshold, its size, and what it finds."""

import numpy as np
import pytest
from scipy import stats

from shared.domain.drift.dating import measure_shift
from shared.domain.drift.decay import Decay, has_decayed
from shared.domain.drift.nightly import MISSING, Integers

WEEK, LATEST = slice(0, 7), slice(-7, None)


def simulate(lost: float, nights: int = 37, units: int = 200, seed: int = 3) -> Integers:
    """Right and wrong answers whose chance falls in a line, by `lost` over all nights."""
    chance = np.random.default_rng(seed)
    right = chance.beta(4, 1, units) * (1 - np.linspace(0.0, lost, nights)[:, None])
    answers: Integers = (chance.random(right.shape) < right).astype(np.int64)
    return answers


def decay_of(scores: Integers, phi: float = 1.0, models: int = 10, levels: int = 1) -> Decay:
    decay = has_decayed(scores, WEEK, LATEST, levels, phi, models)
    assert decay is not None
    return decay


@pytest.mark.parametrize(("models", "alpha"), [(1, 0.05 * 30 / 365), (10, 0.05 * 30 / 3650)])
def test_the_months_of_all_models_together_spend_their_share_of_the_budget(models: int, alpha: float) -> None:
    decay = decay_of(simulate(0.0), models=models)
    assert decay.threshold_z == pytest.approx(stats.norm.ppf(alpha))
    rarer = has_decayed(simulate(0.0), WEEK, LATEST, 1, 1.0, models, nights_per_false_alarm=3650)
    assert rarer is not None
    assert rarer.threshold_z == pytest.approx(stats.norm.ppf(alpha / 10))


def test_only_the_two_weeks_count_and_are_paired_by_unit() -> None:
    scores = simulate(0.1)
    scores[:7, 3] = MISSING
    two_weeks = np.concatenate([scores[:7], scores[-7:]])
    decay = decay_of(scores, phi=1.7)
    assert decay.shift == measure_shift(two_weeks, 7, 1, 1.7)
    assert decay.shift.units == 199
    scores[7:-7] = 0
    assert decay_of(scores, phi=1.7) == decay


def test_a_decay_alarms_and_neither_quiet_weeks_nor_better_ones_do() -> None:
    assert decay_of(simulate(0.12)).has_alarm
    assert not decay_of(simulate(0.0)).has_alarm
    improved = decay_of(simulate(0.12)[::-1])
    assert improved.shift.z > 3
    assert not improved.has_alarm


def test_noise_that_nights_share_makes_a_decay_harder_to_prove() -> None:
    scores = simulate(0.12)
    assert decay_of(scores, phi=9.0).shift.z == pytest.approx(decay_of(scores).shift.z / 3)
    assert not decay_of(scores, phi=9.0).has_alarm


def test_graded_answers_decay_like_right_and_wrong_ones() -> None:
    assert decay_of(20 * simulate(0.12), levels=20) == decay_of(simulate(0.12))


def test_without_a_unit_that_both_weeks_have_scored_nothing_is_said() -> None:
    scores = simulate(0.0, units=2)
    scores[:7, 0] = MISSING
    scores[-7:, 1] = MISSING
    assert has_decayed(scores, WEEK, LATEST, 1, 1.0, 10) is None


def test_equal_weeks_alarm_as_rarely_as_they_should() -> None:
    """4,000 pairs of weeks, with a budget that lets one pair in 122 alarm."""
    chance = np.random.default_rng(8)
    alarms = 0
    for _ in range(4_000):
        scores = (chance.random((14, 60)) < chance.beta(1.2, 0.3, 60)).astype(np.int64)
        decay = has_decayed(scores, WEEK, LATEST, 1, 1.0, models=1, nights_per_false_alarm=182.5)
        alarms += decay is not None and decay.has_alarm
    assert alarms / 4_000 == pytest.approx(0.05 * 30 / 182.5, abs=0.005)
