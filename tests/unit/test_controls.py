"""Controls: compared byte for byte, unit by unit; and the one that ships, which no night changes."""

from pathlib import Path

import pytest

from services.simulator.config import read_config
from services.simulator.fleet import Fleet
from shared.domain.causes.controls import ControlAnswer, ControlFinding, compare_control, tell_control
from tests.unit.simulated import QUESTIONS, reply_to, text_of

CONTROL = Path(__file__).parents[2] / "deploy" / "control.yaml"
BEFORE = {f"unit-{number}": ControlAnswer(f"q-{number}", f"digest {number}") for number in range(1, 4)}


def test_one_other_byte_is_found() -> None:
    tonight = {**BEFORE, "unit-2": ControlAnswer("q-2", "another")}
    assert compare_control(BEFORE, tonight) == ControlFinding(3, ("q-2",))
    assert compare_control(tonight, BEFORE) == ControlFinding(3, ("q-2",))


def test_only_the_same_units_are_compared() -> None:
    edited = {"unit-9": ControlAnswer("q-1", "another"), "unit-2": ControlAnswer("renamed", "digest 2")}
    assert compare_control(BEFORE, edited) == ControlFinding(1, ())
    assert compare_control({}, BEFORE) == ControlFinding(0, ())


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        ({}, "No control is watched, so a change of the harness would look like one of the models."),
        (
            {"control": ControlFinding(0, ())},
            "No answer of the control could be compared, so whether the harness moved is not known.",
        ),
        (
            {"control": ControlFinding(50, ())},
            "The harness did not move: 50 answers of the control, the same byte for byte.",
        ),
        (
            {"control": ControlFinding(50, ("q-1", "q-2")), "other": ControlFinding(50, ())},
            "The harness moved: control answered 2 of 50 questions differently (q-1, q-2). "
            "Every verdict of this night may be its doing.",
        ),
        (
            {"echo": ControlFinding(50, tuple("abcdefg"))},
            "The harness moved: echo answered 7 of 50 questions differently "
            "(a, b, c, d, e and 2 more). Every verdict of this night may be its doing.",
        ),
    ],
)
def test_the_harness_is_told_in_sentences(findings: dict[str, ControlFinding], told: str) -> None:
    assert tell_control(findings) == told


def test_the_control_that_ships_answers_the_same_on_every_night() -> None:
    first, second = QUESTIONS[:2]
    replies = set()
    for night in (0, 1, 2, 31, 365):
        fleet = Fleet(read_config(CONTROL), CONTROL.parent)
        fleet.calendar.set(night)
        for _ in range(3):
            replies.add(str(reply_to(fleet, "control", first.input)))
        assert text_of(fleet, "control", first.input) != text_of(fleet, "control", second.input)
    assert len(replies) == 1
