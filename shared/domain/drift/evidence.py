"""Evidence that builds up over nights: a self-starting e-detector with a bounded rate of false alarms.

For every candidate change night j and every shift d of a grid, the likelihood ratio "shifted by d since j"
against "no change" multiplies up over the nights; their sum over j is the evidence R. While nothing changes,
R grows by 1 a night on average, so the expected number of nights until R >= c is at least c.

e-detectors: Shin, Ramdas, Rinaldo, New England J. Stat. Data Sci. 2 (2024), doi 10.51387/23-NEJSDS51; the
unknown mean before the change: Hawkins, Qiu, Kang, J. Quality Technology 35 (2003).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from shared.domain.figures.distributions import normal_log_mass

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SHIFTS = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 5.0])
CANDIDATES = 90  # the last nights that a change is looked for in
POINT = 1e-3  # an interval narrower than this is a point
NODES = 24


@dataclass(frozen=True, slots=True)
class Evidence:
    """What each row (one stream in one direction) has gathered.

    `nights` (rows): retained nights so far, t. `log_ratios` (rows, 6, 90): the log likelihood ratio per
    shift and candidate night t-89 .. t; -inf for candidates before night 2. `since` (rows): candidates up to
    this night no longer count, because they have had their alarm.
    """

    nights: Integers
    log_ratios: Array
    since: Integers

    @classmethod
    def none(cls, rows: int) -> "Evidence":
        ratios = np.full((rows, SHIFTS.size, CANDIDATES), -np.inf)
        return cls(np.zeros(rows, dtype=np.int64), ratios, np.zeros(rows, dtype=np.int64))

    def after(self, low: Array, high: Array, takes_part: NDArray[np.bool_]) -> "Evidence":
        """Learn a night whose normal scores (large = shifted) lie between `low` and `high`.

        Rows that do not take part stay as they are; (-inf, inf) is a night that says nothing.
        """
        nights, log_ratios = self.nights + takes_part, self.log_ratios.copy()
        for night in np.unique(nights[takes_part]).tolist():
            rows = np.flatnonzero(takes_part & (nights == night))
            newest = np.full((rows.size, SHIFTS.size, 1), 0.0 if night > 1 else -np.inf)
            earlier = np.concatenate([self.log_ratios[rows, :, 1:], newest], axis=2)
            says = ~(np.isneginf(low[rows]) & np.isposinf(high[rows]))
            earlier[says] += _log_e_values_of_night(night, low[rows][says], high[rows][says])
            log_ratios[rows] = earlier
        return Evidence(nights, log_ratios, self.since)

    def restart(self, rows: NDArray[np.bool_]) -> "Evidence":
        """These rows begin at night 1 again."""
        return Evidence(
            np.where(rows, 0, self.nights),
            np.where(rows[:, None, None], -np.inf, self.log_ratios),
            np.where(rows, 0, self.since),
        )

    def forget(self, rows: NDArray[np.bool_]) -> "Evidence":
        """After an alarm in these rows, only changes after tonight count."""
        return Evidence(self.nights, self.log_ratios, np.where(rows, self.nights, self.since))

    @property
    def candidates(self) -> Integers:
        """(rows, 90): the candidate change nights, oldest first; below 2 there is none."""
        nights: Integers = self.nights[:, None] + np.arange(1 - CANDIDATES, 1)
        return nights

    @property
    def log_total(self) -> Array:
        """log R per row; -inf before there is a candidate."""
        counts = self.candidates > self.since[:, None]
        log_ratios = np.where(counts[:, None], self.log_ratios, -np.inf)
        highest = log_ratios.max(axis=(1, 2), initial=-1e300)
        scaled = np.exp(log_ratios - highest[:, None, None]).reshape(len(highest), SHIFTS.size * CANDIDATES)
        with np.errstate(divide="ignore"):
            total: Array = highest + np.log(scaled.sum(axis=1) / SHIFTS.size)
        return total


def log_e_value(shift: ArrayLike, low: ArrayLike, high: ArrayLike) -> Array:
    """log E(d; l, h): how much likelier a score between l and h is when the normal law has moved by d.

    Its expectation under no shift is exactly 1, however coarse the intervals are.
    """
    shift, low, high = (np.asarray(values, dtype=float) for values in (shift, low, high))
    with np.errstate(invalid="ignore"):
        middle = np.where(high - low < POINT, 0.5 * (low + high), 0.0)
        at_a_point = shift * middle - 0.5 * shift * shift
        between = normal_log_mass(low - shift, high - shift) - normal_log_mass(low, high)
    return np.where(high - low < POINT, at_a_point, between)


def _log_e_values_of_night(night: int, low: Array, high: Array) -> Array:
    """(rows, 6, 90): log E for the shift that each candidate expects on this night.

    The mean before the change is unknown and estimated by the nights before it, which shrinks the shift that
    night i shows to (j-1)/sqrt(i(i-1)) of its size. log E is smooth in the shift: 24 Chebyshev nodes on
    [0, 5] carry all 540 values to eleven digits.
    """
    at_nodes = log_e_value(_nodes(), low[:, None], high[:, None])
    values = np.zeros((len(low), SHIFTS.size * CANDIDATES))
    for node, weights in enumerate(_interpolation(night)):
        values += at_nodes[:, node, None] * weights
    return values.reshape(len(low), SHIFTS.size, CANDIDATES)


def _nodes() -> Array:
    nodes: Array = 0.5 * SHIFTS[-1] * (1.0 + chebyshev.chebpts1(NODES))
    return nodes


@lru_cache(maxsize=8)
def _interpolation(night: int) -> Array:
    """(nodes, 540): what each node's value contributes at the expected shifts of this night.

    No matrix product: its last bits would depend on the number of threads.
    """
    candidates = np.arange(night - CANDIDATES + 1, night + 1)
    share = np.maximum(candidates - 1, 0) / np.sqrt(max(night * (night - 1), 1))
    expected = np.outer(SHIFTS, share).ravel()
    polynomials = chebyshev.chebvander(2.0 * expected / SHIFTS[-1] - 1.0, NODES - 1)
    at_nodes = chebyshev.chebvander(chebyshev.chebpts1(NODES), NODES - 1)
    at_nodes *= np.where(np.arange(NODES) == 0, 1.0, 2.0) / NODES
    weights: Array = (at_nodes[:, None] * polynomials).sum(axis=2)
    return weights
