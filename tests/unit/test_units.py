"""Scores become whole numbers per unit, and what is missing stays missing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.drift.nightly import MISSING, Integers, put_in_bags, score_night, weigh
from shared.domain.drift.units import put_on_grid, sum_clusters


def test_right_and_wrong_answers_have_one_level() -> None:
    scores, levels = put_on_grid(np.array([[1.0, 0.0, np.nan]]))
    assert (scores.tolist(), levels) == ([[1, 0, MISSING]], 1)


def test_partial_scores_have_twenty() -> None:
    scores, levels = put_on_grid(np.array([[1.0, 1 / 3, 0.024, np.nan]]))
    assert (scores.tolist(), levels) == ([[20, 7, 0, MISSING]], 20)


@given(st.lists(st.lists(st.sampled_from([0, 1, MISSING]), min_size=6, max_size=6), min_size=2, max_size=8))
def test_right_and_wrong_answers_say_the_same_on_either_grid(nights: list[list[int]]) -> None:
    results = []
    for levels in (1, 20):
        bags: Integers = np.zeros((1, 6, levels + 1), dtype=np.int64)
        for night in nights:
            tonight = np.where(np.array([night]) == MISSING, MISSING, np.array([night]) * levels)
            bags = put_in_bags(bags, tonight)
        score = score_night(bags, tonight, weigh(bags, levels))
        results.append([score.low[0], score.mid[0], score.high[0]])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-9, atol=1e-9)


def test_a_cluster_is_the_sum_of_its_questions_and_missing_with_any_of_them() -> None:
    scores = np.array([[[1, 0, 1, 1], [1, MISSING, 1, 0]]])
    assert sum_clusters(scores, np.array([0, 1, 0, 1])).tolist() == [[[2, 1], [2, MISSING]]]
