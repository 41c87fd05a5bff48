"""Was it an outage, and is the model back where it was?"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.detect import LEAST_COVERAGE
from shared.domain.drift.nightly import MISSING
from shared.domain.figures.comparison import (
    DEFAULT_MARGIN,
    Clusters,
    Comparison,
    GateVerdict,
    NotCompared,
    compare,
)

Integers = NDArray[np.int64]

OUTAGE_Z = 4.0
OUTAGE_PATIENCE = 7  # entries after it, within which it must prove to have been one


def suggests_outage(low: float, coverage: float) -> bool:
    """Whether one night fell so far (its normal score is above 4), or measured so little, that it may be one.

    It was an outage if the next night `is_back`, or a few nights together, since one night of 200 questions
    passes the gate in half of the cases only; then the night belongs in quarantine.
    """
    return low > OUTAGE_Z or coverage < LEAST_COVERAGE


def is_back(
    scores: Integers,
    before: slice,
    after: slice,
    levels: int,
    clusters: Clusters | None = None,
    margin: float = DEFAULT_MARGIN,
) -> bool:
    """Whether the gate passes these later nights against those earlier ones of one model.

    `scores` (nights, units). After an outage: the next night against all before it. For an incident: its last
    three nights against those before its date. What can't be told is not back: fewer than about 80 questions
    never pass a margin of 3 points.
    """
    compared = compare(
        _mean_scores(scores[before], levels),
        _mean_scores(scores[after], levels),
        clusters=clusters,
        margin=margin,
    )
    match compared:
        case Comparison(verdict=verdict):
            return verdict is GateVerdict.PASS
        case NotCompared():
            return False


def _mean_scores(scores: Integers, levels: int) -> Mapping[str, float]:
    known = scores != MISSING
    counts = known.sum(axis=0)
    sums = np.where(known, scores, 0).sum(axis=0) / levels
    return {str(unit): float(sums[unit] / counts[unit]) for unit in np.flatnonzero(counts).tolist()}
