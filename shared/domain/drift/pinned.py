"""The pinned baseline: its seven nights are kept beside the latest seven, to compare them once a month.

What a night changes too little to be seen adds up, and the bags learn it as the usual. See `decay`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shared.domain.drift.budget import Budget
from shared.domain.drift.decay import COMPARED_NIGHTS, Decay, has_decayed
from shared.domain.drift.detector import Flags
from shared.domain.drift.families import append, pad, places_of
from shared.domain.drift.nightly import MISSING

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pinned:
    """Scores (models, units, 7) of the baseline and of the latest nights, newest last, and their places in
    the sequence (models, 7), 0 where there is none yet.
    """

    units: tuple[str, ...] = ()
    levels: int = 1
    baseline: Integers = field(default_factory=lambda: _unknown(0, 0))
    baseline_places: Integers = field(default_factory=lambda: np.zeros((0, COMPARED_NIGHTS), dtype=np.int64))
    latest: Integers = field(default_factory=lambda: _unknown(0, 0))
    latest_places: Integers = field(default_factory=lambda: np.zeros((0, COMPARED_NIGHTS), dtype=np.int64))

    def after(
        self,
        place: int,
        units: tuple[str, ...],
        scores: Integers,
        levels: int,
        takes_part: Flags,
        restart: Flags,
        outside: Flags,
    ) -> "Pinned":
        """Learn a night's scores (models, units). `outside`: who has other nights as its baseline."""
        room = self.with_room(len(takes_part), units, levels)._restart(restart)
        tonight = np.full(room.latest.shape[:2], MISSING, dtype=np.int64)
        finer = np.where(scores == MISSING, MISSING, scores * (room.levels // levels))
        tonight[:, places_of(room.units, units)] = finer
        moved = np.concatenate([room.latest[..., 1:], tonight[..., None]], axis=2)
        moved_places = np.concatenate(
            [room.latest_places[:, 1:], np.full((len(takes_part), 1), place)], axis=1
        )
        known = (room.baseline_places > 0).sum(axis=1, keepdims=True)
        is_next = (np.arange(COMPARED_NIGHTS) == known) & (takes_part & ~outside)[:, None]
        return replace(
            room,
            baseline=np.where(is_next[:, None], tonight[..., None], room.baseline),
            baseline_places=np.where(is_next, place, room.baseline_places),
            latest=np.where(takes_part[:, None, None], moved, room.latest),
            latest_places=np.where(takes_part[:, None], moved_places, room.latest_places),
        )

    def compare(self, overdispersion: Array, budget: Budget) -> Mapping[int, Decay]:
        """By row, the models whose latest seven nights all came after the seven of their baseline."""
        full = (self.baseline_places > 0).all(axis=1) & (self.latest_places > 0).all(axis=1)
        apart = full & (self.latest_places[:, 0] > self.baseline_places[:, -1])
        found = {}
        for row in np.flatnonzero(apart).tolist():
            scores = np.concatenate([self.baseline[row], self.latest[row]], axis=1).T
            decay = has_decayed(
                scores, slice(0, COMPARED_NIGHTS), slice(COMPARED_NIGHTS, None), self.levels,
                float(overdispersion[row]), budget.models, budget.nights_per_false_alarm,
            )  # fmt: skip
            if decay is not None:
                found[row] = decay
        return found

    def with_room(self, models: int, units: tuple[str, ...], levels: int) -> "Pinned":
        """The same with room for so many models, and for these units on a grid as fine as this."""
        names, finest = append(self.units, units), max(self.levels, levels)
        if (names, finest, models) == (self.units, self.levels, len(self.latest)):
            return self
        step = finest // self.levels

        def grow(scores: Integers) -> Integers:
            finer = np.where(scores == MISSING, MISSING, scores * step)
            return pad(finer, (models, len(names), COMPARED_NIGHTS), MISSING)

        shape = models, COMPARED_NIGHTS
        return Pinned(
            names, finest, grow(self.baseline), pad(self.baseline_places, shape, 0), grow(self.latest),
            pad(self.latest_places, shape, 0),
        )  # fmt: skip

    def _restart(self, models: Flags) -> "Pinned":
        if not models.any():
            return self
        rows, cells = models[:, None], models[:, None, None]
        return replace(
            self,
            baseline=np.where(cells, MISSING, self.baseline),
            baseline_places=np.where(rows, 0, self.baseline_places),
            latest=np.where(cells, MISSING, self.latest),
            latest_places=np.where(rows, 0, self.latest_places),
        )


def _unknown(models: int, units: int) -> Integers:
    return np.full((models, units, COMPARED_NIGHTS), MISSING, dtype=np.int64)
