"""Scoring: what each scorer passes, and that a scorer which cannot work gives no score."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.answers.assertions import is_within
from shared.domain.answers.scoring import (
    SCORER_NAMES,
    Outcome,
    Unscored,
    Verdict,
    rubric,
    score_answer,
    validate_scorer,
)
from shared.domain.errors import ErrorKind, InvalidInput
from shared.domain.questions.suites import Question, Scorer
from tests.factories import make_question

GOOD = Verdict(0.8, True, "mostly right")


def ask(name: str, target: str = "x", **options: Any) -> Question:
    return make_question(target=target, scorer=Scorer(name, options))


def passed(question: Question, answer: str) -> bool:
    outcome = score_answer(question, answer)
    assert isinstance(outcome, Verdict)
    assert outcome.score == float(outcome.passed)
    assert outcome.reason
    return outcome.passed


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (ask("equals", "Paris"), " Paris\n", "paris"),
        (ask("contains", "Paris"), "It is Paris.", "It is paris."),
        (ask("icontains", "Paris"), "it is PARIS", "it is Rome"),
        (ask("contains-any", "Paris, Rome"), "Rome", "London"),
        (ask("contains-any", '"a, b", c'), "a, b", "a"),
        (ask("contains-all", "Paris, Rome"), "Rome and Paris", "Rome"),
        (ask("contains-all", value=["Paris", "Rome"]), "Rome and Paris", "Rome"),
        (ask("icontains-any", "Paris, Rome"), "rome", "london"),
        (ask("icontains-all", "Paris, Rome"), "rome paris", "paris"),
        (ask("starts-with", "Dear"), "Dear Sir", "Oh Dear"),
        (ask("regex", "4", value=r"^\d$"), "4", "44"),
        (ask("is-json", "{}"), '{"a": [1]}', "{a: 1}"),
        (ask("is-json", "{}"), "12", "NaN"),
        (ask("contains-json", "{}"), 'Here: {"a": {"b": 1}}!', "{a} [1] {"),
        (ask("levenshtein", "kitten"), "sitting", "a sitting kitty"),
        (ask("levenshtein", "kitten", threshold=2), "kittens", "sitting"),
        (ask("levenshtein", "kitten", threshold=0), "kitten", "kittens"),
        (ask("numeric", "26"), "A: 26", "A: 27"),
        (ask("numeric", "3.14", tolerance=0.01), "3.1416", "3.2"),
        (ask("numeric", "x", value=42), "42", "x"),
        (ask("choice", "B"), "(B)", "(A)"),
        (ask("choice", "no", choices=["yes", "no"]), "No.", "Yes."),
        (ask("not-contains", value="sorry"), "Sure!", "I am sorry"),
        (ask("not-is-json"), "hello", "{}"),
        (ask("not-numeric", value="13"), "14", "13"),
    ],
)
def test_each_scorer_tells_right_from_wrong(question: Question, right: str, wrong: str) -> None:
    validate_scorer(question.scorer, question.target)
    assert passed(question, right)
    assert not passed(question, wrong)


@pytest.mark.parametrize(
    ("scorer", "target", "field"),
    [
        (Scorer("vibes"), "x", "scorer"),
        (Scorer("javascript", {"value": "output"}), "x", "scorer"),
        (Scorer("not-vibes"), "x", "scorer"),
        (Scorer("not-llm-rubric", {"value": "x"}), "x", "scorer"),
        (Scorer("equals", {"threshold": 1}), "x", "scorer_options.threshold"),
        (Scorer("equals", {"value": ["x"]}), "x", "scorer_options.value"),
        (Scorer("equals", {"value": " "}), "x", "scorer_options.value"),
        (Scorer("equals", {"value": True}), "x", "scorer_options.value"),
        (Scorer("contains-any", {"value": []}), "x", "scorer_options.value"),
        (Scorer("contains-all", {"value": ["a", ""]}), "x", "scorer_options.value"),
        (Scorer("contains-all", {"value": {"a": 1}}), "x", "scorer_options.value"),
        (Scorer("not-contains"), "x", "scorer_options.value"),
        (Scorer("is-json", {"value": {"type": "object"}}), "x", "scorer_options.value"),
        (Scorer("regex", {"value": "("}), "x", "scorer_options.value"),
        (Scorer("regex", {"value": "(((a{1000}){1000}){1000})"}), "x", "scorer_options.value"),
        (Scorer("regex", {"value": "(" * 500 + ")" * 500}), "x", "scorer_options.value"),
        (Scorer("regex", {"value": "a" * 2000}), "x", "scorer_options.value"),
        (Scorer("levenshtein", {"threshold": -1}), "x", "scorer_options.threshold"),
        (Scorer("levenshtein", {"threshold": True}), "x", "scorer_options.threshold"),
        (Scorer("levenshtein", {"threshold": "2"}), "x", "scorer_options.threshold"),
        (Scorer("numeric"), "many", "target"),
        (Scorer("numeric"), "3 or 4", "target"),
        (Scorer("numeric", {"tolerance": float("nan")}), "3", "scorer_options.tolerance"),
        (Scorer("choice", {"choices": ["yes", "no"]}), "maybe", "target"),
        (Scorer("choice", {"choices": ["yes"]}), "yes", "scorer_options.choices"),
        (Scorer("choice", {"choices": ["yes", "Yes"]}), "yes", "scorer_options.choices"),
        (Scorer("llm-rubric", {"threshold": 2}), "x", "scorer_options.threshold"),
        (Scorer("llm-rubric", {"provider": "x"}), "x", "scorer_options.provider"),
        (Scorer("assert-set"), "x", "scorer_options.assert"),
        (Scorer("assert-set", {"assert": []}), "x", "scorer_options.assert"),
        (Scorer("assert-set", {"assert": ["equals"]}), "x", "scorer_options.assert"),
        (Scorer("assert-set", {"assert": [{"type": "vibes"}]}), "x", "scorer"),
        (Scorer("assert-set", {"assert": [{"type": "equals", "weight": 0}]}), "x", "scorer_options.assert"),
        (
            Scorer("assert-set", {"assert": [{"type": "equals"}], "threshold": 7}),
            "x",
            "scorer_options.threshold",
        ),
        (Scorer("assert-set", {"assert": [{"type": "assert-set"}]}), "x", "scorer_options.assert"),
        (Scorer("assert-set", {"assert": [{"type": "llm-rubric"}] * 2}), "x", "scorer_options.assert"),
    ],
)
def test_a_scorer_that_could_not_score_is_refused_by_field(scorer: Scorer, target: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate_scorer(scorer, target)
    assert refused.value.field == field
    assert refused.value.remedy
    outcome = score_answer(make_question(target=target, scorer=scorer), "x", judged=GOOD)
    assert isinstance(outcome, Unscored | Verdict)


def test_an_unknown_scorer_is_refused_with_the_names_of_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="'similar' is not a scorer") as refused:
        validate_scorer(Scorer("similar"), "x")
    assert all(name in refused.value.remedy for name in SCORER_NAMES)


def test_a_pattern_that_never_ends_is_not_a_wrong_answer() -> None:
    outcome = score_answer(ask("regex", value=r"(x+x+)+y"), "x" * 5000)
    assert isinstance(outcome, Unscored)
    assert outcome.kind is ErrorKind.SCORER_ERROR


@pytest.mark.parametrize("answer", ["[" * 100_000, '{"a":' * 100_000])
@pytest.mark.parametrize("name", ["is-json", "contains-json"])
def test_an_answer_nested_beyond_reading_gives_no_score_or_fails(name: str, answer: str) -> None:
    outcome = score_answer(ask(name), answer)
    assert not (isinstance(outcome, Verdict) and outcome.passed)


def test_many_false_starts_of_json_give_no_score() -> None:
    outcome = score_answer(ask("contains-json"), '{"a ' * 1000)
    assert isinstance(outcome, Unscored)


class TestAssertSet:
    def ask(self, *parts: dict[str, Any], **options: Any) -> Question:
        question = ask("assert-set", **{"assert": list(parts)}, **options)
        validate_scorer(question.scorer, question.target)
        return question

    def test_passes_only_if_every_part_passes(self) -> None:
        question = self.ask({"type": "contains", "value": "a"}, {"type": "contains", "value": "b"})
        assert score_answer(question, "ab") == Verdict(1.0, True, "all 2 parts pass")
        half = score_answer(question, "a")
        assert isinstance(half, Verdict)
        assert (half.score, half.passed) == (0.5, False)
        assert "contains 'b'" in half.reason

    def test_weighs_its_parts(self) -> None:
        question = self.ask(
            {"type": "contains", "value": "a", "weight": 3}, {"type": "contains", "value": "b"}
        )
        outcome = score_answer(question, "a")
        assert isinstance(outcome, Verdict)
        assert outcome.score == 0.75

    @pytest.mark.parametrize(("threshold", "passes"), [(0, True), (0.5, True), (0.51, False)])
    def test_passes_by_its_threshold_if_it_has_one(self, threshold: float, passes: bool) -> None:
        parts = {"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}
        outcome = score_answer(self.ask(*parts, threshold=threshold), "a")
        assert isinstance(outcome, Verdict)
        assert outcome.passed is passes

    def test_takes_the_judges_score_for_its_rubric(self) -> None:
        question = self.ask({"type": "contains", "value": "a"}, {"type": "llm-rubric", "value": "is polite"})
        assert question.scorer.asks_the_judge
        assert rubric(question) == "is polite"
        assert score_answer(question, "a", judged=GOOD) == Verdict(0.9, True, "all 2 parts pass")

    def test_is_unscored_if_a_part_is(self) -> None:
        question = self.ask({"type": "contains", "value": "a"}, {"type": "llm-rubric"})
        unread = Unscored(ErrorKind.JUDGE_UNPARSABLE, "no JSON")
        assert score_answer(question, "b", judged=unread) == unread


class TestRubric:
    def test_is_what_the_judge_said(self) -> None:
        unread = Unscored(ErrorKind.JUDGE_OFF_SCALE, "7")
        for judged in (GOOD, unread):
            assert score_answer(ask("llm-rubric"), "x", judged=judged) == judged

    def test_passes_only_from_its_threshold_on(self) -> None:
        outcome = score_answer(ask("llm-rubric", threshold=0.9), "x", judged=GOOD)
        assert outcome == Verdict(0.8, False, "mostly right")

    def test_cannot_be_scored_without_the_judge(self) -> None:
        with pytest.raises(ValueError, match="judge"):
            score_answer(ask("llm-rubric"), "x")

    def test_has_criteria_only_if_it_names_them(self) -> None:
        assert rubric(ask("llm-rubric")) is None
        assert rubric(ask("llm-rubric", value="is kind")) == "is kind"
        assert rubric(ask("equals", value="is kind")) is None


SOME_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
OPTIONS = st.dictionaries(
    st.sampled_from(["value", "threshold", "tolerance", "choices", "assert", "other"]), SOME_JSON, max_size=3
)
NAMES = st.sampled_from([*SCORER_NAMES, *(f"not-{name}" for name in SCORER_NAMES)])


@given(NAMES, OPTIONS, st.text(max_size=30), st.text(max_size=200))
@settings(deadline=None)
def test_what_was_accepted_scores_every_answer(
    name: str, options: dict[str, Any], target: str, answer: str
) -> None:
    question = make_question(target=target, scorer=Scorer(name, options))
    try:
        validate_scorer(question.scorer, target)
    except InvalidInput:
        return
    outcome: Outcome = score_answer(question, answer, judged=GOOD)
    if isinstance(outcome, Verdict):
        assert 0 <= outcome.score <= 1
    else:
        assert outcome.kind is ErrorKind.SCORER_ERROR


@given(
    st.sampled_from(["equals", "contains", "icontains", "starts-with", "levenshtein"]),
    st.text(min_size=1, max_size=50),
)
def test_the_target_itself_is_right(name: str, target: str) -> None:
    if target.strip():
        assert passed(ask(name, target), target)


@given(
    st.sampled_from(["equals", "contains", "icontains", "regex", "is-json", "levenshtein"]),
    st.text(max_size=30),
)
def test_not_turns_every_finding_around(name: str, answer: str) -> None:
    options = {} if name == "is-json" else {"value": "a"}
    plain, turned = ask(name, **options), ask(f"not-{name}", **options)
    assert passed(plain, answer) is not passed(turned, answer)


def edit_distance(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        row, above = [i], row
        for j, b in enumerate(right, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


@given(st.text("abc", max_size=12), st.text("abc", max_size=12), st.integers(0, 6))
def test_the_band_gives_the_same_distance_as_the_whole_table(left: str, right: str, most: int) -> None:
    assert is_within(left, right, most) is (edit_distance(left, right) <= most)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_json_document_is_json(document: Any) -> None:
    assert passed(ask("is-json"), json.dumps(document))
