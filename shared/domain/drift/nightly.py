"""How unusual is tonight's score among a model's own earlier nights? Exact, question by question.

Every unit (a question, or a cluster of questions whose scores are summed) keeps a bag of the scores it has
had since the baseline, tonight's included. If nothing changed, tonight's score is a uniform draw from that
bag, so the sum over the units has a known law: the convolution of the bags. With two nights in the bags this
is McNemar's exact test. Scores are integers on a grid from 0; a row is one stream, with its set of units.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.domain.figures.distributions import normal_quantile_of_log

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Tails: TypeAlias = tuple[Array, Array, Array, Array]  # per row P(X < x), P(X <= x), P(X >= x), P(X > x)

MISSING = -1  # the unit has no score that night
HEAVIEST_WEIGHT = 4
REFERENCE_VARIANCE = 0.10  # a unit of this variance weighs half of a stable one
FARTHEST = 37.0  # a normal score beyond has no probability that a float can hold
STEADY_NIGHTS = 20  # nights' worth of belief that the environment is quiet
NOISY_ABOVE = 1.5
CERTAIN_ERRORS = 2.0  # standard errors
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

    @property
    def allowance(self) -> Array:
        """What the variance of tonight's score is taken to be: phi, and more than phi once noise is certain.

        Noise is certain when phi lies two standard errors above that of quiet nights. As its size is just as
        uncertain, an alarm must then survive a phi that is two standard errors larger. The sum of m half
        squared differences has the variance 3m - 1 (von Neumann et al., Ann. Math. Statist. 12, 1941).
        """
        phi = self.overdispersion
        margin = CERTAIN_ERRORS * np.sqrt(3 * self.differences) / (STEADY_NIGHTS + self.differences)
        return np.where(phi > 1.0 + margin, phi * (1.0 + margin), phi)

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
    own = np.take_along_axis(bags, first[..., None], axis=1)
    least = (own > 0).argmax(axis=-1)
    most = bags.shape[-1] - 1 - (own[..., ::-1] > 0).argmax(axis=-1)
    find_tails = _find_tails if bags.shape[-1] <= NARROW else _find_tails_row_by_row
    low, high, mid = _normal_scores(*find_tails(own, score, weight))
    return NightScore(
        low=np.where((weight * score < weight * most).any(axis=-1), low, -np.inf),
        high=np.where((weight * score > weight * least).any(axis=-1), high, np.inf),
        mid=np.where(varies.any(axis=-1), mid, np.nan),
    )


def _find_tails(bags: Integers, score: Integers, weight: Integers) -> Tails:
    """All rows at once, for narrow bags."""
    laws = _weighted_shares(bags, weight)
    law = _convolve_pairwise(laws) if laws.shape[1] else np.ones((len(laws), 1))
    x = (weight * score).sum(axis=-1)
    none = np.zeros((len(law), 1))
    below = np.concatenate([none, np.cumsum(law, axis=1)], axis=1)  # [k] = P(X < k)
    above = np.concatenate([np.cumsum(law[:, ::-1], axis=1)[:, ::-1], none], axis=1)  # [k] = P(X >= k)
    row = np.arange(len(law))
    return below[row, x], below[row, x + 1], above[row, x], above[row, x + 1]


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


def _find_tails_row_by_row(bags: Integers, score: Integers, weight: Integers) -> Tails:
    """For wide bags, whose laws are long: units of one weight are summed first, without the weight."""
    tails = np.repeat([[0.0], [1.0], [1.0], [0.0]], len(bags), axis=1)  # of a sum of nothing
    for row in range(len(bags)):
        weighs = weight[row] > 0
        held = bags[row, weighs]
        if not len(held):
            continue
        least = (held > 0).argmax(axis=-1)
        most = held.shape[-1] - (held[:, ::-1] > 0).argmax(axis=-1)
        shares = held / held.sum(axis=-1, keepdims=True)
        laws = [one[i:k] for one, i, k in zip(shares, least.tolist(), most.tolist(), strict=True)]
        x = int((weight[row, weighs] * (score[row, weighs] - least)).sum())
        tails[:, row] = _find_tails_of_sum(_convolve_by_weight(laws, weight[row, weighs]), x)
    return tails[0], tails[1], tails[2], tails[3]


def _convolve_by_weight(laws: list[Array], weight: Integers) -> list[tuple[int, Array]]:
    """Two independent parts of the weighted sum: (step, law of the part in multiples of the step)."""
    groups = {value: np.flatnonzero(weight == value).tolist() for value in np.unique(weight).tolist()}
    parts = [(value, [laws[unit] for unit in units]) for value, units in groups.items()]
    if len(parts) == 1:
        value, alike = parts[0]
        half = len(alike) // 2
        parts = [(value, alike[:half] or [np.ones(1)]), (value, alike[half:])]
    sums = sorted(((value, _convolve(alike)) for value, alike in parts), key=lambda part: part[1].size)
    while len(sums) > 2:
        sums = [(1, np.convolve(_stretch(*sums[0]), _stretch(*sums[1]))), *sums[2:]]
    return sums


def _convolve(laws: list[Array]) -> Array:
    while len(laws) > 1:
        alone = laws[len(laws) // 2 * 2 :]
        laws = [np.convolve(one, other) for one, other in zip(laws[::2], laws[1::2], strict=False)] + alone
    return laws[0]


def _stretch(step: int, law: Array) -> Array:
    stretched = np.zeros(step * (law.size - 1) + 1)
    stretched[::step] = law
    return stretched


def _find_tails_of_sum(parts: list[tuple[int, Array]], x: int) -> tuple[float, float, float, float]:
    """The tails at x of a sum of two parts: the last and longest convolution is never carried out."""
    (step, law), (other_step, other) = parts
    below = np.concatenate([[0.0], np.cumsum(other)])
    above = np.concatenate([np.cumsum(other[::-1])[::-1], [0.0]])
    left = x - step * np.arange(law.size)  # what the other part may add
    less = np.clip(-(-left // other_step), 0, other.size)  # so many of its values lie below x
    not_more = np.clip(left // other_step + 1, 0, other.size)
    return (
        float((law * below[less]).sum()),
        float((law * below[not_more]).sum()),
        float((law * above[less]).sum()),
        float((law * above[not_more]).sum()),
    )


def _normal_scores(less: Array, not_more: Array, not_less: Array, more: Array) -> tuple[Array, Array, Array]:
    """Of P(X <= x), P(X < x) and the mid-p; both tails have been summed from their own end."""
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
