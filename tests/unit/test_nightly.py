"""The exact law of a night's score: known answers, brute force, far tails, and noise that nights share."""

import itertools
import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shared.domain.drift.nightly import (
    FARTHEST,
    MISSING,
    Integers,
    NightScore,
    Noise,
    put_in_bags,
    score_night,
    weigh,
)
from shared.domain.figures.distributions import normal_cdf
from shared.domain.figures.significance import sign_test


def bags_of(*nights: list[int], grid: int = 1) -> Integers:
    """One row's bags after these nights."""
    bags = np.zeros((1, len(nights[0]), grid + 1), dtype=np.int64)
    for night in nights:
        bags = put_in_bags(bags, np.array([night]))
    return bags


def tail(score: NightScore) -> tuple[float, float]:
    """P(X <= x) and P(X < x)."""
    return float(normal_cdf(-score.low[0])), float(normal_cdf(-score.high[0]))


def bounds(score: NightScore) -> list[float]:
    return [float(score.low[0]), float(score.mid[0]), float(score.high[0])]


def test_poisson_binomial_known_answer() -> None:
    right = np.array([90, 80, 100, 50, 97, 30, 60])
    bags = np.stack([100 - right, right], axis=-1)[None]
    tonight = np.array([[0, 0, 1, 1, 0, 1, 0]])
    assert tail(score_night(bags, tonight)) == pytest.approx((0.053838, 0.004138), rel=1e-12)


@pytest.mark.parametrize(
    ("broke", "fixed", "expected"),
    [(21, 28, 0.8735651349161984), (16, 0, 1.52587890625e-05), (9, 2, 0.03271484375),
     (477, 139, 1.406481299954109e-44)],
)  # fmt: skip
def test_the_second_night_is_mcnemars_test(broke: int, fixed: int, expected: float) -> None:
    unchanged = [1, 1, 0]
    first = [1] * broke + [0] * fixed + unchanged
    second = [0] * broke + [1] * fixed + unchanged
    p, _ = tail(score_night(bags_of(first, second), np.array([second])))
    assert p == pytest.approx(expected, rel=1e-9)
    assert p == pytest.approx(sign_test(broke, fixed), rel=1e-9)


bag = st.lists(st.integers(0, 3), min_size=1, max_size=4)


@given(st.lists(bag, min_size=1, max_size=5), st.data())
def test_tails_agree_with_enumeration(contents: list[list[int]], data: st.DataObject) -> None:
    """Every draw from the bags, counted in fractions; grid and weights as they come."""
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(contents), max_size=len(contents)))
    bags = np.array([[np.bincount(c, minlength=4) for c in contents]])
    tonight = np.array([[c[-1] for c in contents]])
    law: dict[int, Fraction] = defaultdict(Fraction)
    for draw in itertools.product(*contents):
        law[sum(w * s for w, s in zip(weights, draw, strict=True))] += Fraction(
            1, math.prod(map(len, contents))
        )
    x = sum(w * c[-1] for w, c in zip(weights, contents, strict=True))
    for wide in (bags, np.pad(bags, ((0, 0), (0, 0), (0, 9)))):
        score = score_night(wide, tonight, np.array([weights]))
        at_most = float(sum(p for k, p in law.items() if k <= x))
        below = float(sum(p for k, p in law.items() if k < x))
        assert tail(score) == pytest.approx((at_most, below), abs=1e-12)
        if len(law) > 1:
            assert score.low[0] < score.mid[0] < score.high[0]


def test_tails_are_exact_far_below_what_a_subtraction_leaves() -> None:
    """950 questions that break at once: 2^-950, and by symmetry as far on the good side."""
    right, wrong = [1] * 950, [0] * 950
    z = -stats.norm.ppf(2.0**-950)
    worst = score_night(bags_of(right, wrong), np.array([wrong]))
    best = score_night(bags_of(wrong, right), np.array([right]))
    assert worst.low[0] == pytest.approx(z, rel=1e-12)
    assert best.high[0] == pytest.approx(-z, rel=1e-12)
    assert (worst.high[0], best.low[0]) == (np.inf, -np.inf)


def test_graded_tails_are_as_exact_far_out() -> None:
    """Perfect answers that all turn worthless, in one weight and in two: the same 2^-950."""
    right, wrong = [20] * 950, [0] * 950
    bags = bags_of(right, wrong, grid=20)
    two_weights = np.where(np.arange(950) % 3, 4, 3)[None]
    for weights in (None, two_weights):
        worst = score_night(bags, np.array([wrong]), weights)
        best = score_night(bags, np.array([right]), weights)
        assert worst.low[0] == pytest.approx(-stats.norm.ppf(2.0**-950), rel=1e-12)
        assert best.high[0] == pytest.approx(stats.norm.ppf(2.0**-950), rel=1e-12)
        assert (worst.high[0], best.low[0]) == (np.inf, -np.inf)


@pytest.mark.parametrize("grid", [1, 20])
def test_500_answers_that_all_go_wrong_give_a_large_finite_score(grid: int) -> None:
    wrong = [0] * 500
    score = score_night(bags_of(*[[grid] * 500] * 30, wrong, grid=grid), np.array([wrong]))
    assert (score.low[0], score.mid[0], score.high[0]) == (FARTHEST, FARTHEST, np.inf)


def test_a_night_between_underflowing_tails_stays_finite() -> None:
    almost = [1] + [0] * 499
    score = score_night(bags_of(*[[1] * 500] * 30, [0] * 500, almost), np.array([almost]))
    assert (score.low[0], score.high[0]) == (FARTHEST, FARTHEST)


@pytest.mark.parametrize("grid", [1, 20])
def test_units_that_never_varied_say_nothing(grid: int) -> None:
    first_night = score_night(bags_of([1, 0, 1], grid=grid), np.array([[1, 0, 1]]))
    assert (first_night.low[0], first_night.high[0]) == (-np.inf, np.inf)
    assert not first_night.says_something[0]
    varied = score_night(bags_of([1, 0], [1, 1]), np.array([[1, 1]]))
    alone = score_night(bags_of([0], [1]), np.array([[1]]))
    assert bounds(varied) == bounds(alone)


def test_right_and_wrong_answers_score_alike_on_either_grid() -> None:
    chance = np.random.default_rng(6)
    nights = (chance.random((12, 40)) < chance.beta(1.2, 0.3, 40)).astype(np.int64)
    bags, fine = bags_of(*nights.tolist()), bags_of(*(20 * nights).tolist(), grid=20)
    weights = weigh(bags, 1)
    np.testing.assert_array_equal(weigh(fine, 20), weights)
    narrow, wide = score_night(bags, nights[-1:], weights), score_night(fine, 20 * nights[-1:], weights)
    assert bounds(wide) == pytest.approx(bounds(narrow), rel=1e-12)


def test_a_missing_score_is_neither_right_nor_wrong() -> None:
    nights = [[1, 1], [0, 1], [1, MISSING]]
    bags = bags_of(*nights)
    assert bags[0, 1].tolist() == [0, 2]
    score = score_night(bags, np.array([nights[-1]]))
    assert bounds(score) == bounds(score_night(bags[:, :1], np.array([[1]])))


def test_stable_questions_weigh_four_times() -> None:
    assert weigh(np.array([[[0, 30], [1, 29], [5, 25], [15, 15]]]), 1).tolist() == [[4, 3, 2, 1]]
    graded = np.zeros((1, 3, 21), dtype=np.int64)
    graded[0, 0, 7] = graded[0, 1, [10, 14]] = graded[0, 2, [0, 20]] = 15
    assert weigh(graded, 20).tolist() == [[4, 4, 1]]


@pytest.mark.parametrize("grid", [1, 20])
def test_a_rows_score_does_not_depend_on_the_rows_beside_it(grid: int) -> None:
    chance = np.random.default_rng(3)
    tonight = chance.integers(0, grid + 1, (40, 60))
    bags = put_in_bags(
        chance.integers(0, 9, (40, 60, grid + 1)) * (chance.random((40, 60, 1)) < 0.5), tonight
    )
    weights = chance.integers(1, 5, (40, 60))
    together = score_night(bags, tonight, weights)
    for row in range(40):
        alone = score_night(bags[row : row + 1], tonight[row : row + 1], weights[row : row + 1])
        assert alone.low.tobytes() == together.low[row].tobytes()
        assert alone.high.tobytes() == together.high[row].tobytes()
        assert alone.mid.tobytes() == together.mid[row].tobytes()


def test_quiet_nights_leave_the_variance_alone_and_noisy_ones_raise_it() -> None:
    noise = Noise.unknown(2)
    for mid in ([0.0, np.nan], [1.0, 3.0], [np.nan, -3.0], [0.0, 3.0]):
        noise = noise.after(np.array(mid))
    assert noise.differences.tolist() == [2, 2]
    assert noise.squares.tolist() == [1.0, 36.0]
    assert noise.overdispersion == pytest.approx([1.0, 56 / 22])


def test_noise_that_is_certain_is_allowed_for_with_its_uncertainty() -> None:
    """100 differences: beyond 1 + 2 sqrt(300)/120 = 1.289 quiet nights are ruled out."""
    squares = np.array([0.0, 130.0, 136.0, 196.0])
    noise = Noise(squares, np.full(4, 100), np.zeros(4))
    assert noise.overdispersion == pytest.approx([1.0, 1.25, 1.3, 1.8])
    margin = 2 * math.sqrt(300) / 120
    assert noise.allowance == pytest.approx([1.0, 1.25, 1.3 * (1 + margin), 1.8 * (1 + margin)])
    assert Noise.unknown(1).allowance.tolist() == [1.0]


def test_few_quiet_environments_pass_for_noisy_and_noise_is_rarely_allowed_too_little() -> None:
    """5,000 rows of 300 independent nights, quiet, and with a variance of 1.8 that their questions share."""
    chance = np.random.default_rng(11)
    quiet, noisy = Noise.unknown(5_000), Noise.unknown(5_000)
    for night in chance.normal(size=(300, 5_000)):
        quiet, noisy = quiet.after(night), noisy.after(night * math.sqrt(1.8))
    assert (quiet.allowance > quiet.overdispersion).mean() < 0.04
    assert (noisy.overdispersion < 1.8).mean() > 0.5
    assert (noisy.allowance < 1.8).mean() < 0.15
