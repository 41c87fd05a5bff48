"""The fold over a schedule's sequence: one entry after the other becomes detections, stream by stream.

The same entries and decisions give the same detections to the last bit, whether they are folded in at once or
one by one, and a model's detections do not depend on its neighbours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import ANCHORS as ANCHORS_SHARE
from shared.domain.drift.budget import share_operations, share_quality
from shared.domain.drift.continuous import mark_calls_in_time
from shared.domain.drift.detect import LEAST_COVERAGE, QUIET_BELOW
from shared.domain.drift.detections import (
    ACCURACY,
    AMOUNTS,
    ANCHORS,
    CATEGORY,
    SHARES,
    WEIGHTED,
    Detection,
    Outcome,
    Subject,
    tell,
    tell_decay,
)
from shared.domain.drift.detector import Flags
from shared.domain.drift.families import Amount, Counted, Found, Tonight, append, pad, places_of
from shared.domain.drift.pinned import Pinned
from shared.domain.drift.recovery import OUTAGE_PATIENCE, suggests_outage
from shared.domain.drift.sequence import Entry, Units
from shared.domain.drift.units import put_on_grid, sum_clusters

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

UNHEARD = ""  # the judge of an epoch that has not scored an anchor yet
METHOD = 1  # raised whenever the same entries would give other detections


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decided about one entry: the models it is set aside for, those that start anew with it, and those for
    which a person named other entries as the baseline that decay is measured against.
    """

    set_aside: frozenset[str] = frozenset()
    restart: frozenset[str] = frozenset()
    outside_baseline: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fold:
    """All that the entries so far leave behind.

    `doubtful_since` (models): the first of the last entries in a row that looked like an outage, 0 if there
    are none or they are too long ago; `fine_since`: how many entries there were after them.
    """

    entries: int = 0
    epoch: str | None = None
    models: tuple[str, ...] = ()
    doubtful_since: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    fine_since: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    quality: Counted = field(default_factory=Counted)
    shares: Counted = field(default_factory=Counted)
    amounts: tuple[Amount, ...] = field(default_factory=lambda: tuple(Amount() for _ in AMOUNTS))
    pinned: Pinned = field(default_factory=Pinned)
    month: str = ""
    judge: str | None = None
    anchors: Counted = field(default_factory=Counted)

    def after(self, entry: Entry, decisions: Decisions = Decisions()) -> tuple["Fold", tuple[Detection, ...]]:
        """Fold one entry in; the detections of its models, and of the judge if its anchors were judged."""
        night = _Night.of(self, entry, decisions)
        covered = night.kept & (night.coverage >= LEAST_COVERAGE)
        scored = _score(night)
        quality, scores = self.quality.after(scored, covered, night.restart)
        usual = self.amounts[0].usual(len(night.models), night.questions, night.restart)
        shares, told = self.shares.after(_share(night, usual), night.kept, night.restart)
        share = share_operations(len(SHARES) + len(AMOUNTS))[:1]
        amounts, found = [], []
        for stream, name, amount in zip(
            AMOUNTS, ("seconds", "output_tokens", "cost_usd"), self.amounts, strict=True
        ):
            values, thresholds = (
                night.spread(getattr(entry.measured, name)),
                entry.budget.of_each_model(share),
            )
            amount, reading = amount.after(
                stream, night.questions, values, thresholds, night.kept, night.restart
            )
            amounts.append(amount)
            found.append((reading, amount.took_part))
        pinned, decayed = self._compare_with_pinned(night, scored, covered, scores)
        judge, anchors, judged = self._hear_judge(entry, night.begins_epoch)
        doubtful_since, fine_since = _doubt(self, night, scores)
        after = Fold(
            entries=night.number,
            epoch=entry.epoch or self.epoch,
            models=night.models,
            doubtful_since=doubtful_since,
            fine_since=fine_since,
            quality=quality,
            shares=shares,
            amounts=tuple(amounts),
            pinned=pinned,
            month=entry.night.isoformat()[:7],
            judge=judge,
            anchors=anchors,
        )
        rows = np.flatnonzero(night.asked).tolist()
        detections = [
            detection
            for family, took_part in ((scores, quality.took_part), (told, shares.took_part), *found)
            for detection in tell(
                Subject.MODEL, night.models, rows, family.streams, family.reading, family.overdispersion,
                family.nights, took_part, night.number,
            )
        ]  # fmt: skip
        return after, (*detections, *decayed, *judged)

    def with_models(self, other: "Fold") -> "Fold":
        """This fold, with the models of `other`, which folded in the same entries for them alone."""
        if (other.entries, other.quality.units) != (self.entries, self.quality.units):
            raise ValueError("the other fold has other entries")
        rows = places_of(self.models, other.models)
        other = replace(
            other,
            quality=_lay_out_like(self.quality, other.quality),
            shares=_lay_out_like(self.shares, other.shares),
            pinned=other.pinned.with_room(len(other.models), self.pinned.units, self.pinned.levels),
        )

        def put(mine: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
            rest = mine.shape[1:]
            mixed = mine.copy().reshape(len(self.models), -1, *rest)
            mixed[rows] = theirs.reshape(len(rows), -1, *rest)
            return mixed.reshape(mine.shape)

        names = ("doubtful_since", "fine_since", "quality", "shares", "amounts", "pinned")
        return replace(self, **{name: _mix(put, getattr(self, name), getattr(other, name)) for name in names})

    def _compare_with_pinned(
        self, night: "_Night", tonight: Tonight, covered: Flags, scores: Found
    ) -> tuple[Pinned, list[Detection]]:
        """With the first entry of a month, each model's latest nights are compared with its baseline."""
        outside = np.isin(night.models, list(night.decisions.outside_baseline))
        pinned = self.pinned.after(
            night.number, tonight.units, tonight.scores, tonight.levels, covered, night.restart, outside
        )
        if night.entry.night.isoformat()[:7] == self.month:
            return pinned, []
        overdispersion = scores.overdispersion[:, scores.streams.index(ACCURACY)]
        decays = pinned.compare(overdispersion, night.entry.budget)
        return pinned, [
            tell_decay(
                night.models[row], decay, float(overdispersion[row]), night.number,
                int(pinned.baseline_places[row, -1]), int(pinned.latest_places[row, 0]),
            )
            for row, decay in decays.items()
            if covered[row]
        ]  # fmt: skip

    def _hear_judge(
        self, entry: Entry, begins_epoch: bool
    ) -> tuple[str | None, Counted, tuple[Detection, ...]]:
        """The judge is watched by the scores that it gives to its anchors; either direction is an alarm."""
        if entry.anchors is None:
            silent = replace(self.anchors, took_part=_skip(self.anchors.took_part))
            return UNHEARD if begins_epoch else self.judge, silent, ()
        judge = entry.anchors.judge
        names = tuple(str(anchor) for anchor in entry.anchors.scores)
        scores, levels = put_on_grid(np.array([list(entry.anchors.scores.values())], dtype=float))
        half = entry.budget.of_the_installation(ANCHORS_SHARE / 2)
        members = {ANCHORS: np.arange(len(names))}
        tonight = Tonight(names, scores, levels, 1, members, frozenset(), half)
        entered = replace(self.anchors, took_part=_align(self.anchors.took_part, self.entries))
        restart = np.array([begins_epoch or self.judge not in (None, judge)])
        anchors, found = entered.after(tonight, np.array([True]), restart)
        told = tell(
            Subject.JUDGE, (judge,), [0], found.streams, found.reading, found.overdispersion,
            found.nights, anchors.took_part, self.entries + 1,
        )  # fmt: skip
        # For a judge, milder is no better than stricter.
        both_ways = (
            replace(one, outcome=Outcome.ALARM) if one.outcome is Outcome.IMPROVED else one for one in told
        )
        return judge, anchors, tuple(both_ways)


@dataclass(frozen=True, slots=True)
class _Night:
    """An entry laid out over all models so far: flags (models) and a way to spread arrays."""

    entry: Entry
    number: int
    models: tuple[str, ...]
    rows: Integers
    asked: Flags
    kept: Flags
    set_aside: Flags
    restart: Flags
    decisions: Decisions
    begins_epoch: bool
    coverage: Array
    questions: tuple[str, ...]

    @classmethod
    def of(cls, fold: Fold, entry: Entry, decisions: Decisions) -> "_Night":
        models = append(fold.models, entry.models)
        rows = places_of(models, entry.models)
        asked, coverage = np.zeros(len(models), dtype=bool), np.zeros(len(models))
        asked[rows], coverage[rows] = True, entry.measured.coverage
        begins = fold.epoch is not None and entry.epoch is not None and fold.epoch != entry.epoch
        set_aside = np.isin(models, list(decisions.set_aside)) if models else asked
        restart = np.isin(models, list(decisions.restart)) | begins if models else asked
        questions = tuple(question.unit for question in entry.questions)
        return cls(
            entry, fold.entries + 1, models, rows, asked, asked & ~set_aside, set_aside, restart,
            decisions, begins, coverage, questions,
        )  # fmt: skip

    def spread(self, values: Array) -> Array:
        """(entry's models, n) to (all models, n), NaN for those that were not asked."""
        spread = np.full((len(self.models), values.shape[1]), np.nan)
        spread[self.rows] = values
        return spread


def _score(night: _Night) -> Tonight:
    units = Units.of(night.entry.questions)
    scores, levels = put_on_grid(night.spread(night.entry.measured.score))
    categories = np.array(units.categories)
    every = np.arange(len(units.names))
    slices = {CATEGORY + name: np.flatnonzero(categories == name) for name in sorted(set(units.categories))}
    return Tonight(
        units=units.names,
        scores=scores if units.largest == 1 else sum_clusters(scores, units.unit_of),
        levels=levels,
        largest=units.largest,
        members={ACCURACY: every, WEIGHTED: every, **slices},
        weighted=frozenset({WEIGHTED, *slices}),
        thresholds=night.entry.budget.of_each_model(share_quality(len(slices))),
    )


def _share(night: _Night, usual_seconds: Array) -> Tonight:
    """Refusals and the like as scores, 1 for what is well: five blocks of the same questions."""
    measured = night.entry.measured
    in_time = mark_calls_in_time(night.spread(measured.seconds), usual_seconds).astype(float)
    blocks = [
        night.spread(measured.accepted), night.spread(measured.well_formed), night.spread(measured.answered),
        night.spread(measured.scored), np.where(in_time < 0, np.nan, in_time),
    ]  # fmt: skip
    scores, levels = put_on_grid(np.concatenate(blocks, axis=1))
    size = len(night.questions)
    shares = share_operations(len(SHARES) + len(AMOUNTS))[: len(SHARES)]
    return Tonight(
        units=tuple(f"{stream} {question}" for stream in SHARES for question in night.questions),
        scores=scores,
        levels=levels,
        largest=1,
        members={stream: np.arange(size) + block * size for block, stream in enumerate(SHARES)},
        weighted=frozenset(),
        thresholds=night.entry.budget.of_each_model(shares),
    )


def _doubt(fold: Fold, night: _Night, scores: Found) -> tuple[Integers, Integers]:
    """Since when each model's entries look like an outage, and how many fine ones came after these."""
    low = np.nan_to_num(scores.reading.low[:, 0], nan=-np.inf, neginf=-np.inf)
    looks = [suggests_outage(float(z), float(c)) for z, c in zip(low, night.coverage, strict=True)]
    doubtful = night.asked & ~night.set_aside & np.array(looks, dtype=bool)
    since, fine = (pad(known, (len(night.models),), 0) for known in (fold.doubtful_since, fold.fine_since))
    fine = np.where(doubtful, 0, fine + (night.asked & (since > 0)))
    since = np.where(
        doubtful & ((since == 0) | (pad(fold.fine_since, since.shape, 0) > 0)), night.number, since
    )
    is_past = fine > OUTAGE_PATIENCE
    return np.where(is_past, 0, since).astype(np.int64), np.where(is_past, 0, fine).astype(np.int64)


def deserves_confirmation(streams: Sequence[Detection]) -> bool:
    """Whether one more run tonight would add evidence: watched by a quality stream whose nights are quiet."""
    quality = [one for one in streams if one.is_quality]
    return not any(one.outcome is Outcome.ALARM for one in quality) and any(
        one.outcome is Outcome.WATCHED and one.overdispersion < QUIET_BELOW for one in quality
    )


def _lay_out_like(mine: Counted, theirs: Counted) -> Counted:
    """Other models may have been graded more finely."""
    return theirs.with_room(len(theirs.took_part), mine.units, mine.streams, mine.levels, mine.largest)


def _align(took_part: Flags, entries: int) -> Flags:
    """One row, as long as the sequence."""
    return pad(took_part, (1, entries), False)


def _skip(took_part: Flags) -> Flags:
    skipped: Flags = np.concatenate([took_part, np.zeros((len(took_part), 1), dtype=bool)], axis=1)
    return skipped


def _mix(put: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]], mine: Any, theirs: Any) -> Any:
    """Put every array of one value into the like array of another."""
    if isinstance(mine, np.ndarray):
        return put(mine, theirs)
    if is_dataclass(mine) and not isinstance(mine, type):
        mixed = {f.name: _mix(put, getattr(mine, f.name), getattr(theirs, f.name)) for f in fields(mine)}
        return replace(mine, **mixed)
    if isinstance(mine, tuple) and mine and is_dataclass(mine[0]):
        return tuple(_mix(put, one, other) for one, other in zip(mine, theirs, strict=True))
    return mine
