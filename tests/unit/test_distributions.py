"""The normal and t distribution against scipy, against exact decimals, and in tails where scipy gives up."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from shared.domain.figures.distributions import (
    erfc,
    normal_cdf,
    normal_log_cdf,
    normal_log_mass,
    normal_quantile,
    normal_quantile_of_log,
    normal_score_of_t,
    student_t_cdf,
    student_t_log_cdf,
    student_t_quantile,
)

DEGREES_OF_FREEDOM = [0.7, 1, 2, 3, 5, 10, 30, 199, 399.5, 400, 401, 1e4, 1e6]


def exact_erfc(x: float) -> float:
    """exp(-x^2) in forty digits times scipy's scaled erfc, which needs no exponential."""
    with localcontext() as context:
        context.prec = 40
        return float((-(Decimal(x) ** 2)).exp() * Decimal(float(special.erfcx(x))))


def test_erfc_is_exact_to_the_last_digits() -> None:
    x = np.linspace(0.0, 26.0, 2001)
    expected = np.array([exact_erfc(v) for v in x])
    np.testing.assert_allclose(erfc(x), expected, rtol=2e-15)
    np.testing.assert_allclose(erfc(-x), special.erfc(-x), rtol=1e-15)
    assert erfc(np.zeros((2, 3))).shape == (2, 3)


def test_normal_cdf_and_its_logarithm_agree_with_scipy() -> None:
    z = np.linspace(-37.0, 37.0, 4001)
    np.testing.assert_allclose(normal_cdf(z), special.ndtr(z), rtol=1e-12)
    np.testing.assert_allclose(normal_log_cdf(z), special.log_ndtr(z), rtol=1e-12)


def test_log_tails_outlive_the_probabilities() -> None:
    z = np.array([-40.0, -100.0, -1e4, -1e8])
    assert (normal_cdf(z) == 0).all()
    np.testing.assert_allclose(normal_log_cdf(z), special.log_ndtr(z), rtol=1e-13)
    np.testing.assert_array_equal(normal_log_cdf([-np.inf, np.inf]), [-np.inf, 0.0])


def test_quantiles_agree_with_scipy() -> None:
    p = np.concatenate([np.logspace(-300, -1, 400), np.linspace(0.1, 0.999999, 400)])
    np.testing.assert_allclose(normal_quantile(p), special.ndtri(p), rtol=1e-13, atol=1e-14)
    log_p = -np.logspace(-12, 9, 2000)
    np.testing.assert_allclose(
        normal_quantile_of_log(log_p), special.ndtri_exp(log_p), rtol=1e-11, atol=1e-14
    )
    np.testing.assert_array_equal(normal_quantile([0.0, 1.0]), [-np.inf, np.inf])
    np.testing.assert_allclose(normal_quantile_of_log(-1e300), -math.sqrt(2) * 1e150)


@given(st.floats(-1e6, 1e6))
def test_a_quantile_undoes_the_log_of_either_tail(z: float) -> None:
    back = -normal_quantile_of_log(normal_log_cdf(-abs(z)))
    assert back == pytest.approx(abs(z), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (-np.inf, np.inf, 0.0),
        (1.0, 1.0, -np.inf),
        (-1.0, 1.0, math.log(0.6826894921370859)),
        (1.0, np.inf, float(special.log_ndtr(-1.0))),
        (-np.inf, -50.0, float(special.log_ndtr(-50.0))),
        (30.0, 31.0, float(special.log_ndtr(-30.0) + math.log1p(-special.ndtr(-31) / special.ndtr(-30)))),
        (-1e-3, 1e-3, math.log(math.erf(1e-3 / math.sqrt(2)))),
        (60.0, np.inf, float(special.log_ndtr(-60.0))),
    ],
)
def test_mass_between_two_points(lower: float, upper: float, expected: float) -> None:
    assert float(normal_log_mass(lower, upper)) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert float(normal_log_mass(-upper, -lower)) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("df", DEGREES_OF_FREEDOM)
def test_t_agrees_with_scipy(df: float) -> None:
    digits = 1e-12 if df <= 1e4 else 1e-10
    for t in [*-np.logspace(-3, 2.5, 40), 0.0, *np.logspace(-3, 2.5, 40)]:
        assert student_t_cdf(float(t), df) == pytest.approx(stats.t.cdf(t, df), rel=digits, abs=1e-290)
    for p in [1e-12, 1e-6, 0.001, 0.025, 0.4, 0.5, 0.6, 0.95, 0.975, 0.995, 0.999999]:
        assert student_t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=digits, abs=1e-15)


@given(st.floats(1e-9, 1 - 1e-9), st.floats(0.5, 1e6))
def test_t_quantile_undoes_the_cdf(p: float, df: float) -> None:
    assert student_t_cdf(student_t_quantile(p, df), df) == pytest.approx(p, rel=1e-9)


def test_t_keeps_its_tails() -> None:
    far_out = stats.t.logpdf(1e9, 100) + math.log(1e9 / 100)
    assert student_t_log_cdf(-1e9, 100) == pytest.approx(far_out, rel=1e-12)
    assert student_t_cdf(-1e-200, 3) == pytest.approx(0.5)
    assert student_t_cdf(0.0, 3) == 0.5


def test_a_t_value_becomes_the_normal_score_of_the_same_tail() -> None:
    """KA9: the seventh value of 10, 11, 9.5, 10.2, 10.4, 9.9, 13 against those before it."""
    before = np.array([10, 11, 9.5, 10.2, 10.4, 9.9])
    t = (13.0 - before.mean()) / (before.std(ddof=1) * math.sqrt(7 / 6))
    assert t == pytest.approx(5.157675836019077, rel=1e-13)
    assert normal_score_of_t(t, 5) == pytest.approx(2.9119571973832605, rel=1e-12)
    assert normal_score_of_t(-t, 5) == pytest.approx(-2.9119571973832605, rel=1e-12)
    assert 15 < normal_score_of_t(1e40, 3) < math.inf
