"""What changed on the user's side between two entries, and which changes begin a new epoch."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.causes.ledger import (
    Change,
    ChangeKind,
    JudgeTerms,
    QuestionTerms,
    Terms,
    changes_between,
    comparability,
    epochs,
    tell,
    unknown_between,
)

FIRST = JudgeTerms("sim-judge", 1, "a" * 64)
SECOND = JudgeTerms("sim-judge", 2, "b" * 64)


def question(number: int, **changed: object) -> QuestionTerms:
    terms = QuestionTerms(f"unit-{number}", "math", None, f"in {number}", f"out {number}", {"name": "equals"})
    return replace(terms, **changed)  # type: ignore[arg-type]


def questions(*numbers: int) -> Mapping[str, QuestionTerms]:
    return {f"q-{number}": question(number) for number in numbers}


TERMS = Terms(
    suite="golden",
    suite_version=1,
    questions=questions(1, 2, 3),
    asks_judge=True,
    judge=FIRST,
    parameters={"temperature": 0, "max_tokens": 256},
    prompt=None,
    repeats=1,
    sample=None,
    client_versions={"litellm": "1.106.2", "driftwarden": "0.1.0"},
    git_commit="1a2b3c4d5e6f7a8b9c0d",
    labels={},
)
IMPORTED = replace(TERMS, judge=None, parameters=None, client_versions={}, git_commit=None, is_imported=True)


def only_change(after: Terms, before: Terms = TERMS) -> Change:
    (change,) = changes_between(before, after)
    return change


@pytest.mark.parametrize(
    ("changed", "kind", "is_breaking", "headline"),
    [
        ({"judge": SECOND}, "judge", True, "You changed the judge: sim-judge version 1 -> 2."),
        (
            {"judge": JudgeTerms("strict", 1, "c" * 64)},
            "judge",
            True,
            "You changed the judge: sim-judge version 1 -> strict version 1.",
        ),
        (
            {"parameters": {"temperature": 0.7, "max_tokens": 256, "top_p": 0.9}},
            "parameters",
            True,
            "You changed the parameters: temperature 0 -> 0.7, top_p unset -> 0.9.",
        ),
        ({"prompt": "support 2"}, "prompt", True, "You changed the prompt: none -> support 2."),
        ({"repeats": 3}, "repeats", False, "You changed how often each question is asked: 1 -> 3."),
        ({"sample": 50}, "sample", False, "You changed how many of the questions are asked: all -> 50."),
        (
            {"client_versions": {"litellm": "1.106.3", "driftwarden": "0.1.0"}},
            "client",
            False,
            "The client changed, a possible cause: LiteLLM 1.106.2 -> 1.106.3.",
        ),
        (
            {"git_commit": "5d6e7f8a9b0c1d2e3f4a"},
            "git_commit",
            False,
            "Your code changed: commit 1a2b3c4d5e6f -> 5d6e7f8a9b0c.",
        ),
        ({"labels": {"release": "42"}}, "labels", False, "You changed the labels: release unset -> 42."),
        (
            {"suite_version": 2, "questions": questions(1, 3, 4, 5)},
            "suite_questions",
            False,
            "You changed the questions of golden (version 1 -> 2): 2 questions added, 1 question dropped.",
        ),
        (
            {"suite": "gold", "questions": questions(4)},
            "suite_questions",
            False,
            "You changed the suite from golden to gold: 1 question added, 3 questions dropped.",
        ),
    ],
)
def test_a_change_is_told_in_a_sentence(
    changed: dict[str, object], kind: str, is_breaking: bool, headline: str
) -> None:
    after = replace(TERMS, **changed)  # type: ignore[arg-type]
    change = only_change(after)
    assert (change.kind, change.is_breaking, change.headline) == (kind, is_breaking, headline)
    assert tell([change]) == headline


@pytest.mark.parametrize(
    ("changed", "kind", "headline"),
    [
        ({"scorer": {"name": "icontains"}}, ChangeKind.SCORER, "You changed the scorer of 1 question: q-2."),
        ({"target": "5"}, ChangeKind.TARGET, "You changed the target of 1 question: q-2."),
        ({"input": "2 + 2?", "target": "4"}, ChangeKind.QUESTION_TEXT, "You rewrote 1 question: q-2."),
        (
            {"cluster": "c"},
            ChangeKind.GROUPING,
            "You changed the category or cluster of 1 question: q-2.",
        ),
    ],
)
def test_an_edited_question_is_told_by_what_was_edited(
    changed: dict[str, object], kind: ChangeKind, headline: str
) -> None:
    edited = {**TERMS.questions, "q-2": question(2, unit="another", **changed)}
    change = only_change(replace(TERMS, questions=edited))
    assert (change.kind, change.is_breaking, change.headline) == (kind, False, headline)
    assert change.detail == {"questions": ["q-2"]}


def test_many_questions_are_counted_and_a_few_named() -> None:
    before = replace(TERMS, questions=questions(*range(1, 13)))
    after = replace(
        before, questions={k: replace(q, scorer={"name": "x"}) for k, q in before.questions.items()}
    )
    expected = "You changed the scorer of 12 questions: q-1, q-2, q-3, q-4, q-5 and 7 more."
    assert only_change(after, before).headline == expected


def test_a_question_under_another_key_is_the_same_question() -> None:
    renamed = {"sum": question(1), **questions(2, 3)}
    assert changes_between(TERMS, replace(TERMS, questions=renamed)) == ()


def test_nothing_changed_is_said_aloud() -> None:
    assert tell(changes_between(TERMS, TERMS)) == "Nothing on your side changed."


def test_what_breaks_the_series_is_told_first() -> None:
    after = replace(TERMS, repeats=2, judge=SECOND)
    assert tell(changes_between(TERMS, after)) == (
        "You changed the judge: sim-judge version 1 -> 2. "
        "You changed how often each question is asked: 1 -> 2."
    )


@pytest.mark.parametrize("pair", [(IMPORTED, TERMS), (TERMS, IMPORTED), (IMPORTED, IMPORTED)])
def test_what_imports_do_not_tell_differs_from_nothing(pair: tuple[Terms, Terms]) -> None:
    before, after = pair
    bare = {"q-1": replace(question(1), input=None, target=None, scorer=None), **questions(2, 3)}
    after = replace(after, questions=bare, sample=20, repeats=4, labels={"source": "file"}, prompt="p 1")
    before = replace(before, is_imported=True)
    assert changes_between(before, after) == ()
    assert unknown_between(before, after) == ("judge", "parameters")
    assert tell((), unknown_between(before, after)) == (
        "Nothing on your side is known to have changed; "
        "imported results do not tell their judge and parameters."
    )


def test_a_judge_that_nobody_asks_does_not_matter() -> None:
    before, after = replace(TERMS, asks_judge=False), replace(TERMS, asks_judge=False, judge=SECOND)
    assert changes_between(before, after) == ()
    assert comparability(before) == comparability(after)


def test_a_judge_of_another_name_and_the_same_content_is_no_change() -> None:
    renamed = replace(TERMS, judge=replace(FIRST, name="renamed", version=7))
    assert changes_between(TERMS, renamed) == ()
    assert comparability(TERMS) == comparability(renamed)


@pytest.mark.parametrize(
    "changed",
    [
        {"suite_version": 2, "questions": questions(9)},
        {"client_versions": {"litellm": "2"}},
        {"repeats": 5},
        {"sample": 5},
        {"git_commit": None},
        {"labels": {"a": "b"}},
    ],
)
def test_suite_and_client_versions_keep_the_epoch(changed: dict[str, object]) -> None:
    after = replace(TERMS, **changed)  # type: ignore[arg-type]
    assert comparability(after) == comparability(TERMS)
    assert len(set(epochs([TERMS, after]))) == 1


@pytest.mark.parametrize("changed", [{"judge": SECOND}, {"parameters": {}}, {"prompt": "support 1"}])
def test_judge_parameters_and_prompt_begin_an_epoch(changed: dict[str, object]) -> None:
    after = replace(TERMS, **changed)  # type: ignore[arg-type]
    assert comparability(after) != comparability(TERMS)
    assert epochs([TERMS, after, after, TERMS]) == [
        comparability(TERMS),
        comparability(after),
        comparability(after),
        comparability(TERMS),
    ]


def test_imported_history_continues_into_the_first_nights() -> None:
    prompted = replace(TERMS, prompt="support 1")
    first, *rest = epochs([IMPORTED, IMPORTED, prompted, prompted])
    assert rest == [first] * 3


def test_entries_that_do_not_know_hide_no_change() -> None:
    unjudged = replace(TERMS, asks_judge=False, judge=None)
    for between in (IMPORTED, unjudged):
        before, hidden, after = epochs([TERMS, between, replace(TERMS, judge=SECOND)])
        assert before == hidden != after


def test_an_epoch_knows_nothing_of_the_one_before() -> None:
    unjudged = replace(TERMS, asks_judge=False, judge=None, parameters={})
    judged_anew = replace(TERMS, judge=SECOND, parameters={})
    first, second, third = epochs([TERMS, unjudged, judged_anew])
    assert first != second == third


def test_the_first_judged_question_breaks_nothing() -> None:
    unjudged = replace(TERMS, asks_judge=False, judge=None)
    before, after = epochs([unjudged, TERMS])
    assert before == after


SOME_TERMS = st.builds(
    lambda judge, temperature, is_imported: replace(
        IMPORTED if is_imported else TERMS, judge=judge, parameters=temperature
    ),
    st.sampled_from([None, FIRST, SECOND]),
    st.sampled_from([None, {"temperature": 0}, {"temperature": 1}]),
    st.booleans(),
)


@given(st.lists(SOME_TERMS, max_size=8))
def test_an_epoch_begins_where_a_breaking_change_is_told(sequence: list[Terms]) -> None:
    labels = epochs(sequence)
    assert epochs(sequence[: len(sequence) // 2]) == labels[: len(sequence) // 2]
    for place in range(1, len(sequence)):
        if any(change.is_breaking for change in changes_between(*sequence[place - 1 : place + 1])):
            assert labels[place] != labels[place - 1]
