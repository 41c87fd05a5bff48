"""What runs can show: the smallest difference that is seen in 8 of 10 cases, and the size it takes."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.domain.drift.evidence import SHIFTS
from shared.domain.drift.nightly import MISSING

PSEUDO_QUESTIONS = 2  # one with a difference of +1, one with -1: equal answers of a few prove nothing
Z_95 = NormalDist().inv_cdf(0.95)
Z_80 = NormalDist().inv_cdf(0.80)
Z_TWO_SIDED = NormalDist().inv_cdf(0.975)
DETECTION_Z = Z_95 + Z_80
WEEK = 7  # nights within which a watch should notice


def detectable_by_rerun(scores: ArrayLike, repeats: ArrayLike) -> float | None:
    """The drop that one more run of the same questions would show in 8 of 10 cases, at 5 % one-sided.

    `scores` are means per question, `repeats` how many answers each is the mean of; None without questions.
    Questions with repeats tell how much chance there is in an answer (at most m(1 - m) around a mean of m).
    With one answer each that is unknown, and the value is an upper bound: that of runs on other questions.
    """
    mean, count = np.asarray(scores, dtype=float), np.asarray(repeats, dtype=float)
    if not mean.size:
        return None
    again = count > 1
    if again.any():
        chance = (mean[again] * (1.0 - mean[again]) * count[again] / (count[again] - 1.0)).mean()
        squares = float((2.0 * chance / count).sum())
    else:
        squares = 2.0 * float(((mean - mean.mean()) ** 2).sum())
    size = mean.size + PSEUDO_QUESTIONS
    return min(1.0, DETECTION_Z * math.sqrt((squares + PSEUDO_QUESTIONS) / size / size))


def detectable_in_advance(questions: int, repeats: int, accuracy: float) -> float:
    """The difference between two such runs that is seen in 8 of 10 cases, at 5 % one-sided, at most.

    Told before anything was asked, from an `accuracy` that is expected: an answer is then as much a matter of
    chance as it can be, whichever question it belongs to. `detectable_by_rerun` knows better afterwards.
    """
    squares = 2.0 * questions * accuracy * (1.0 - accuracy) / repeats
    size = questions + PSEUDO_QUESTIONS
    return min(1.0, DETECTION_Z * math.sqrt((squares + PSEUDO_QUESTIONS) / size / size))


def questions_to_detect(
    difference: float, *, between_variance: float, within_variance: float, repeats: int = 1
) -> float:
    """Questions that show a true difference in 8 of 10 cases at 5 %, two-sided (Miller 2024).

    `between_variance` is that of the true differences between questions, `within_variance` that of one
    answer's score around its question's mean; both runs ask each question `repeats` times.
    """
    variance = between_variance + 2.0 * within_variance / repeats
    return (Z_TWO_SIDED + Z_80) ** 2 * variance / difference**2


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The drop of the whole suite that a watch would notice within so many `nights` in 8 of 10 cases."""

    nights: int
    drop: float


def sensitivity_of(
    scores: NDArray[np.int64], levels: int, questions: int, overdispersion: float, log_alarm: float
) -> Sensitivity | None:
    """How large a drop must be from the next night on, after these `scores` (nights, units) of one model.

    An estimate by the normal law, from the stream `accuracy` alone; the other streams make it smaller. With
    k nights before, and shifts of d standard deviations, the log evidence of night i has the mean
    a_i (d x - d / 2) a_i and the variance (a_i d)^2, a_i = k / sqrt(i (i - 1)). None before the second night.
    """
    nights = len(scores)
    known = scores != MISSING
    counts = known.sum(axis=0)
    if nights < 2 or not counts.any():
        return None
    value = np.where(known, scores, 0) / levels
    size = np.maximum(counts, 1)
    variance = (value**2).sum(axis=0) / size - (value.sum(axis=0) / size) ** 2
    spread = math.sqrt((float(variance.sum()) + PSEUDO_QUESTIONS / 4) * overdispersion)
    weight = sum((nights / math.sqrt(i * (i - 1))) ** 2 for i in range(nights + 1, nights + WEEK + 1))
    needed = log_alarm + math.log(len(SHIFTS))
    shift = min(needed / (d * weight) + d / 2 + Z_80 / math.sqrt(weight) for d in SHIFTS)
    return Sensitivity(WEEK, min(1.0, shift * spread / questions))
