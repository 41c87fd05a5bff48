"""One model's entries laid out as arrays, so that a stream can be looked at over time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.dating import Shift, measure_shift
from shared.domain.drift.detect import LEAST_COVERAGE
from shared.domain.drift.detections import AMOUNTS, CATEGORY, SHARES, Detection
from shared.domain.drift.fold import Decisions, Fold
from shared.domain.drift.nightly import MISSING
from shared.domain.drift.recovery import is_back
from shared.domain.drift.sequence import Asked, Entry, Units
from shared.domain.drift.units import put_on_grid, sum_clusters
from shared.domain.figures.comparison import DEFAULT_MARGIN

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

RECOVERY_ENTRIES = 3
SMALL = 100  # units; a margin of 3 points can't be shown with fewer
SMALL_MARGIN = 0.10
_MEASURE = {
    "refusal": "accepted",
    "format_failure": "well_formed",
    "provider_error": "answered",
    "unscored": "scored",
    "latency": "seconds",
    "output_tokens": "output_tokens",
    "cost": "cost_usd",
}


@dataclass(frozen=True, slots=True)
class Series:
    """A stream over the retained entries: scores (entries, units), the names of the units and the categories
    that they belong to. `places`: which entries of the sequence, from 1.
    """

    places: Integers
    scores: Integers
    levels: int
    units: tuple[str, ...]
    categories: tuple[str, ...]
    questions_in: Integers
    judged: NDArray[np.bool_]

    def only(self, wanted: NDArray[np.bool_]) -> "Series":
        """The same over these of its units."""
        at = np.flatnonzero(wanted)
        return replace(
            self, scores=self.scores[:, at], units=tuple(self.units[i] for i in at),
            categories=tuple(self.categories[i] for i in at), questions_in=self.questions_in[at],
            judged=self.judged[at],
        )  # fmt: skip

    def split(self, place: int) -> int:
        """The index of the first retained entry from this place on."""
        return int(np.searchsorted(self.places, place))

    def shift(self, place: int, overdispersion: float = 1.0) -> Shift | None:
        return measure_shift(self.scores, self.split(place), self.levels, overdispersion, self.questions_in)


@dataclass(frozen=True, slots=True)
class History:
    """The entries of one model, all from the first of the sequence on, and what was decided about each.

    `begin`: the place of the first entry that the last one can be compared with.
    """

    model: str
    entries: tuple[Entry, ...]
    decisions: tuple[Decisions, ...]

    @property
    def begin(self) -> int:
        begin, epoch = 1, None
        for place, (entry, decision) in enumerate(zip(self.entries, self.decisions, strict=True), start=1):
            if self.model in decision.restart or (None not in (epoch, entry.epoch) and epoch != entry.epoch):
                begin = place
            epoch = entry.epoch or epoch
        return begin

    def asked(self, place: int) -> bool:
        return self.model in self.entries[place - 1].models

    def quality(self, stream: str = "accuracy") -> Series:
        """The scores behind a quality stream: the whole suite, or the category of a category stream."""
        retained = [place for place in self._retained() if self._coverage(place) >= LEAST_COVERAGE]
        layouts = _lay_out([self.entries[place - 1].questions for place in retained])
        distinct = {id(units): units for units in layouts}
        names: dict[str, tuple[str, int, bool]] = {}
        for units in distinct.values():
            sizes = np.bincount(units.unit_of).tolist()
            for name, *facts in zip(units.names, units.categories, sizes, units.judged, strict=True):
                names[name] = facts[0], facts[1], facts[2]
        whole = not stream.startswith(CATEGORY)
        wanted = [name for name, (category, *_) in names.items() if whole or CATEGORY + category == stream]
        column = {name: number for number, name in enumerate(wanted)}
        rows = [self._row(place, "score") for place in retained]
        _, levels = put_on_grid(np.concatenate(rows) if rows else np.zeros(0))
        scores = np.full((len(retained), len(wanted)), MISSING, dtype=np.int64)
        columns = {
            key: np.array([column.get(name, -1) for name in units.names], dtype=np.int64)
            for key, units in distinct.items()
        }
        for index, (units, row) in enumerate(zip(layouts, rows, strict=True)):
            tonight, fine = put_on_grid(row)
            tonight = np.where(tonight == MISSING, MISSING, tonight * (levels // fine))
            summed = sum_clusters(tonight, units.unit_of) if units.largest > 1 else tonight
            at = columns[id(units)]
            scores[index, at[at >= 0]] = summed[at >= 0]
        return Series(
            np.array(retained, dtype=np.int64), scores, levels, tuple(wanted),
            tuple(names[name][0] for name in wanted),
            np.array([names[name][1] for name in wanted], dtype=np.int64),
            np.array([names[name][2] for name in wanted], dtype=bool),
        )  # fmt: skip

    def share(self, stream: str) -> Series:
        """What a stream like refusals counts, 1 for what is well; slow calls are told by `amount`."""
        retained, units, values = self._by_question(_MEASURE[stream])
        scores, levels = put_on_grid(values)
        alone = np.ones(len(units), dtype=np.int64)
        return Series(
            retained, scores, levels, units, ("",) * len(units), alone, np.zeros(len(units), dtype=bool)
        )

    def amount(self, stream: str) -> tuple[Integers, Array]:
        """Places, and logs of latency, tokens or cost (entries, questions), NaN where there is none."""
        retained, _, values = self._by_question(_MEASURE["latency" if stream == "slow_calls" else stream])
        with np.errstate(divide="ignore", invalid="ignore"):
            return retained, np.where(values > 0, np.log(values), np.nan)

    def ratio(self, stream: str, place: int, last: int | None = None) -> float | None:
        """How many times its former value an amount has from this place on: medians over the questions."""
        places, logs = self.amount(stream)
        before, after = logs[places < place], logs[places >= place][-(last or 0) :]
        both = ~np.isnan(before).all(axis=0) & ~np.isnan(after).all(axis=0)
        if not both.any():
            return None
        change = np.nanmean(after[:, both], axis=0) - np.nanmean(before[:, both], axis=0)
        return float(np.exp(np.median(change)))

    def is_back_after(self, first_doubtful: int, fine: int) -> bool:
        """Whether the last `fine` entries are as those before the doubtful ones: an outage, then."""
        series = self.quality()
        split = series.split(first_doubtful)
        if split == 0 or len(series.places) - split < fine or series.places[-1] != len(self.entries):
            return False
        return _is_back(series, split, fine)

    def has_recovered(self, stream: str, change: int, alarm: int) -> bool:
        """Whether the last three entries, all after the alarm, are back at what was usual before."""
        if stream in AMOUNTS or stream == "slow_calls":
            places, _ = self.amount(stream)
            then, now = self.ratio(stream, change), self.ratio(stream, change, RECOVERY_ENTRIES)
            enough = int((places > alarm).sum()) >= RECOVERY_ENTRIES
            return bool(enough and then and now and abs(np.log(now)) < abs(np.log(then)) / 2)
        series = self.share(stream) if stream in SHARES else self.quality(stream)
        split = series.split(change)
        if split == 0 or int((series.places > alarm).sum()) < RECOVERY_ENTRIES:
            return False
        return _is_back(series, split, RECOVERY_ENTRIES)

    def refold(self) -> tuple[Fold, tuple[tuple[Detection, ...], ...]]:
        """Fold this model's entries from the first one on; the judge is heard elsewhere."""
        fold, detections = Fold(models=(self.model,)), []
        for entry, decisions in zip(self.entries, self.decisions, strict=True):
            fold, found = fold.after(replace(entry, anchors=None), decisions)
            detections.append(found)
        return fold, tuple(detections)

    def _retained(self) -> list[int]:
        return [
            place for place in range(self.begin, len(self.entries) + 1)
            if self.asked(place) and self.model not in self.decisions[place - 1].set_aside
        ]  # fmt: skip

    def _coverage(self, place: int) -> float:
        entry = self.entries[place - 1]
        return float(entry.measured.coverage[entry.models.index(self.model)])

    def _row(self, place: int, name: str) -> Array:
        entry = self.entries[place - 1]
        row: Array = getattr(entry.measured, name)[entry.models.index(self.model)]
        return row

    def _by_question(self, name: str) -> tuple[Integers, tuple[str, ...], Array]:
        retained = self._retained()
        column: dict[str, int] = {}
        for place in retained:
            for question in self.entries[place - 1].questions:
                column.setdefault(question.unit, len(column))
        values = np.full((len(retained), len(column)), np.nan)
        for index, place in enumerate(retained):
            at = [column[question.unit] for question in self.entries[place - 1].questions]
            values[index, at] = self._row(place, name)
        return np.array(retained, dtype=np.int64), tuple(column), values


def _lay_out(asked: Sequence[tuple[Asked, ...]]) -> list[Units]:
    """The units of each entry; entries in a row with the same questions share theirs."""
    layouts: list[Units] = []
    for number, questions in enumerate(asked):
        is_same = number > 0 and questions == asked[number - 1]
        layouts.append(layouts[-1] if is_same else Units.of(questions))
    return layouts


def _is_back(series: Series, split: int, last: int) -> bool:
    count = len(series.places)
    margin = SMALL_MARGIN if len(series.units) < SMALL else DEFAULT_MARGIN
    return is_back(series.scores, slice(0, split), slice(count - last, count), series.levels, margin=margin)
