"""Has the model decayed since its baseline was pinned, too slowly for any night to show it?

The nightly detector compares a night with all nights before it, and so learns a slow decay as the usual.
Once a month the last seven retained nights are compared with the seven that were pinned, question by
question. The months of all models together spend a share of the budget of false alarms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import DECAY, NIGHTS_PER_FALSE_ALARM
from shared.domain.drift.dating import Shift, measure_shift
from shared.domain.figures.distributions import normal_quantile

Integers = NDArray[np.int64]

COMPARED_NIGHTS = 7
MONTH_NIGHTS = 30


@dataclass(frozen=True, slots=True)
class Decay:
    """The shift since the baseline. `has_alarm`: its z lies below `threshold_z`."""

    shift: Shift
    threshold_z: float
    has_alarm: bool


def has_decayed(
    scores: Integers,
    baseline: slice,
    latest: slice,
    levels: int,
    overdispersion: float,
    models: int,
    nights_per_false_alarm: float = NIGHTS_PER_FALSE_ALARM,
) -> Decay | None:
    """Compare one model's latest nights with those of its pinned baseline.

    `scores` (nights, units) with MISSING; `baseline`, `latest`: seven nights each; `models`: how many share
    the budget, each with one comparison in 30 nights. None if no unit has a score in both.
    """
    compared = np.concatenate([scores[baseline], scores[latest]])
    shift = measure_shift(compared, len(scores[baseline]), levels, overdispersion)
    if shift is None:
        return None
    threshold_z = float(normal_quantile(DECAY * MONTH_NIGHTS / (nights_per_false_alarm * models)))
    return Decay(shift, threshold_z, shift.z < threshold_z)
