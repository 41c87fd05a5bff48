"""Latency, tokens and cost: how far is tonight from the nights before, in normal scores?

A question's first seven values fix its usual one (their median). From then on a night's level is the trimmed
mean, over the questions, of log(value) minus that; each level is compared with those before it by Student's t
(self-starting: Hawkins, Technometrics 29, 1987). Nights in a row that resemble one another are discounted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import Thresholds
from shared.domain.drift.detect import Act, apply_acts
from shared.domain.drift.detector import Detector, Flags, Reading
from shared.domain.drift.nightly import FARTHEST, MISSING
from shared.domain.figures.distributions import normal_score_of_t

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

REFERENCE_NIGHTS = 7
TRIMMED = 0.10  # of the questions, at either end
REMEMBERED = 60  # scores that show how alike successive nights are
MOST_ALIKE = 0.8
LEAST_SPREAD = 0.01  # of logs: nights that agree to within 1 % prove no smaller change


@dataclass(frozen=True, slots=True)
class Operations:
    """One measure of every model, so far; nothing else is needed for the next night.

    `reference` (models, units, 7): logs of each question's first values, NaN where still to come. `levels`
    counts the nightly levels, with their `mean` and `squares` around it. `scores` (models, 60): the last
    normal scores before the discount, newest last, NaN before the first.
    """

    reference: Array
    levels: Integers
    mean: Array
    squares: Array
    scores: Array
    detector: Detector

    @classmethod
    def fresh(cls, models: int, units: int) -> "Operations":
        return cls(
            reference=np.full((models, units, REFERENCE_NIGHTS), np.nan),
            levels=np.zeros(models, dtype=np.int64),
            mean=np.zeros(models),
            squares=np.zeros(models),
            scores=np.full((models, REMEMBERED), np.nan),
            detector=Detector.fresh(models, 1),
        )

    def after(self, values: Array, thresholds: Thresholds, takes_part: Flags) -> tuple["Operations", Reading]:
        """Learn a night's values (models, units): seconds, tokens or money, NaN where there is none.

        Values of 0 or less have no logarithm and do not count. The first seven nights, and nights on which no
        known question was measured, leave no level and are no nights of the detector.
        """
        known = takes_part[:, None] & (values > 0)
        logs = np.log(np.where(known, values, 1.0))
        is_settled = ~np.isnan(self.reference[..., -1])
        usual = np.median(np.where(is_settled[..., None], self.reference, 0.0), axis=-1)
        level = _trimmed_means(logs - usual, known & is_settled)
        has_level = ~np.isnan(level)
        score = self._score(level)
        spread = np.sqrt((1 + self.resemblance) / (1 - self.resemblance))
        low = np.where(np.isnan(score), -np.inf, score / spread)[:, None]
        high = np.where(np.isnan(score), np.inf, score / spread)[:, None]
        detector, reading = self.detector.after(low, high, thresholds, has_level)
        return self._remember(np.where(known & ~is_settled, logs, np.nan), level, score, detector), reading

    def restart(self, models: Flags) -> "Operations":
        """Forget everything about these models (a new baseline)."""
        return Operations(
            np.where(models[:, None, None], np.nan, self.reference),
            np.where(models, 0, self.levels),
            np.where(models, 0.0, self.mean),
            np.where(models, 0.0, self.squares),
            np.where(models[:, None], np.nan, self.scores),
            self.detector.restart(models),
        )

    @property
    def resemblance(self) -> Array:
        """rho: the correlation of successive scores, biased upwards while few are known, from 0 to 0.8."""
        count = (~np.isnan(self.scores)).sum(axis=1)
        centre = np.array(
            [np.median(row[-n:]) if n else 0.0 for row, n in zip(self.scores, count, strict=True)]
        )
        deviation = np.nan_to_num(self.scores - centre[:, None])
        squares = (deviation**2).sum(axis=1)
        successive = (deviation[:, 1:] * deviation[:, :-1]).sum(axis=1)
        rho = np.where(squares > 0, successive / np.where(squares > 0, squares, 1.0), 0.0)
        clipped: Array = np.clip((rho * count + 2) / (count + 10), 0.0, MOST_ALIKE)
        return clipped

    def _score(self, level: Array) -> Array:
        """Tonight's level against those before: a normal score, NaN before the third level."""
        t = self.levels + 1
        scores = np.full(level.shape, np.nan)
        for model in np.flatnonzero((t >= 3) & ~np.isnan(level)).tolist():
            night = int(t[model])
            distance = float(level[model] - self.mean[model])
            spread = float(np.sqrt(self.squares[model] / (night - 2) * night / (night - 1)))
            score = normal_score_of_t(distance / max(spread, LEAST_SPREAD), night - 2)
            scores[model] = np.clip(score, -FARTHEST, FARTHEST)
        return scores

    def _remember(self, unsettled: Array, level: Array, score: Array, detector: Detector) -> "Operations":
        known = ~np.isnan(level)
        levels = self.levels + known
        step = np.where(known, level - self.mean, 0.0)
        mean = self.mean + step / np.maximum(levels, 1)
        squares = self.squares + step * np.where(known, level - mean, 0.0)
        moved = np.concatenate([self.scores[:, 1:], score[:, None]], axis=1)
        scores = np.where(np.isnan(score)[:, None], self.scores, moved)
        seen = (~np.isnan(self.reference)).sum(axis=-1, keepdims=True)
        is_next = np.arange(REFERENCE_NIGHTS) == seen
        reference = np.where(is_next, unsettled[..., None], self.reference)
        return Operations(reference, levels, mean, squares, scores, detector)


def detect_operations(
    values: Array, thresholds: Sequence[Thresholds], acts: Sequence[Act] = ()
) -> Iterator[Reading]:
    """Fold a sequence of values (nights, models, units), with one set of thresholds per night."""
    takes_part, restarts = apply_acts(acts, np.ones(values.shape[:2], dtype=bool))
    operations = Operations.fresh(*values.shape[1:])
    for night, tonight in enumerate(values):
        if restarts[night].any():
            operations = operations.restart(restarts[night])
        operations, reading = operations.after(tonight, thresholds[night], takes_part[night])
        yield reading


def mark_calls_in_time(seconds: Array, usual_seconds: Array) -> Integers:
    """1 for a call of at most twice its question's usual time, 0 for a slow one, MISSING without a time.

    The 95th percentile has too heavy a tail to be watched; the share of slow calls goes through bags.
    """
    in_time = (seconds <= 2 * usual_seconds).astype(np.int64)
    return np.where(np.isnan(seconds) | np.isnan(usual_seconds), MISSING, in_time)


def _trimmed_means(values: Array, known: Flags) -> Array:
    """(models): the mean without the lowest and highest 10 %, NaN without values."""
    means = np.full(len(values), np.nan)
    for model, (row, is_known) in enumerate(zip(values, known, strict=True)):
        ordered = np.sort(row[is_known])
        cut = int(TRIMMED * ordered.size)
        if ordered.size:
            means[model] = ordered[cut : ordered.size - cut].mean()
    return means
