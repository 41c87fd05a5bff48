"""Format failures: told apart from wrong answers, part by part."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.answers.formats import has_format_failure
from shared.domain.answers.scoring import Verdict, score_answer
from shared.domain.questions.suites import Question, Scorer
from tests.factories import make_question

GOOD = Verdict(0.8, True, "mostly right")


def ask(name: str, target: str = "x", **options: Any) -> Question:
    return make_question(target=target, scorer=Scorer(name, options))


def format_failed(question: Question, answer: str) -> bool | None:
    outcome = score_answer(question, answer, judged=GOOD if question.scorer.asks_the_judge else None)
    assert isinstance(outcome, Verdict)
    return has_format_failure(question, answer, outcome)


@pytest.mark.parametrize(
    ("question", "by_form", "by_content", "right"),
    [
        (ask("numeric", "26"), "There are many.", "27", "26"),
        (ask("choice", "B"), "It depends.", "A", "B"),
        (ask("choice", "no", choices=["yes", "no"]), "Perhaps", "Yes", "No."),
        (ask("is-json", "{}"), '```json\n{"a": 1}\n```', None, '{"a": 1}'),
        (ask("contains-json", "{}"), "{a: 1}", None, 'Here: {"a": 1}'),
        (ask("equals", "Paris"), "Paris.", "Rome.", "Paris"),
        (ask("equals", "Paris"), "**Paris**", "**Rome**", "Paris"),
        (ask("equals", "Paris"), "**`Paris`**", "**`Rome`**", "Paris"),
        (ask("equals", "Paris"), '"Paris".', '"Rome".', "Paris"),
        (ask("equals", "Paris"), "“*Paris*!”", "“*Rome*!”", "Paris"),
        (ask("equals", "Paris."), "```\nParis.\n```", "```\nRome.\n```", "Paris."),
        (ask("equals", "my_own_name"), "`my_own_name`", "`myownname`", "my_own_name"),
        (ask("starts-with", "Dear"), "**Dear Ann**,", "**Oh Dear**", "Dear Ann"),
        (ask("contains", "is 42"), "It is **42**.", "It is **43**.", "It is 42."),
        (ask("contains-all", value=["is 42", "kg"]), "It is `42` kg", "It is `42`", "It is 42 kg"),
        (ask("levenshtein", "kitten", threshold=0), "`kitten`", "`mitten`", "kitten"),
        (ask("regex", "7", value=r"\A\d\Z"), "*7*", "*77*", "7"),
        (ask("not-contains", value="```"), "```\n7\n```", None, "7"),
        (ask("not-numeric", value="13"), None, "13", "none"),
        (ask("not-is-json"), None, "{}", "hello"),
    ],
)
def test_a_failure_of_form_is_told_from_one_of_content(
    question: Question, by_form: str | None, by_content: str | None, right: str
) -> None:
    assert by_form is None or format_failed(question, by_form) is True
    assert by_content is None or format_failed(question, by_content) is False
    assert format_failed(question, right) is False


def test_code_in_a_fence_is_right_code_in_a_wrong_form() -> None:
    """What GPT-4 began to do in June 2023: the same program, no longer executable as it stands."""
    question = ask("regex", "def", value=r"(?s)\Adef \w+\(.*\):\n.*return \w+\Z")
    program = "def add(a, b):\n    total = a + b\n    return total"
    assert format_failed(question, program) is False
    assert format_failed(question, f"```python\n{program}\n```") is True
    assert (
        format_failed(question, f"Here is the code:\n\n```python\n{program}\n```\n\nIt adds two numbers.")
        is True
    )
    assert format_failed(question, "```python\nprint(1)\n```") is False


def test_without_a_list_of_choices_another_choice_is_not_taken_for_none() -> None:
    assert format_failed(ask("choice", "Yes"), "No.") is False


def test_where_the_judge_alone_scores_no_form_is_asked_for() -> None:
    assert format_failed(ask("llm-rubric"), "```x```") is None
    assert format_failed(ask("assert-set", **{"assert": [{"type": "llm-rubric"}]}), "x") is None


def test_one_part_that_fails_by_form_is_enough() -> None:
    parts = [{"type": "llm-rubric"}, {"type": "is-json"}, {"type": "contains", "value": "42"}]
    question = ask("assert-set", **{"assert": parts})
    assert format_failed(question, "It is 42") is True
    assert format_failed(question, '{"a": 42}') is False
    assert format_failed(question, '{"a": 43}') is False


def test_a_part_counts_also_where_the_set_passes_without_it() -> None:
    parts = [{"type": "is-json"}, {"type": "contains", "value": "42"}]
    assert format_failed(ask("assert-set", **{"assert": parts, "threshold": 0.5}), "It is 42") is True


@pytest.mark.parametrize("question", [ask("numeric", "26"), ask("is-json", "{}"), ask("choice", "B")])
def test_a_refusal_is_no_failure_of_form(question: Question) -> None:
    assert format_failed(question, "I'm sorry, but I can't help with that.") is False


def test_a_pattern_that_never_ends_on_the_undressed_answer_is_no_failure_of_form() -> None:
    question = ask("regex", value=r"\A(x+x+)+y")
    assert format_failed(question, f"**{'x' * 20_000}**") is False


SCORERS = [
    ask("equals"),
    ask("numeric", "1"),
    ask("choice", "B"),
    ask("is-json", "{}"),
    ask("contains-json", "{}"),
    ask("regex", value=r"\A\w+\Z"),
    ask("not-equals", value="x"),
]


@given(st.sampled_from(SCORERS), st.text() | st.text("`*_\"'“”x1.\n{} "))
def test_every_scored_answer_gets_an_answer(question: Question, answer: str) -> None:
    outcome = score_answer(question, answer)
    if isinstance(outcome, Verdict):
        failed = has_format_failure(question, answer, outcome)
        assert failed in (True, False)
        assert not (failed and outcome.passed)


@pytest.mark.parametrize("piece", ["`", "```", "```\n", "*", "**x", "_ ", '"', " .", "x_", "*x*"])
def test_a_long_answer_is_undressed_in_linear_time(piece: str) -> None:
    """The bound is wide, for busy machines; what is quadratic in 200,000 characters takes minutes."""
    answer = (piece * 200_000)[:200_000]
    started = time.process_time()
    assert format_failed(ask("equals", "Paris"), answer) is False
    assert time.process_time() - started < 2
