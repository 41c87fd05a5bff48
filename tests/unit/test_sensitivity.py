"""What a run of a given size can show."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.figures.comparison import Comparison, compare
from shared.domain.figures.sensitivity import detectable_by_rerun, detectable_in_advance, questions_to_detect


@pytest.mark.parametrize(
    ("within", "repeats", "expected"),
    [(1 / 6, 1, 3875.9899922711543), (1 / 6, 10, 1259.6967474881253), (0.0, 1, 968.9974980677886)],
)
def test_questions_to_detect_known_answers(within: float, repeats: int, expected: float) -> None:
    needed = questions_to_detect(0.03, between_variance=1 / 9, within_variance=within, repeats=repeats)
    assert needed == pytest.approx(expected, rel=1e-12)


def test_repeats_foretell_what_a_second_run_can_show() -> None:
    """The value computed from one run is that of the comparison with a real second run."""
    rng = np.random.default_rng(3)
    p = rng.beta(1.2, 0.3, 2000)
    first, second = rng.binomial(4, p) / 4, rng.binomial(4, p) / 4
    foretold = detectable_by_rerun(first, np.full(2000, 4))
    units = [str(i) for i in range(2000)]
    seen = compare(dict(zip(units, first, strict=True)), dict(zip(units, second, strict=True)))
    assert isinstance(seen, Comparison)
    assert foretold == pytest.approx(seen.minimum_detectable_difference, rel=0.05)


def test_one_answer_each_gives_an_upper_bound() -> None:
    rng = np.random.default_rng(3)
    p = rng.beta(1.2, 0.3, 2000)
    single = detectable_by_rerun(rng.binomial(1, p).astype(float), np.ones(2000))
    repeated = detectable_by_rerun(rng.binomial(4, p) / 4, np.full(2000, 4))
    assert single is not None
    assert repeated is not None
    assert single > repeated


def test_nothing_measured_can_show_nothing() -> None:
    assert detectable_by_rerun([], []) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=40))
def test_it_is_a_share_above_zero(rows: list[tuple[float, int]]) -> None:
    scores, repeats = zip(*rows, strict=True)
    value = detectable_by_rerun(scores, repeats)
    assert value is not None
    assert 0.0 < value <= 1.0


def test_in_advance_a_difference_is_told_that_any_such_run_would_show() -> None:
    """What is told for 80 % right is what such a run says of itself afterwards; doubtful ones detect less."""
    told = detectable_in_advance(200, 1, 0.8)
    doubtful, alike, sure = (
        detectable_by_rerun([1.0] * right + [0.0] * (200 - right), [1] * 200) for right in (140, 160, 170)
    )
    assert alike == pytest.approx(told)
    assert doubtful is not None
    assert sure is not None
    assert sure < told < doubtful
    assert told == pytest.approx(0.1, abs=1e-4)
    assert detectable_in_advance(200, 2, 0.8) == pytest.approx(told / math.sqrt(2), rel=0.02)
    assert detectable_in_advance(1, 1, 0.5) == 1.0
