"""What counts as a change of identity, and what is a provider that shares out its load."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.causes.identity import (
    Identity,
    IdentityChange,
    IdentityKind,
    Reported,
    changes_of_identity,
    follow,
    latest,
    tell_identity,
)

BEGIN = datetime(2026, 3, 1, 2, tzinfo=UTC)


def reported(value: str, answers: int = 50, begin: int = 0, end: int = 600) -> Reported:
    first, last = (BEGIN + timedelta(seconds=seconds) for seconds in (begin, end))
    return Reported(value, answers, first, last)


def served(*values: Reported | str) -> Identity:
    return Identity(tuple(reported(value) if isinstance(value, str) else value for value in values))


def marked(*values: Reported | str) -> Identity:
    return Identity(fingerprints=served(*values).served_models)


def says(text: str | None) -> Identity:
    return Identity(says_it_is=text)


def change(kind: str, before: str, after: str, *, is_mid_run: bool = False) -> IdentityChange:
    return IdentityChange(IdentityKind(kind), before, after, is_mid_run)


SWITCHED = (reported("old", 40, 0, 300), reported("new", 30, 300, 600))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (served("a"), served("b"), [change("served_model", "a", "b")]),
        (served("a"), served("a"), []),
        (served("a"), Identity(), []),
        (Identity(), served("a"), []),
        (served(reported("a", 95), reported("b", 5)), served("b"), [change("served_model", "a", "b")]),
        (served("a", "b"), served("b"), [change("served_model", "a", "b")]),
        (served("a", "b"), served("a"), [change("served_model", "b", "a")]),
        (marked("x"), marked("y"), [change("system_fingerprint", "x", "y")]),
        (marked("x"), Identity(), []),
        (
            says("I am ChatGPT, by OpenAI."),
            says("I am Claude."),
            [change("says_it_is", "GPT", "Claude")],
        ),
        (says("I am ChatGPT, by OpenAI."), says("OpenAI trained me as a language model."), []),
        (says("I am ChatGPT."), says(None), []),
        (says("I am ChatGPT."), says("I am here to help."), []),
    ],
)
def test_changes(before: Identity, after: Identity, expected: list[IdentityChange]) -> None:
    assert list(changes_of_identity(before, after)) == expected


def test_load_shared_over_two_models_is_no_change() -> None:
    before = served(reported("a", 55), reported("b", 45))
    after = served(reported("a", 45), reported("b", 55))
    assert changes_of_identity(before, after) == ()


def test_only_a_new_majority_is_a_change() -> None:
    more_of_the_same = (
        served(reported("a", 40), reported("b", 60)),
        served(reported("a", 5), reported("b", 95)),
    )
    most_of_three = served("a"), served(reported("a", 30), reported("b", 40), reported("c", 30))
    for before, after in (more_of_the_same, most_of_three):
        assert changes_of_identity(before, after) == ()


def test_fingerprints_that_overlap_are_no_change() -> None:
    assert changes_of_identity(marked("x", "y"), marked(reported("y", 1), "z")) == ()
    found = changes_of_identity(marked("x", "y"), marked("z", "w"))
    assert [one.kind for one in found] == [IdentityKind.SYSTEM_FINGERPRINT]


@pytest.mark.parametrize("identify", [served, marked])
def test_a_switch_in_mid_run_is_told_once_and_on_that_night(identify: Callable[..., Identity]) -> None:
    nights = [identify("old"), identify(*SWITCHED), identify("new"), identify("new")]
    first, second, third, fourth = follow(nights)
    assert first == third == fourth == ()
    assert [(one.before, one.after, one.is_mid_run) for one in second] == [("old", "new", True)]
    assert "in the middle of the run: old -> new." in tell_identity(second, nights[1])


@pytest.mark.parametrize(
    "shared",
    [
        (reported("a", 40, 0, 301), reported("b", 30, 300, 600)),  # they overlap
        (reported("a", 61, 0, 300), reported("b", 9, 301, 600)),  # too few to tell from chance
        (reported("a", 40, 0, 0), reported("b", 30, 0, 0)),  # all stored at one moment
    ],
)
def test_what_may_be_chance_is_no_switch(shared: tuple[Reported, ...]) -> None:
    assert latest(shared) == shared


def test_of_several_switches_the_last_one_counts() -> None:
    a, b, c = reported("a", 20, 0, 100), reported("b", 20, 100, 200), reported("c", 20, 200, 300)
    assert latest((c, a, b)) == (c,)
    assert {one.value for one in latest((a, reported("c", 20, 150, 300), b))} == {"b", "c"}


def test_a_night_that_says_nothing_hides_no_change() -> None:
    nights = [served("a"), Identity(), served("b"), served("b")]
    assert [len(found) for found in follow(nights)] == [0, 0, 1, 0]
    talk = [says("I am GPT-4."), says(None), says("I am an assistant."), says("I am Claude.")]
    assert [len(found) for found in follow(talk)] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (served("a"), served("b"), "The provider changed the model it serves: a -> b."),
        (marked("x"), marked("y"), "The provider's system fingerprint changed: x -> y."),
        (
            says("I'm GPT-4."),
            says("I'm Claude."),
            "Asked who it is, the model names another one: GPT -> Claude.",
        ),
        (served("a"), Identity(), "The provider reports nothing about which model answers."),
        (
            served("a"),
            Identity(served("a").served_models, marked("x", "y").fingerprints),
            "The provider reports no change (model a, fingerprint y, among others), "
            "which does not prove that there is none.",
        ),
    ],
)
def test_identity_is_told_in_sentences(before: Identity, after: Identity, told: str) -> None:
    assert tell_identity(changes_of_identity(before, after), after) == told
