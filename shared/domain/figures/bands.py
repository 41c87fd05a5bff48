"""Where a model's nights fall while nothing changes: the same questions asked again, chance alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.domain.figures.distributions import student_t_quantile

FEWEST_NIGHTS = 5


@dataclass(frozen=True, slots=True)
class Band:
    """Shares of 1: 95 of 100 quiet nights lie from `lower` to `upper`, around `mean`."""

    lower: float
    mean: float
    upper: float


def no_drift_band(nights: Sequence[float]) -> Band | None:
    """The band of a model whose nights, in order, had these accuracies; None for fewer than five.

    The spread is taken from the differences between neighbouring nights (von Neumann, Kent, Bellinson
    and Hart 1941), which a slow change hardly widens, and the band is a prediction interval for one night
    more. Their degrees of freedom are about two thirds of the differences.
    """
    if len(nights) < FEWEST_NIGHTS:
        return None
    mean = sum(nights) / len(nights)
    steps = [(after - before) ** 2 for before, after in pairwise(nights)]
    spread = math.sqrt(sum(steps) / (2 * len(steps)) * (1 + 1 / len(nights)))
    half = student_t_quantile(0.975, 2 * len(steps) / 3) * spread
    return Band(max(0.0, mean - half), mean, min(1.0, mean + half))
