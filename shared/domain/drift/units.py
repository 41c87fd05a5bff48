"""From scores per question to what a night is made of: whole numbers per unit.

A unit is a question, or a cluster of questions that stand or fall together.
"""

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.nightly import MISSING

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FINE_LEVELS = 20


def put_on_grid(means: Array) -> tuple[Integers, int]:
    """Mean scores from 0 to 1 as whole levels, NaN as MISSING; and the number of levels.

    One level if every score is right or wrong, else twenty. Right and wrong answers give the same normal
    scores on either grid; the finer one takes longer.
    """
    known = ~np.isnan(means)
    levels = 1 if np.isin(means[known], (0.0, 1.0)).all() else FINE_LEVELS
    scores = np.rint(np.where(known, means, 0.0) * levels).astype(np.int64)
    return np.where(known, scores, MISSING), levels


def sum_clusters(scores: Integers, unit_of: Integers) -> Integers:
    """Scores (..., questions) to (..., units), MISSING where a member is. `unit_of`: each question's unit."""
    units = int(unit_of.max()) + 1
    sums = np.zeros((*scores.shape[:-1], units), dtype=np.int64)
    missing = np.zeros(sums.shape, dtype=bool)
    for question, unit in enumerate(unit_of.tolist()):
        sums[..., unit] += scores[..., question]
        missing[..., unit] |= scores[..., question] == MISSING
    return np.where(missing, MISSING, sums)
