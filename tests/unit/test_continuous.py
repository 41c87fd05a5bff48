"""Latency, tokens and cost: known answers, oracles, and streams that change or resemble themselves."""

import numpy as np
import pytest
from scipy import stats

from shared.domain.drift.budget import Budget, Thresholds, share_operations
from shared.domain.drift.continuous import Array, Operations, detect_operations, mark_calls_in_time
from shared.domain.drift.detect import AcceptBaseline, Act, Quarantine
from shared.domain.drift.detector import Reading
from shared.domain.drift.nightly import MISSING

THRESHOLDS: Thresholds = Budget(1).of_each_model(share_operations(7)[:1])
EVERYONE = np.array([True])


def learn(values: Array) -> tuple[list[Operations], list[Reading]]:
    """Each night's state before it, and its reading; `values` (nights, units) of one model."""
    operations, states, readings = Operations.fresh(1, values.shape[1]), [], []
    for tonight in values:
        states.append(operations)
        operations, reading = operations.after(tonight[None], THRESHOLDS, EVERYONE)
        readings.append(reading)
    return [*states, operations], readings


def fold(values: Array, acts: list[Act] | None = None) -> list[Reading]:
    return list(detect_operations(values[:, None], [THRESHOLDS] * len(values), acts or []))


def seconds(nights: int = 60, units: int = 30, seed: int = 1) -> Array:
    chance = np.random.default_rng(seed)
    usual = chance.lognormal(0.0, 1.0, units)
    values: Array = usual * chance.lognormal(0.0, 0.3, (nights, units))
    return values


def test_self_starting_score_known_answer() -> None:
    levels = np.array([10, 11, 9.5, 10.2, 10.4, 9.9, 13.0])
    values = np.exp(np.concatenate([np.zeros(7), levels]))[:, None]
    states, _ = learn(values)
    assert states[-1].scores[0, -1] == pytest.approx(2.9119571973832605, rel=1e-12)
    assert np.isnan(states[-1].scores[0]).sum() == 60 - 5


def test_a_nights_level_is_the_trimmed_mean_over_the_questions_against_their_usual_values() -> None:
    values = seconds(nights=8, units=23)
    states, _ = learn(values)
    expected = stats.trim_mean(np.log(values[7]) - np.median(np.log(values[:7]), axis=0), 0.10)
    assert states[-1].levels[0] == 1
    assert states[-1].mean[0] == pytest.approx(expected)


def test_scores_are_discounted_by_how_much_nights_resemble_one_another() -> None:
    states, readings = learn(seconds(nights=50))
    for night in (9, 12, 49):
        past = states[night].scores[0][~np.isnan(states[night].scores[0])]
        tonight = states[night + 1].scores[0, -1]
        h = past.size
        deviation = past - np.median(past) if h else past
        lag_1 = (deviation[1:] @ deviation[:-1]) / (deviation @ deviation) if h > 1 else 0.0
        rho = np.clip((lag_1 + 2 / h) * h / (h + 10), 0, 0.8) if h else 0.2
        assert readings[night].low[0, 0] == pytest.approx(tonight / np.sqrt((1 + rho) / (1 - rho)))


def test_slower_answers_alarm_and_faster_ones_are_told() -> None:
    slower, faster = seconds(), seconds()
    slower[40:] *= 1.5
    faster[40:] /= 1.5
    alarms = [night for night, reading in enumerate(fold(slower)) if reading.has_alarm.any()]
    assert 40 <= alarms[0] <= 44
    told = [reading for reading in fold(faster) if reading.has_improved.any()]
    assert told
    assert not any(reading.has_alarm.any() for reading in fold(faster))
    assert not any(reading.has_alarm.any() for reading in fold(seconds(nights=200)))


def test_the_seven_first_nights_say_nothing() -> None:
    readings = fold(seconds(nights=10))
    assert all(np.isnan(reading.low).all() for reading in readings[:7])
    assert [float(reading.low[0, 0]) for reading in readings[7:9]] == [-np.inf, -np.inf]
    assert np.isfinite(readings[9].low).all()


def test_a_new_question_joins_after_seven_values_of_its_own() -> None:
    values = seconds(nights=20, units=2)
    values[:5, 1] = np.nan
    without = values[:, :1]
    states, _ = learn(values)
    alone, _ = learn(without)
    assert states[12].mean[0] == alone[12].mean[0]
    assert states[13].mean[0] != alone[13].mean[0]


def test_a_price_that_never_varied_and_then_moves_is_far_away_but_finite() -> None:
    values = np.full((20, 3), 0.002)
    values[15:] = 0.004
    readings = fold(values)
    assert readings[14].low[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert 4 < readings[15].low[0, 0] < 40
    assert any(reading.has_alarm.any() for reading in readings[15:18])


def test_nights_that_agree_to_a_hair_prove_no_smaller_change() -> None:
    values = np.full((30, 3), 60.0)
    values[15:] = 60.3
    assert not any(reading.has_alarm.any() for reading in fold(values))


def test_free_calls_have_no_cost_to_watch() -> None:
    assert all(np.isnan(reading.low).all() for reading in fold(np.zeros((20, 3))))


def test_quarantine_and_a_new_baseline() -> None:
    values = seconds(nights=40)
    values[20] *= 9
    skipped = [r.low[0, 0] for i, r in enumerate(fold(values, [Quarantine(0, 20)])) if i != 20]
    np.testing.assert_array_equal(skipped, [r.low[0, 0] for r in fold(np.delete(values, 20, axis=0))])
    afresh = fold(values, [AcceptBaseline(0, 15)])[15:]
    np.testing.assert_array_equal([r.low for r in afresh], [r.low for r in fold(values[15:])])


def test_slow_calls_are_those_beyond_twice_the_usual() -> None:
    marks = mark_calls_in_time(np.array([1.0, 2.0, 2.1, np.nan, 1.0]), np.array([1.0, 1.0, 1.0, 1.0, np.nan]))
    assert marks.tolist() == [1, 1, 0, MISSING, MISSING]
