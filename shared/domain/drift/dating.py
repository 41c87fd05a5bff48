"""When did it change, by how much, and how bad is that?"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.evidence import Evidence
from shared.domain.drift.nightly import MISSING
from shared.domain.figures.distributions import normal_quantile

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

LIKELY_WITHIN = 2.0  # log likelihood below that of the best candidate
CONFIDENCE_Z = float(normal_quantile(0.975))


@dataclass(frozen=True, slots=True)
class ChangeNights:
    """Per row of the evidence: the likeliest first changed night, and the range of those nearly as likely.

    Nights count from 1 over the retained nights; 0 where there is no candidate.
    """

    best: Integers
    earliest: Integers
    latest: Integers


class Severity(StrEnum):
    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    SMALL = "statistical, small"


@dataclass(frozen=True, slots=True)
class Shift:
    """The mean score after a change minus that before, in shares from -1 to 1, over `units` seen in both.

    An estimate so far: an alarm is raised when chance made the change look large.
    """

    value: float
    standard_error: float
    units: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, two-sided."""
        half = CONFIDENCE_Z * self.standard_error
        return self.value - half, self.value + half

    @property
    def z(self) -> float:
        """Below 0 is worse; 0 where nothing varied and nothing moved."""
        if self.standard_error:
            return self.value / self.standard_error
        return float(np.copysign(np.inf, self.value)) if self.value else 0.0

    @property
    def severity(self) -> Severity:
        points = round(abs(self.value) * 100, 9)
        for severity, at_least in ((Severity.CRITICAL, 10), (Severity.MAJOR, 5), (Severity.MINOR, 2)):
            if points >= at_least:
                return severity
        return Severity.SMALL


def date_change(evidence: Evidence) -> ChangeNights:
    """The candidate with the largest likelihood ratio at any shift, among those that still count."""
    nights = evidence.candidates
    log_ratio = np.where(nights > evidence.since[:, None], evidence.log_ratios.max(axis=1), -np.inf)
    best = log_ratio.max(axis=1, keepdims=True)
    likely = (log_ratio >= best - LIKELY_WITHIN) & (nights >= 2) & np.isfinite(best)
    some = likely.any(axis=1)
    pick = np.arange(len(nights))
    return ChangeNights(
        best=np.where(some, nights[pick, log_ratio.argmax(axis=1)], 0),
        earliest=np.where(some, nights[pick, likely.argmax(axis=1)], 0),
        latest=np.where(some, nights[:, ::-1][pick, likely[:, ::-1].argmax(axis=1)], 0),
    )


def measure_shift(
    scores: Integers,
    first_changed: int,
    levels: int,
    overdispersion: float = 1.0,
    questions_in: Integers | None = None,
) -> Shift | None:
    """Compare one model's nights from `first_changed` (an index) on with those before, unit by unit.

    `scores` (nights, units) with MISSING; `levels`: the score of a question answered right; `questions_in`
    (units): the members of clusters, one each unless given. The variance is pooled within the two stretches;
    a unit with one night on each side lends half its squared difference. None if no unit has a score on both
    sides.
    """
    known = scores != MISSING
    value = np.where(known, scores, 0) / levels
    stretches = (slice(None, first_changed), slice(first_changed, None))
    counts = np.array([known[nights].sum(axis=0) for nights in stretches])
    paired = (counts > 0).all(axis=0)
    units = int(paired.sum())
    if not units:
        return None
    means = np.array([value[nights].sum(axis=0) for nights in stretches])[:, paired] / counts[:, paired]
    before, after = counts[:, paired]
    difference = means[1] - means[0]
    residuals = [
        np.where(known[nights][:, paired], value[nights][:, paired] - mean, 0.0)
        for nights, mean in zip(stretches, means, strict=True)
    ]
    squares = np.square(np.concatenate(residuals)).sum(axis=0)
    freedom = before + after - 2
    variance = np.where(freedom > 0, squares / np.maximum(freedom, 1), difference**2 / 2)
    spread = float((variance * (1 / before + 1 / after)).sum()) * overdispersion
    questions = units if questions_in is None else int(questions_in[paired].sum())
    return Shift(float(difference.sum()) / questions, float(np.sqrt(spread)) / questions, units)
