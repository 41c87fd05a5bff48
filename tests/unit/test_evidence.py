"""The e-detector: known answers, its recursion against the definition, and what keeps its promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from shared.domain.drift.evidence import CANDIDATES, SHIFTS, Evidence, log_e_value

KNOWN_SCORES = [0, 0.3, -0.8, 0.5, -0.2, 1.1, -0.4, 0.1, 2.4, 3.1, 2.2]


def gather(scores: list[float], width: float = 0.0) -> Evidence:
    """One row's evidence after scores that each cover an interval of this width."""
    evidence = Evidence.none(1)
    for score in scores:
        evidence = evidence.after(np.array([score]), np.array([score + width]), np.array([True]))
    return evidence


def by_definition(scores: list[float], width: float) -> float:
    """log R, summed as the method is written down."""
    total = 0.0
    for j in range(max(2, len(scores) - CANDIDATES + 1), len(scores) + 1):
        i = np.arange(j, len(scores) + 1)
        shrunk = np.outer(SHIFTS, (j - 1) / np.sqrt(i * (i - 1)))
        low = np.array(scores)[i - 1]
        total += np.exp(log_e_value(shrunk, low, low + width).sum(axis=1)).mean()
    return math.log(total)


def test_known_answer() -> None:
    evidence = gather(KNOWN_SCORES)
    assert evidence.log_total[0] == pytest.approx(8.565451421076475, rel=1e-13)
    best = evidence.log_ratios[0].max(axis=0)
    assert best.max() == pytest.approx(9.84677434964335, rel=1e-13)
    assert evidence.candidates[0, best.argmax()] == 9


def test_interval_e_value_known_answer() -> None:
    assert math.exp(log_e_value(1.0, 1.0, 1.5)) == pytest.approx(2.0845565662382044, rel=1e-12)
    above = integrate.quad(lambda z: stats.norm.pdf(z - 1), 1, 1.5)[0]
    below = integrate.quad(stats.norm.pdf, 1, 1.5)[0]
    assert math.exp(log_e_value(1.0, 1.0, 1.5)) == pytest.approx(above / below, rel=1e-12)


@pytest.mark.parametrize("width", [0.0, 0.01, 0.3, 2.0, np.inf])
def test_the_recursion_gives_what_the_definition_says(width: float) -> None:
    scores = [*KNOWN_SCORES, *np.random.default_rng(2).normal(size=92).tolist()]
    for nights in (2, 11, 91, 103):
        log_total = gather(scores[:nights], width).log_total[0]
        assert log_total == pytest.approx(by_definition(scores[:nights], width), rel=1e-11, abs=1e-12)


@given(st.sets(st.floats(-36, 36), max_size=30), st.floats(0, 5))
def test_the_expected_e_value_is_one_however_coarse_the_scores_are(cuts: set[float], shift: float) -> None:
    edges = np.array([-np.inf, *sorted(cuts), np.inf])
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-2])] if len(edges) > 2 else edges
    edges[-1] = np.inf
    low, high = edges[:-1], edges[1:]
    shorter_side = np.where(low > 0, stats.norm.sf(low) - stats.norm.sf(high), np.diff(stats.norm.cdf(edges)))
    e_values = np.exp(log_e_value(shift, low, high))
    assert float((shorter_side * e_values).sum()) == pytest.approx(1.0, rel=1e-6)


def test_a_point_is_the_limit_of_an_interval() -> None:
    d, z = np.meshgrid(SHIFTS, np.linspace(-37, 37, 75))
    np.testing.assert_allclose(log_e_value(d, z, z), d * z - d * d / 2, rtol=1e-14)
    np.testing.assert_allclose(log_e_value(d, z, z + 2e-3), d * (z + 1e-3) - d * d / 2, rtol=1e-4, atol=1e-4)


def test_nights_that_say_nothing_count_but_prove_nothing() -> None:
    evidence = Evidence.none(1)
    for _ in range(5):
        evidence = evidence.after(np.array([-np.inf]), np.array([np.inf]), np.array([True]))
    assert evidence.nights[0] == 5
    assert evidence.log_total[0] == pytest.approx(math.log(4))


def test_the_first_night_has_no_candidate() -> None:
    assert Evidence.none(1).log_total[0] == -np.inf
    assert gather([3.0]).log_total[0] == -np.inf


def test_extreme_scores_stay_finite() -> None:
    evidence = gather([37.0] * 100)
    assert np.isfinite(evidence.log_total).all()
    assert np.isfinite(gather([37.0] * 20, np.inf).log_total).all()


def test_after_an_alarm_only_later_candidates_count() -> None:
    alarmed = gather([0.0] * 10 + [4.0] * 3)
    told = alarmed.forget(np.array([True]))
    assert told.log_total[0] == -np.inf
    nothing = np.array([-np.inf]), np.array([np.inf]), np.array([True])
    assert told.after(*nothing).log_total[0] == pytest.approx(0.0)
    assert alarmed.after(*nothing).log_total[0] > 5.0


def test_rows_keep_their_own_count_of_nights_and_their_bytes() -> None:
    """Together with others or alone, taking part every night or not: the same numbers to the last bit."""
    chance = np.random.default_rng(5)
    low = chance.normal(size=(130, 40))
    high = low + chance.random((130, 40)) * (chance.random((130, 40)) < 0.8)
    takes_part = chance.random((130, 40)) < 0.9
    together = Evidence.none(40)
    for night in range(130):
        together = together.after(low[night], high[night], takes_part[night])
    for row in (0, 7, 39):
        alone = Evidence.none(1)
        for own in np.flatnonzero(takes_part[:, row]):
            alone = alone.after(low[own, [row]], high[own, [row]], np.array([True]))
        assert alone.nights[0] == together.nights[row] == takes_part[:, row].sum()
        assert alone.log_ratios[0].tobytes() == together.log_ratios[row].tobytes()
        assert alone.log_total.tobytes() == together.log_total[[row]].tobytes()
