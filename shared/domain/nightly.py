"""How unusual is tonight's score among a model's own earlier nights? Exact, question by question.

Every unit (a question, or a cluster of questions whose scores are summed) keeps a bag of the scores it has
had since the baseline, tonight's included. If nothing changed, tonight's score is a uniform draw from that
bag, so the sum over the units has a known law: the convolution of the bags. With two nights in the bags this
is McNemar's exact test. Scores are integers on a grid from 0; a row is one stream, with its set of units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.distributions import normal_quantile_of_log

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

MISSING = -1  # the unit has no score that night
HEAVIEST_WEIGHT = 4
REFERENCE_VARIANCE = 0.10  # a unit of this variance weighs half of a stable one
FARTHEST = 37.0  # a normal score beyond has no probability that a float can hold
STEADY_NIGHTS = 20  # nights' worth of belief that the environment is quiet
NOISY_ABOVE = 1.5
NARROW = 6  # values in a bag


@dataclass(frozen=True, slots=True)
class NightScore:
    """Tonight as normal scores, large = worse; each array has one value per row.

    The score is discrete, so it covers an interval: `low` = -PhiInv(P(X <= x)), `high` = -PhiInv(P(X < x)),
    and `mid` at the mid-p. A row in which no unit ever varied says nothing: (-inf, inf), and NaN for `mid`.
    """

    low: Array
    high: Array
    mid: Array

    @property
    def says_something(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.mid)


@dataclass(frozen=True, slots=True)
class Noise:
    """What a row's nights have shown of noise that is common to all questions of a night.

    Arrays of one shape: `squares` holds half the squared differences of successive mid-p scores, summed;
    `last` is NaN before the first.
    """

    squares: Array
    differences: Integers
    last: Array

    @classmethod
    def unknown(cls, *shape: int) -> "Noise":
        return cls(np.zeros(shape), np.zeros(shape, dtype=np.int64), np.full(shape, np.nan))

    def restart(self, rows: NDArray[np.bool_]) -> "Noise":
        """Forget these rows."""
        return Noise(
            np.where(rows, 0.0, self.squares),
            np.where(rows, 0, self.differences),
            np.where(rows, np.nan, self.last),
        )

    @property
    def overdispersion(self) -> Array:
        """phi >= 1: the variance of the nightly scores over what chance in the answers explains."""
        return np.maximum(1.0, (STEADY_NIGHTS + self.squares) / (STEADY_NIGHTS + self.differences))

    def after(self, mid: Array) -> "Noise":
        """Learn tonight's mid-p scores; NaN leaves a row as it was."""
        known = ~np.isnan(mid)
        again = known & ~np.isnan(self.last)
        step = np.where(again, mid - self.last, 0.0)
        return Noise(
            self.squares + 0.5 * step * step, self.differences + again, np.where(known, mid, self.last)
        )


def put_in_bags(bags: Integers, tonight: Integers) -> Integers:
    """Add tonight's scores (..., units) to the counts per grid value (..., units, grid + 1)."""
    filled: Integers = bags + (tonight[..., None] == np.arange(bags.shape[-1]))
    return filled


def weigh(bags: Integers, levels: int) -> Integers:
    """Whole weights from 1 to 4 per unit: stable units count more. `levels`: the best score of a question."""
    grid = np.arange(bags.shape[-1])
    size = np.maximum(bags.sum(axis=-1), 1)
    mean = (bags * grid).sum(axis=-1) / size
    variance = ((bags * grid**2).sum(axis=-1) / size - mean**2) / levels**2
    weight = HEAVIEST_WEIGHT * REFERENCE_VARIANCE / (np.maximum(variance, 0.0) + REFERENCE_VARIANCE)
    whole: Integers = np.maximum(1, np.rint(weight)).astype(np.int64)
    return whole


def score_night(bags: Integers, tonight: Integers, weights: Integers | None = None) -> NightScore:
    """Score tonight (rows, units) within bags (rows, units, grid + 1) that hold it already.

    Units that are MISSING tonight or never varied are left out. Cost: units x range of the sum.
    """
    varies = (tonight != MISSING) & (bags.max(axis=-1) < bags.sum(axis=-1))
    units = int(varies.sum(axis=-1).max(initial=0))
    first = np.argsort(~varies, axis=-1, kind="stable")[:, :units]
    varies = np.take_along_axis(varies, first, axis=-1)
    weight = (
        varies.astype(np.int64) if weights is None else varies * np.take_along_axis(weights, first, axis=-1)
    )
    score = np.take_along_axis(tonight, first, axis=-1)
    laws = _weighted_shares(np.take_along_axis(bags, first[..., None], axis=1), weight)
    x = (weight * score).sum(axis=-1)
    possible = laws > 0
    worst = possible.argmax(axis=-1).sum(axis=-1)
    best = (laws.shape[-1] - 1 - possible[..., ::-1].argmax(axis=-1)).sum(axis=-1)
    convolve = _convolve_pairwise if bags.shape[-1] <= NARROW else _convolve_one_by_one
    low, high, mid = _normal_scores(convolve(laws) if units else np.ones((len(laws), 1)), x)
    return NightScore(
        low=np.where(x < best, low, -np.inf),
        high=np.where(x > worst, high, np.inf),
        mid=np.where(varies.any(axis=-1), mid, np.nan),
    )


def _weighted_shares(bags: Integers, weight: Integers) -> Array:
    """P(weight x score = k) under each bag: (rows, units, largest weight x grid + 1)."""
    heaviest, grid = int(weight.max(initial=1)), bags.shape[-1] - 1
    shares = bags / np.maximum(bags.sum(axis=-1, keepdims=True), 1)
    laws = np.zeros((*weight.shape, heaviest * grid + 1))
    for value in range(1, heaviest + 1):
        chosen = weight == value
        laws[..., : value * grid + 1 : value][chosen] = shares[chosen]
    laws[weight == 0, 0] = 1.0
    return laws


def _convolve_pairwise(laws: Array) -> Array:
    """The law of the sum over axis 1. Nothing is ever subtracted: tails keep their precision."""
    while laws.shape[1] > 1:
        if laws.shape[1] % 2:
            laws = np.pad(laws, ((0, 0), (0, 1), (0, 0)))
            laws[:, -1, 0] = 1.0
        one, other = laws[:, ::2], laws[:, 1::2]
        width = laws.shape[2]
        laws = np.zeros((*one.shape[:2], 2 * width - 1))
        for step in np.flatnonzero(other.any(axis=(0, 1))):
            laws[..., step : step + width] += one * other[..., step, None]
    return laws[:, 0]


def _convolve_one_by_one(laws: Array) -> Array:
    """The same, row by row: faster where the grid is wide and each bag holds a few of its values."""
    units, width = laws.shape[1:]
    sums = np.zeros((len(laws), units * (width - 1) + 1))
    sums[:, 0] = 1.0
    for total, row in zip(sums, laws, strict=True):
        reach = 1
        for law in row:
            before = total[:reach].copy()
            total[:reach] *= law[0]
            steps = np.flatnonzero(law[1:]) + 1
            for step in steps:
                total[step : step + reach] += before * law[step]
            reach += int(steps.max(initial=0))
    return sums


def _normal_scores(law: Array, x: Integers) -> tuple[Array, Array, Array]:
    """Of P(X <= x), P(X < x) and the mid-p; both tails are summed from their own end."""
    none = np.zeros((len(law), 1))
    below = np.concatenate([none, np.cumsum(law, axis=1)], axis=1)  # [k] = P(X < k)
    above = np.concatenate([np.cumsum(law[:, ::-1], axis=1)[:, ::-1], none], axis=1)  # [k] = P(X >= k)
    row = np.arange(len(law))
    less, not_more = below[row, x], below[row, x + 1]
    not_less, more = above[row, x], above[row, x + 1]
    return (
        _normal_score(not_more, more),
        _normal_score(less, not_less),
        _normal_score(0.5 * (less + not_more), 0.5 * (more + not_less)),
    )


def _normal_score(lower: Array, upper: Array) -> Array:
    """-PhiInv(lower) from the shorter of two tails that sum to 1; one that underflows is just far away."""
    with np.errstate(divide="ignore"):
        from_shorter = normal_quantile_of_log(np.log(np.minimum(lower, upper)))
    return np.clip(np.where(lower <= upper, -from_shorter, from_shorter), -FARTHEST, FARTHEST)
