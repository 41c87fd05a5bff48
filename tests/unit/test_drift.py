"""The fold: what it finds, what people's decisions do to it, and that it always gives the same bytes."""

import time
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest

from shared.domain.drift.budget import Budget, Thresholds, share_quality
from shared.domain.drift.detect import (
    AcceptBaseline,
    Act,
    Detection,
    Integers,
    Metric,
    Nights,
    Quarantine,
    State,
    Stream,
    advance,
    detect,
    observe_quality,
)
from shared.domain.drift.nightly import MISSING, Noise, put_in_bags, score_night

CATEGORIES = ["code"] * 20 + ["facts"] * 20
QUALITY = observe_quality(CATEGORIES)
EVERYONE = np.array([True, True])


def thresholds_of(metric: Metric, models: int = 1) -> Thresholds:
    return Budget(models).of_each_model(share_quality(len(metric.streams) - 2))


def simulate(nights: int = 50, models: int = 2, drop_at: int = 30, change: float = -0.4) -> Nights:
    """The first model's code answers change at index `drop_at`, the other models stay."""
    chance = np.random.default_rng(17)
    right = np.broadcast_to(chance.beta(4, 1, (models, len(CATEGORIES))), (nights, models, 40)).copy()
    right[drop_at:, 0, :20] = np.clip(right[drop_at:, 0, :20] + change, 0, 1)
    scores = (chance.random(right.shape) < right).astype(np.int8)
    return Nights(scores, np.ones((nights, models)))


def fold(nights: Nights, acts: Sequence[Act] = (), metric: Metric = QUALITY) -> list[Detection]:
    return list(detect(nights, metric, [thresholds_of(metric)] * len(nights.scores), acts))


def as_bytes(detection: Detection, model: int) -> bytes:
    """All that one night says of one model."""
    reading = detection.reading
    arrays = [
        getattr(reading, f.name)
        for f in fields(reading)
        if f.name not in ("change", "improvement", "thresholds")
    ]
    dates = [d for c in (reading.change, reading.improvement) for d in (c.best, c.earliest, c.latest)]
    return b"".join(array[model].tobytes() for array in [*arrays, *dates, detection.overdispersion])


def test_a_drop_alarms_for_its_model_and_is_dated() -> None:
    detections = fold(simulate())
    alarms = np.array([d.reading.has_alarm.any(axis=1) for d in detections])
    first = int(np.argmax(alarms[:, 0]))
    assert not alarms[:30].any()
    assert 30 <= first <= 34
    assert not alarms[:, 1].any()
    reading = detections[first].reading
    stream = reading.leading[0]
    assert QUALITY.streams[stream].name in ("weighted", "code")
    assert reading.change.earliest[0, stream] <= 31 <= reading.change.latest[0, stream]
    assert abs(reading.change.best[0, stream] - 31) <= 1


def test_an_alarm_is_not_raised_again_for_the_same_nights() -> None:
    readings = [d.reading for d in fold(simulate())]
    for stream in range(len(QUALITY.streams)):
        alarms = [night for night, reading in enumerate(readings) if reading.has_alarm[0, stream]]
        if alarms:
            later = readings[alarms[0] + 1 :]
            assert all(reading.change.earliest[0, stream] > alarms[0] + 1 for reading in later)


def test_noise_that_nights_share_is_taken_out_of_the_scores() -> None:
    nights = simulate(nights=40, models=1, change=0.0)
    nights.scores[::2, :, ::3] = 0
    folded = fold(nights)
    bags, noise = np.zeros((1, 40, 2), dtype=np.int64), Noise.unknown(1)
    for tonight, detection in zip(nights.scores.astype(np.int64), folded, strict=True):
        bags = put_in_bags(bags, tonight)
        exact = score_night(bags, tonight)
        spread = np.sqrt(noise.allowance)
        assert detection.overdispersion[0, 0] == noise.overdispersion[0]
        noise = noise.after(exact.mid)
        np.testing.assert_array_equal(detection.reading.low[:, 0], exact.low / spread)
        np.testing.assert_array_equal(detection.reading.high[:, 0], exact.high / spread)
    assert folded[0].overdispersion[0, 0] == 1.0
    assert folded[-1].overdispersion[0, 0] > 1.5


def test_an_improvement_is_told_and_never_alarms() -> None:
    better = simulate(change=+0.0)
    better.scores[30:, 0, :20] = 1
    detections = fold(better)
    told = np.array([d.reading.has_improved.any(axis=1) for d in detections])
    assert told[30:, 0].any()
    assert not told[:30].any()
    assert not np.array([d.reading.has_alarm for d in detections]).any()


def test_watch_comes_before_the_alarm() -> None:
    readings = [d.reading for d in fold(simulate(change=-0.25))]
    alarm = next(night for night, reading in enumerate(readings) if reading.has_alarm[0].any())
    watched = next(night for night, reading in enumerate(readings) if reading.is_watched[0].any())
    assert 30 <= watched < alarm


def test_night_by_night_or_at_once_alone_or_together_the_bytes_are_the_same() -> None:
    nights = simulate(models=3)
    together = fold(nights)
    state = State.fresh(3, 40, QUALITY)
    for night, folded in enumerate(together):
        state, detection = advance(
            state,
            nights.scores[night].astype(np.int64),
            QUALITY,
            thresholds_of(QUALITY),
            np.ones(3, dtype=bool),
        )
        assert [as_bytes(detection, m) for m in range(3)] == [as_bytes(folded, m) for m in range(3)]
    for model in range(3):
        own = Nights(nights.scores[:, [model]], nights.coverage[:, [model]])
        assert [as_bytes(d, 0) for d in fold(own)] == [as_bytes(d, model) for d in together]


def test_a_quarantined_night_has_never_been() -> None:
    nights = simulate()
    nights.scores[20, 1] = 0
    removed = Nights(np.delete(nights.scores, 20, axis=0), np.delete(nights.coverage, 20, axis=0))
    folded = fold(nights, [Quarantine(1, 20)])
    assert np.isnan(folded[20].reading.low[1]).all()
    assert not folded[20].reading.has_alarm[1].any()
    without = [as_bytes(d, 1) for d in fold(removed)]
    assert [as_bytes(d, 1) for i, d in enumerate(folded) if i != 20] == without


def test_a_night_that_measured_too_little_does_not_count() -> None:
    nights = simulate()
    nights.coverage[10, 0] = 0.79
    assert [as_bytes(d, 0) for d in fold(nights)] == [
        as_bytes(d, 0) for d in fold(nights, [Quarantine(0, 10)])
    ]
    assert fold(nights)[-1].reading.change.best[1].max() <= 50


def test_an_accepted_baseline_starts_the_model_afresh() -> None:
    nights = simulate(nights=80)
    later = Nights(nights.scores[30:], nights.coverage[30:])
    accepted = fold(nights, [AcceptBaseline(0, 30)])
    assert [as_bytes(d, 0) for d in accepted[30:]] == [as_bytes(d, 0) for d in fold(later)]
    assert not np.array([d.reading.has_alarm for d in accepted]).any()
    assert [as_bytes(d, 1) for d in accepted] == [as_bytes(d, 1) for d in fold(nights)]


def test_a_new_question_joins_and_the_series_goes_on() -> None:
    nights = simulate(change=0.0)
    nights.scores[:20, :, 5] = MISSING
    nights.scores[20:, :, 6] = MISSING
    assert not np.array([d.reading.has_alarm for d in fold(nights)]).any()


def test_graded_answers_are_watched_like_right_and_wrong_ones() -> None:
    nights = simulate()
    chance = np.random.default_rng(1)
    graded = Nights(chance.binomial(20, 0.2 + 0.6 * nights.scores).astype(np.int8), nights.coverage)
    detections = fold(graded, metric=observe_quality(CATEGORIES, levels=20, grid=20))
    alarms = np.array([d.reading.has_alarm.any(axis=1) for d in detections])
    assert alarms[30:35, 0].any()
    assert not alarms[:30].any()
    assert not alarms[:, 1].any()


def test_a_second_run_tonight_is_asked_for_only_in_quiet_environments() -> None:
    detections = fold(simulate(change=-0.25))
    asked = [night for night, d in enumerate(detections) if d.deserves_confirmation[0]]
    alarm = next(night for night, d in enumerate(detections) if d.reading.has_alarm[0].any())
    assert asked
    assert asked[0] < alarm
    assert alarm not in asked
    watched = next(d for d in detections if d.reading.is_watched[0].any())
    noisy = Detection(watched.reading, np.full_like(watched.overdispersion, 1.2))
    assert not noisy.deserves_confirmation.any()


@pytest.mark.parametrize("questions", [500])
def test_one_stream_takes_one_night_in_a_few_milliseconds(questions: int) -> None:
    metric = Metric((Stream("accuracy", np.arange(questions)),))
    chance = np.random.default_rng(2)
    right = chance.beta(1.2, 0.3, (1, questions))
    thresholds = Budget(10).of_each_model([0.12])
    state, spent = State.fresh(1, questions, metric), []
    for _ in range(60):
        tonight: Integers = (chance.random(right.shape) < right).astype(np.int64)
        begin = time.process_time()
        state, _ = advance(state, tonight, metric, thresholds, np.array([True]))
        spent.append(time.process_time() - begin)
    assert np.median(spent) < 0.010
