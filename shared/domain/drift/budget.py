"""How many false alarms an installation may raise, and each stream's share of them.

All streams together raise at most one false alarm in B nights: a stream with the share s alarms at evidence
B / s. What is merely told (improvements, changes of a model's identity) spends nothing, and neither does
the control: it is compared byte for byte and cannot alarm by chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

NIGHTS_PER_FALSE_ALARM = 365
QUALITY, OPERATIONS, ANCHORS, DECAY = 0.60, 0.30, 0.05, 0.05  # shares of the whole; all but ANCHORS by model
ACCURACY, WEIGHTED, CATEGORIES = 0.2, 0.4, 0.4  # parts of a model's quality share
WATCHED_EVIDENCE = 15.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The evidence, as logarithms, from which streams are watched and from which they alarm."""

    log_watch: Array
    log_alarm: Array


@dataclass(frozen=True, slots=True)
class Budget:
    """One installation's budget, divided among `models` watched models."""

    models: int
    nights_per_false_alarm: float = NIGHTS_PER_FALSE_ALARM

    def __post_init__(self) -> None:
        if self.models < 1 or self.nights_per_false_alarm < 1:
            raise ValueError("a budget needs at least one model and one night per false alarm")

    def of_each_model(self, shares: ArrayLike) -> Thresholds:
        """For streams with these shares inside each model.

        A stream is watched by the share inside its model alone: if a fraction of the threshold decided, a
        single model would be watched every second quiet night.
        """
        return self._thresholds(np.asarray(shares, dtype=float), self.models)

    def of_the_installation(self, share: float) -> Thresholds:
        """For a stream that all models have in common, such as the anchors'."""
        return self._thresholds(np.array([share]), 1)

    def _thresholds(self, shares: Array, models: int) -> Thresholds:
        alarm = self.nights_per_false_alarm * models / shares
        return Thresholds(np.log(np.minimum(WATCHED_EVIDENCE / shares, alarm / 2)), np.log(alarm))


def share_quality(categories: int) -> Array:
    """Shares inside a model of its accuracy, its weighted accuracy, then of each category."""
    parts = [ACCURACY, WEIGHTED, *[CATEGORIES / categories] * categories]
    return QUALITY * np.array(parts)


def share_operations(streams: int) -> Array:
    """Shares inside a model of its operations streams: refusals, errors, latency, cost and the like."""
    return np.full(streams, OPERATIONS / streams)
