"""Which categories and which questions a drop is put down to."""

import numpy as np
import pytest

from shared.domain.causes.attribution import attribute_to_categories, attribute_to_questions
from shared.domain.drift.nightly import MISSING, Integers


def thirty_good_nights_and_three_bad_ones() -> Integers:
    scores: Integers = np.ones((33, 12), dtype=np.int64)
    scores[::4, 6:] = 0
    scores[30:, :3] = 0
    return scores


CATEGORIES = {"code": np.arange(6), "facts": np.arange(6, 12)}


def test_the_category_that_dropped_is_named_alone_and_first() -> None:
    code, facts = attribute_to_categories(thirty_good_nights_and_three_bad_ones(), 30, 1, CATEGORIES)
    assert (code.category, code.is_worse) == ("code", True)
    assert code.shift.value == pytest.approx(-0.5)
    assert (facts.category, facts.is_worse) == ("facts", False)


def test_the_questions_that_flipped_are_named_by_fishers_test() -> None:
    found = attribute_to_questions(thirty_good_nights_and_three_bad_ones(), 30, 1, CATEGORIES["code"])
    assert [question.unit for question in found if question.is_worse] == [0, 1, 2]
    worst = found[0]
    assert (worst.passed_before, worst.scored_before, worst.passed_after, worst.scored_after) == (
        30,
        30,
        0,
        3,
    )
    assert worst.adjusted_p_worse == pytest.approx(0.00018328445748 * 6 / 3, rel=1e-10)


def test_questions_and_categories_without_both_sides_are_left_out() -> None:
    scores = thirty_good_nights_and_three_bad_ones()
    scores[30:, 3:] = MISSING
    assert [shift.category for shift in attribute_to_categories(scores, 30, 1, CATEGORIES)] == ["code"]
    assert {q.unit for q in attribute_to_questions(scores, 30, 1, np.arange(12))} == {0, 1, 2}


def test_half_of_the_grid_is_a_pass() -> None:
    scores = np.array([[10], [20], [9], [MISSING]])
    (question,) = attribute_to_questions(scores, 2, 20, np.array([0]))
    assert (question.passed_before, question.passed_after, question.scored_after) == (2, 0, 1)
