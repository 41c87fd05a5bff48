"""From scores per question to what a run says: accuracy with its interval, latency, distribution.

Accuracy is the mean over scored questions, each the mean over its scored repeats. A question without a score
is not measured: it counts nowhere but in `unscored`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.domain.figures.distributions import student_t_quantile
from shared.domain.figures.sensitivity import detectable_by_rerun

Array: TypeAlias = NDArray[np.float64]

ALL_CATEGORIES = "all"
CONFIDENCE = 0.95
UPPER_TAIL = 0.5 + CONFIDENCE / 2
Z = NormalDist().inv_cdf(UPPER_TAIL)
ROUNDING = 1e-9  # means of the same scores in another order


class IntervalMethod(StrEnum):
    WILSON = "wilson"
    STUDENT_T = "student_t"
    CLUSTERED_T = "clustered_t"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A mean score of `n` questions and its 95 % interval: what other questions of this kind would give.

    0 <= lower <= value <= upper <= 1 and lower < upper.
    """

    value: float
    lower: float
    upper: float
    n: int
    method: IntervalMethod


@dataclass(frozen=True, slots=True)
class ScoreDistribution:
    """How many scores are 1, between, 0, and not measured."""

    perfect: int
    partial: int
    failed: int
    unscored: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds per answer over `n` answers."""

    mean_seconds: float
    p50_seconds: float
    p95_seconds: float
    n: int


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """One model's score of one question: the mean over `repeats` scored answers; None if none is scored."""

    model: str
    category: str
    score: float | None
    repeats: int = 1
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What one model scored in one category, or in all. `accuracy` is None where nothing was measured.

    `minimum_detectable_difference`: the drop that one more such run would show in 8 of 10 cases.
    """

    model: str
    category: str
    accuracy: Accuracy | None
    minimum_detectable_difference: float | None
    distribution: ScoreDistribution


def aggregate(rows: Iterable[QuestionScore]) -> tuple[Aggregate, ...]:
    """One aggregate per model for all categories, then one per category, in order of name."""
    groups: dict[tuple[str, bool, str], list[QuestionScore]] = defaultdict(list)
    for row in rows:
        groups[row.model, False, ALL_CATEGORIES].append(row)
        groups[row.model, True, row.category].append(row)
    return tuple(
        _aggregate_group(model, category, groups[model, is_category, category])
        for model, is_category, category in sorted(groups)
    )


def _aggregate_group(model: str, category: str, rows: Sequence[QuestionScore]) -> Aggregate:
    scored = [row for row in rows if row.score is not None]
    scores = np.array([row.score for row in scored], dtype=float)
    return Aggregate(
        model,
        category,
        measure_accuracy(scores, [row.cluster for row in scored]),
        detectable_by_rerun(scores, [row.repeats for row in scored]),
        distribute_scores(scores, len(rows) - len(scored)),
    )


def measure_accuracy(scores: ArrayLike, clusters: Sequence[str | None] | None = None) -> Accuracy | None:
    """The mean of scores in [0, 1] and its interval; None for no score.

    Right-or-wrong scores: Wilson. Other scores: Student's t. Where questions share a cluster (None: the
    question stands alone): the standard error that is robust to clusters, and t with the number of clusters
    less one as degrees of freedom. If all scores are equal, or all in one cluster, the spread is unknown:
    Wilson on the mean, where a cluster counts as one question.
    """
    values = np.asarray(scores, dtype=float)
    if not values.size:
        return None
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError("scores must lie between 0 and 1")
    mean = float(values.mean())
    residual_sums = _sum_by_cluster(values - mean, clusters)
    groups, n = residual_sums.size, values.size
    is_binary = bool(np.isin(values, (0.0, 1.0)).all())
    if float(np.ptp(values)) < ROUNDING or groups == 1 or (is_binary and groups == n):
        return Accuracy(mean, *_wilson(mean, groups), n, IntervalMethod.WILSON)
    squares = float(residual_sums @ residual_sums) * groups / (groups - 1)
    if groups < n:  # never narrower than without clusters, which chance in a few of them could feign
        squares = max(squares, float(np.square(values - mean).sum()) * n / (n - 1))
    half = student_t_quantile(UPPER_TAIL, groups - 1) * math.sqrt(squares) / n
    method = IntervalMethod.STUDENT_T if groups == n else IntervalMethod.CLUSTERED_T
    return Accuracy(mean, max(0.0, mean - half), min(1.0, mean + half), n, method)


def summarize_latency(seconds: ArrayLike) -> Latency | None:
    """Mean, median and 95th percentile (linear between neighbours); None for no answer."""
    values = np.asarray(seconds, dtype=float)
    if not values.size:
        return None
    p50, p95 = np.percentile(values, (50, 95))
    return Latency(float(values.mean()), float(p50), float(p95), values.size)


def distribute_scores(scores: ArrayLike, unscored: int = 0) -> ScoreDistribution:
    """Count perfect, partial and failed scores."""
    values = np.asarray(scores, dtype=float)
    perfect, failed = int((values == 1.0).sum()), int((values == 0.0).sum())
    return ScoreDistribution(perfect, values.size - perfect - failed, failed, unscored)


def _wilson(mean: float, n: int) -> tuple[float, float]:
    """E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212."""
    centre = (mean + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(mean * (1 - mean) / n + Z * Z / (4 * n * n))
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


def _sum_by_cluster(values: Array, clusters: Sequence[str | None] | None) -> Array:
    if clusters is None or not any(clusters):
        return values
    numbers: dict[object, int] = {}
    group = [numbers.setdefault(cluster or (at,), len(numbers)) for at, cluster in enumerate(clusters)]
    return np.bincount(group, weights=values).astype(float)
