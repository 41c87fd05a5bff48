"""What the fold says of one stream on one entry of a sequence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.dating import ChangeNights
from shared.domain.drift.decay import Decay
from shared.domain.drift.detector import Flags, Reading
from shared.domain.drift.nightly import FARTHEST
from shared.domain.figures.distributions import normal_log_cdf

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

ACCURACY, WEIGHTED, CATEGORY = "accuracy", "weighted", "category:"
SHARES = ("refusal", "format_failure", "provider_error", "unscored", "slow_calls")
AMOUNTS = ("latency", "output_tokens", "cost")
ANCHORS = "anchors"
DECAY = "decay"


class Subject(StrEnum):
    """Who is watched: a model, the judge by its anchors, or the harness by its controls."""

    MODEL = "model"
    JUDGE = "judge"
    HARNESS = "harness"


class Outcome(StrEnum):
    """What a stream came to on one entry. SET_ASIDE: it took no part. SILENT: nothing in it ever varied."""

    QUIET = "quiet"
    WATCHED = "watched"
    ALARM = "alarm"
    IMPROVED = "improved"
    SET_ASIDE = "set_aside"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Dated:
    """Places in the sequence, from 1: the likeliest first changed entry, and the range of those nearly as
    likely.
    """

    best: int
    earliest: int
    latest: int


@dataclass(frozen=True, slots=True)
class Detection:
    """One stream of one subject. `z_low`, `z_high`: tonight's normal score, large = worse, None if it took no
    part. The evidence and its thresholds are logarithms. `change` dates what an alarm, or an improvement, is
    about; None on any other entry.
    """

    sequence: int
    subject: Subject
    model: str
    stream: str
    outcome: Outcome
    z_low: float | None
    z_high: float | None
    overdispersion: float
    log_worse: float
    log_better: float
    log_watch: float
    log_alarm: float
    change: Dated | None

    @property
    def is_quality(self) -> bool:
        return self.stream in (ACCURACY, WEIGHTED, DECAY) or self.stream.startswith(CATEGORY)

    @property
    def evidence_ratio(self) -> float:
        """Evidence for the worse over its threshold: an alarm from 1 on."""
        return float(np.exp(min(self.log_worse - self.log_alarm, 300.0)))


def tell(
    subject: Subject,
    names: Sequence[str],
    rows: Sequence[int],
    streams: Sequence[str],
    reading: Reading,
    overdispersion: Array,
    nights: Integers,
    took_part: Flags,
    sequence: int,
) -> Iterator[Detection]:
    """The detections of these rows of a reading.

    `took_part` (rows, entries) and `nights` (rows, streams), the last so many of them, turn a stream's nights
    into places: a stream that came later than its model has taken in fewer.
    """
    outcomes = _outcomes(reading)
    dates = {Outcome.ALARM: reading.change, Outcome.IMPROVED: reading.improvement}
    thresholds = reading.thresholds.log_watch.tolist(), reading.thresholds.log_alarm.tolist()
    for row in rows:
        places = np.flatnonzero(took_part[row]) + 1
        took = bool(places.size) and int(places[-1]) == sequence
        told = (reading.low, reading.high, overdispersion, reading.log_worse, reading.log_better)
        cells = zip(streams, outcomes[row], *(each[row].tolist() for each in told), *thresholds, strict=True)
        for column, (stream, outcome, low, high, phi, worse, better, watch, alarm) in enumerate(cells):
            dated = dates.get(outcome) if took else None
            own = places[places.size - int(nights[row, column]) :]
            yield Detection(
                sequence, subject, names[row], stream, outcome if took else Outcome.SET_ASIDE,
                low if took else None, high if took else None, phi, worse, better, watch, alarm,
                _date(dated, (row, column), own) if dated is not None else None,
            )  # fmt: skip


def tell_decay(
    model: str, decay: Decay, overdispersion: float, sequence: int, baseline_end: int, latest_begin: int
) -> Detection:
    """The monthly comparison as a detection: evidence 1/p, threshold 1 over its share of the budget.

    When a slow decay began can't be told: between the baseline's last entry and the first of the latest.
    """
    z = float(np.clip(-decay.shift.z, -FARTHEST, FARTHEST))
    log_worse, log_better = (float(-normal_log_cdf(np.array(side))) for side in (-z, z))
    log_alarm = float(-normal_log_cdf(np.array(decay.threshold_z)))
    return Detection(
        sequence, Subject.MODEL, model, DECAY, Outcome.ALARM if decay.has_alarm else Outcome.QUIET, z, z,
        overdispersion, log_worse, log_better, log_alarm, log_alarm,
        Dated(latest_begin, baseline_end + 1, latest_begin) if decay.has_alarm else None,
    )  # fmt: skip


def _outcomes(reading: Reading) -> list[list[Outcome]]:
    """By row and column. Evidence grows by 1 a night where nothing ever varies: that is nothing to watch."""
    is_silent = np.isneginf(reading.low) & np.isposinf(reading.high)
    which = np.select(
        [reading.has_alarm, reading.has_improved, is_silent, reading.is_watched], [0, 1, 2, 3], default=4
    )
    told = (Outcome.ALARM, Outcome.IMPROVED, Outcome.SILENT, Outcome.WATCHED, Outcome.QUIET)
    return [[told[number] for number in row] for row in which.tolist()]


def _date(nights: ChangeNights, cell: tuple[int, int], places: Integers) -> Dated | None:
    if nights.best[cell] == 0:
        return None
    best, earliest, latest = (
        int(places[int(which[cell]) - 1]) for which in (nights.best, nights.earliest, nights.latest)
    )
    return Dated(best, earliest, latest)
