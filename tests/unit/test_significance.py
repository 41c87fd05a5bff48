"""Exact tests against scipy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from shared.domain.figures.significance import adjust_for_discoveries, fisher_decrease, sign_test

counts = st.integers(0, 400)


@pytest.mark.parametrize(
    ("broke", "fixed", "expected"),
    [
        (21, 28, 0.8735651349161984),
        (16, 0, 1.52587890625e-05),
        (477, 139, 1.406481299954109e-44),
        (9, 2, 0.03271484375),
        (0, 0, 1.0),
    ],
)
def test_sign_test_known_answers(broke: int, fixed: int, expected: float) -> None:
    assert sign_test(broke, fixed) == pytest.approx(expected, rel=1e-11)


def test_sign_test_is_half_of_the_two_sided_mcnemar_test() -> None:
    two_sided = mcnemar([[0, 9], [2, 0]], exact=True).pvalue
    assert two_sided == pytest.approx(0.0654296875)
    assert sign_test(9, 2) == pytest.approx(two_sided / 2)


@given(counts, counts)
def test_sign_test_is_the_binomial_tail(worse: int, better: int) -> None:
    expected = stats.binom.sf(worse - 1, worse + better, 0.5)
    assert sign_test(worse, better) == pytest.approx(expected, rel=1e-9)


def test_fisher_known_answer() -> None:
    assert fisher_decrease(30, 30, 0, 3) == pytest.approx(0.00018328445748, rel=1e-11)


@given(counts, counts, counts, counts)
def test_fisher_agrees_with_scipy(passed: int, failed: int, passed_after: int, failed_after: int) -> None:
    mine = fisher_decrease(passed, passed + failed, passed_after, passed_after + failed_after)
    expected = stats.fisher_exact([[passed_after, failed_after], [passed, failed]], alternative="less").pvalue
    assert mine == pytest.approx(expected, rel=1e-8, abs=1e-300)


def test_adjusted_p_values_known_answer() -> None:
    adjusted = adjust_for_discoveries([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074])
    np.testing.assert_allclose(adjusted, [0.007, 0.028, 0.0588, 0.0588, 0.0588, 0.07, 0.074], rtol=1e-12)
    assert (adjusted <= 0.10).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_agree_with_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, alpha=0.1, method="fdr_bh")[1]
    np.testing.assert_allclose(adjust_for_discoveries(p_values), expected, rtol=1e-12)


def test_nothing_to_adjust() -> None:
    assert adjust_for_discoveries([]).size == 0
