"""What a suite is known by, and which of its questions a sample takes."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Scorer, SuiteContent, sample
from tests.factories import make_question, make_suite

QUESTIONS = [
    make_question(number, category=category)
    for category, size in (("large", 60), ("middle", 30), ("small", 10))
    for number in range(1000 * size, 1000 * size + size)
]


def test_the_order_of_questions_makes_no_other_suite() -> None:
    content = make_suite(5)
    assert SuiteContent(content.questions[::-1]).content_hash == content.content_hash


@pytest.mark.parametrize(
    "change",
    [
        {"input": "What is 1 plus 1?"},
        {"target": "3"},
        {"scorer": Scorer("numeric", {"tolerance": 0.1})},
        {"cluster": "sums"},
    ],
)
def test_an_edited_question_is_a_new_unit_and_makes_a_new_version(change: dict[str, object]) -> None:
    question, rest = make_question(1), make_question(2)
    edited = make_question(1, **change)
    assert edited.unit != question.unit
    assert SuiteContent((edited, rest)).content_hash != SuiteContent((question, rest)).content_hash


def test_another_category_makes_a_new_version_of_the_same_unit() -> None:
    question = make_question(1)
    moved = replace(question, category="sums")
    assert moved.unit == question.unit
    assert SuiteContent((moved,)).content_hash != SuiteContent((question,)).content_hash


def test_questions_whose_input_is_not_known_are_told_apart_by_their_ids() -> None:
    assert len({make_question(number, input="", target="").unit for number in range(9)}) == 9


def test_a_suite_needs_questions_with_ids_of_their_own() -> None:
    with pytest.raises(InvalidInput, match="no question"):
        SuiteContent(())
    with pytest.raises(InvalidInput, match="'q-1' appears twice"):
        SuiteContent((make_question(1), make_question(1)))


@given(size=st.integers(1, 120), seed=st.randoms())
def test_a_sample_is_the_same_whatever_the_order(size: int, seed: object) -> None:
    shuffled = list(QUESTIONS)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    chosen = sample(QUESTIONS, size)
    assert len(chosen) == min(size, len(QUESTIONS))
    assert {question.id for question in sample(shuffled, size)} == {question.id for question in chosen}


@given(size=st.integers(10, 100))
def test_a_sample_is_spread_over_the_categories(size: int) -> None:
    counts = Counter(question.category for question in sample(QUESTIONS, size))
    for category, share in (("large", 0.6), ("middle", 0.3), ("small", 0.1)):
        assert abs(counts[category] - share * size) <= 1


@given(size=st.integers(1, 99))
def test_a_larger_sample_holds_the_smaller_one(size: int) -> None:
    smaller = {question.id for question in sample(QUESTIONS, size)}
    assert smaller < {question.id for question in sample(QUESTIONS, size + 1)}


@pytest.mark.parametrize(
    ("scorer", "asks"),
    [
        (Scorer(), True),
        (Scorer("numeric"), False),
        (Scorer("assert-set", {"assert": [{"type": "contains", "value": "x"}]}), False),
        (
            Scorer("assert-set", {"assert": [{"type": "contains", "value": "x"}, {"type": "llm-rubric"}]}),
            True,
        ),
    ],
)
def test_which_scorers_ask_the_judge(scorer: Scorer, asks: bool) -> None:
    assert scorer.asks_the_judge is asks
    assert Scorer.from_json(scorer.as_json()) == scorer
