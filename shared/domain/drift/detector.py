"""The watch over normal scores: evidence in both directions, and what it amounts to tonight.

Every metric ends here, whether its nightly score is an interval (right and wrong answers) or a point
(latency, tokens, cost). Worse is large. A change for the worse alarms; one for the better is only told.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import Thresholds
from shared.domain.drift.dating import ChangeNights, date_change
from shared.domain.drift.evidence import Evidence

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reading:
    """One night of all streams; every array is (models, streams).

    `low`, `high`: tonight's normal score, large = worse. `log_worse`, `log_better`: the evidence so far.
    `has_alarm` and `has_improved` are true on the night of the alarm alone; `change` dates the change for
    the worse. Models that did not take part have NaN scores and raise nothing.
    """

    low: Array
    high: Array
    log_worse: Array
    log_better: Array
    is_watched: Flags
    has_alarm: Flags
    has_improved: Flags
    change: ChangeNights
    improvement: ChangeNights
    thresholds: Thresholds

    @property
    def leading(self) -> NDArray[np.int64]:
        """(models): the stream that is nearest to its alarm, or farthest beyond."""
        nearest: NDArray[np.int64] = np.argmax(self.log_worse - self.thresholds.log_alarm, axis=1)
        return nearest


@dataclass(frozen=True, slots=True)
class Detector:
    """What has been gathered for (models, streams), each in a row of the evidence."""

    shape: tuple[int, int]
    worse: Evidence
    better: Evidence

    @classmethod
    def fresh(cls, models: int, streams: int) -> "Detector":
        return cls((models, streams), Evidence.none(models * streams), Evidence.none(models * streams))

    def restart(self, models: Flags) -> "Detector":
        """Forget everything about these models (a new baseline)."""
        rows = np.repeat(models, self.shape[1])
        return Detector(self.shape, self.worse.restart(rows), self.better.restart(rows))

    def after(
        self, low: Array, high: Array, thresholds: Thresholds, takes_part: Flags
    ) -> tuple["Detector", Reading]:
        """Learn a night's scores (models, streams) of the models that take part."""
        rows = np.repeat(takes_part, self.shape[1])
        worse = self.worse.after(low.ravel(), high.ravel(), rows)
        better = self.better.after(-high.ravel(), -low.ravel(), rows)
        log_worse, log_better = worse.log_total.reshape(self.shape), better.log_total.reshape(self.shape)
        here = takes_part[:, None]
        has_alarm = here & (log_worse >= thresholds.log_alarm)
        has_improved = here & (log_better >= thresholds.log_alarm)
        reading = Reading(
            low=np.where(here, low, np.nan),
            high=np.where(here, high, np.nan),
            log_worse=log_worse,
            log_better=log_better,
            is_watched=here & ~has_alarm & (log_worse >= thresholds.log_watch),
            has_alarm=has_alarm,
            has_improved=has_improved,
            change=_by_model(date_change(worse), self.shape),
            improvement=_by_model(date_change(better), self.shape),
            thresholds=thresholds,
        )
        told = Detector(self.shape, worse.forget(has_alarm.ravel()), better.forget(has_improved.ravel()))
        return told, reading


def _by_model(nights: ChangeNights, shape: tuple[int, int]) -> ChangeNights:
    return ChangeNights(
        nights.best.reshape(shape), nights.earliest.reshape(shape), nights.latest.reshape(shape)
    )
