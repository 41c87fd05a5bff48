"""The rules that people use instead, each given the 30 reference nights as its baseline."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.simulation.world import REFERENCE_NIGHTS

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def fall_below_the_best(accuracy: Array, questions: int) -> Flags:
    """Tonight is more than 3 points below the best night so far."""
    flagged = np.zeros(accuracy.shape, dtype=bool)
    flagged[1:] = accuracy[1:] < np.maximum.accumulate(accuracy)[:-1] - 0.03
    return flagged


def fall_ten_points(accuracy: Array, questions: int) -> Flags:
    """Tonight is 10 points or more below the reference nights' mean."""
    flagged: Flags = accuracy <= accuracy[:REFERENCE_NIGHTS].mean(axis=0) - 0.10
    return flagged


def compare_two_proportions(accuracy: Array, questions: int) -> Flags:
    """A z-test of tonight's share against the reference nights', one-sided at 5 %, as if unpaired."""
    reference = accuracy[:REFERENCE_NIGHTS].mean(axis=0)
    pooled = (accuracy + REFERENCE_NIGHTS * reference) / (1 + REFERENCE_NIGHTS)
    spread = np.sqrt(pooled * (1 - pooled) * (1 + 1 / REFERENCE_NIGHTS) / questions)
    flagged: Flags = accuracy - reference < -1.645 * np.maximum(spread, 1e-9)
    return flagged


def accumulate(threshold: float) -> Callable[[Array, int], Flags]:
    """One-sided CUSUM in the reference nights' standard deviations."""

    def rule(accuracy: Array, questions: int) -> Flags:
        reference = accuracy[:REFERENCE_NIGHTS]
        z = (reference.mean(axis=0) - accuracy) / np.maximum(reference.std(axis=0, ddof=1), 1e-9)
        z[:REFERENCE_NIGHTS] = 0.0
        return flag_sums(z, threshold)

    return rule


def flag_sums(z: Array, threshold: float) -> Flags:
    """CUSUM with k = 0.5 over (nights, models), large z = worse; it restarts when it alarms."""
    flagged, total = np.zeros(z.shape, dtype=bool), np.zeros(z.shape[1])
    for night, tonight in enumerate(z):
        total = np.maximum(0.0, total + tonight - 0.5)
        flagged[night] = total > threshold
        total[flagged[night]] = 0.0
    return flagged


RULES: dict[str, Callable[[Array, int], Flags]] = {
    "latest < best - 3 points": fall_below_the_best,
    "10 points below baseline": fall_ten_points,
    "nightly z-test at 5 %": compare_two_proportions,
    "CUSUM h = 5": accumulate(5.0),
    "CUSUM h = 12": accumulate(12.0),
}
