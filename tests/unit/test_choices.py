"""Multiple choice: the last clear choice counts, and two choices are none."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.answers.choices import offered_choices, settled_choice

RECORDED = (
    Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gpt4o_repeat5_three_tasks.jsonl.gz"
)
CAPITALS = "Which is the capital of France?\n(A) London\n(B) Paris\n(C) Rome\n(D) Berlin"


def settled(
    answer: str, *, asked: str = CAPITALS, target: str = "B", named: tuple[str, ...] = ()
) -> str | None:
    return settled_choice(answer, offered_choices(asked, target, named))[0]


@pytest.mark.parametrize(
    "answer",
    [
        "B",
        "b",
        "(B)",
        "B.",
        "**B**",
        "'B'",
        "Answer: B",
        "Answer - B",
        "The answer is (B).",
        "the answer is b",
        "The answer is 'B'.",
        "Final answer: **(B) Paris**",
        r"\boxed{B}",
        r"$\boxed{\text{B}}$",
        "(B) Paris",
        "**B. Paris**",
        "Paris",
        "The capital is Paris.",
        "The best choice would be Paris",
        "I choose Paris.",
        "I'd go with B.",
        "Option B",
        "## Answer\nB",
        "The answer is:\n\n**B) Paris**",
        "B) Paris\n\nLondon is in England.",
        "B is correct because A is London",
        "Option B is correct. Option A is wrong.",
        "The correct answer is B, not option A",
        "The answer is A. Wait, no. The answer is B.",
        "It isn't (A). (C) is Italian. So the answer is (B)",
        "(A) is in England.\n(C) is in Italy.\nOnly (B) remains.",
        "London is in England, Rome in Italy. So Paris.",
        "Answer: B\n\nExplanation: (A) London is in England",
        "A) London\nB) Paris\nAnswer: B",
        '{"Answer":"B"}',
        "(A) it is. On reflection, the answer is actually (B).",
    ],
)
def test_a_clear_choice_is_read_however_it_is_written(answer: str) -> None:
    assert settled(answer) == "B"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I don't know",
        "A capital is a city.",
        "the answer is a city",
        "A or B",
        "Both A and B",
        "The answer is A or B.",
        "Answer: A, B",
        "(A) London\n(B) Paris\n(C) Rome\n(D) Berlin",
        "(A) is in England, (C) is in Italy; therefore (B)",
        "It is neither (A) nor (C), it is (B).",
        "(A) and (C) are no cities.\nIt cannot be (A).",
    ],
)
def test_no_choice_or_several_are_none(answer: str) -> None:
    assert settled(answer) is None


@pytest.mark.parametrize("target", ["B", "b", "(B)", "B.", "(B) Paris", "Paris", "paris"])
def test_the_target_may_be_letter_or_text(target: str) -> None:
    offer = offered_choices(CAPITALS, target, ())
    assert offer.key(target) == "B"
    assert settled_choice(target, offer)[0] == "B"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes", "yes"),
        ("Yes, there is no doubt about it", "yes"),
        ("Yes. There is no doubt.", "yes"),
        ("**No.**", "no"),
        ("The answer is no.", "no"),
        ("Yes or no? I say no.", "no"),
        ("It is known that no such thing exists, so the answer is yes", "yes"),
        ("yes and no", None),
        ("maybe", None),
        ("Not in the yesterday sense", None),
    ],
)
def test_choices_without_letters_are_named_by_their_text(answer: str, expected: str | None) -> None:
    assert settled(answer, asked="Is it so?", target="yes", named=("yes", "no")) == expected


def test_choices_may_be_signs() -> None:
    assert settled("The sign is <.", asked="Which sign?", target="<", named=("<", ">")) == "<"
    assert settled("The sign is >.", asked="Which sign?", target="<", named=("<", ">")) == ">"


def test_letters_need_no_list_in_the_question() -> None:
    assert settled("I pick (C).", asked="Which figure is next?", target="C") == "C"


def test_a_text_without_known_choices_is_looked_for_alone() -> None:
    assert settled("It is valid.", asked="Is the syllogism valid or invalid?", target="valid") == "valid"
    assert settled("It is invalid.", asked="Is the syllogism valid or invalid?", target="valid") is None


@given(st.text(), st.sampled_from([("yes", "no"), ("A", "B", "C"), ()]))
def test_no_answer_makes_it_fail(answer: str, named: tuple[str, ...]) -> None:
    key, how = settled_choice(answer, offered_choices(CAPITALS, named[0] if named else "B", named))
    assert (key is None) == (not how.startswith("chose"))


@given(st.text(max_size=80), st.sampled_from("ABCD"))
def test_the_last_announced_choice_wins_over_what_was_said_before(before: str, letter: str) -> None:
    assert settled(f"{before}\n\nThe answer is ({letter}).") == letter


def test_choices_agree_with_every_label_of_the_recorded_answers() -> None:
    if not RECORDED.exists():
        pytest.skip(f"no recorded answers beside the checkout ({RECORDED.name})")
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    disagreements = []
    for row in rows:
        offer = offered_choices(row["question"], row["reference"], ())
        is_right = settled_choice(row["response"], offer)[0] == offer.key(row["reference"])
        if is_right != row["correct"]:
            disagreements.append((row["question_id"], row["response"][-80:]))
    assert rows
    assert disagreements == []
