"""Assistants and controls: how often they are right, and how they drift."""

from pathlib import Path
from statistics import fmean

import pytest

from services.simulator.config import SimulatorConfig
from services.simulator.fleet import Fleet
from services.simulator.wire import Completion
from tests.unit.simulated import QUESTIONS, make_fleet, reply_to, right_on, text_of


def test_a_model_is_right_as_often_as_its_skill_says() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"skill": 0.9, "noise": 0}, moth={"skill": 0.3, "noise": 0})
    assert fmean(right_on(fleet, "atlas", 1)) == pytest.approx(0.9, abs=0.03)
    assert fmean(right_on(fleet, "moth", 1)) == pytest.approx(0.3, abs=0.045)


def test_skill_can_differ_by_category() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"skill": {"default": 0.95, "math": 0.2}, "noise": 0})
    right = right_on(fleet, "atlas", 1)
    assert fmean(right[0::2]) == pytest.approx(0.2, abs=0.06)
    assert fmean(right[1::2]) == pytest.approx(0.95, abs=0.03)


def test_a_steady_model_is_wrong_on_the_same_questions_night_after_night() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"skill": 0.7, "steady": True, "noise": 0})
    first = right_on(fleet, "atlas", 1)
    assert right_on(fleet, "atlas", 2) == first
    assert fmean(first) == pytest.approx(0.7, abs=0.05)


def test_most_questions_of_any_model_go_as_they_went_the_night_before() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"skill": 0.8})
    one, other = right_on(fleet, "atlas", 1), right_on(fleet, "atlas", 2)
    # Two draws with one chance p differ with chance 2 p (1 - p): 0.192 in the mean, and noise adds some.
    assert fmean(a != b for a, b in zip(one, other, strict=True)) == pytest.approx(0.21, abs=0.04)


def test_noise_turns_over_that_share_of_answers() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"skill": 1, "noise": 0.1})
    assert fmean(right_on(fleet, "atlas", 1)) == pytest.approx(0.9, abs=0.03)


def test_night_noise_moves_a_whole_model_from_night_to_night() -> None:
    fleet = make_fleet(QUESTIONS[:200], atlas={"skill": 0.6, "steady": True, "noise": 0, "night_noise": 0.1})
    nightly = {fmean(right_on(fleet, "atlas", night, QUESTIONS[:200])) for night in range(1, 9)}
    assert max(nightly) - min(nightly) > 0.1


def test_a_drop_hits_only_its_share_of_questions_and_costs_its_points() -> None:
    drop = {"points": 0.1, "share": 0.3}
    fleet = make_fleet(
        QUESTIONS, atlas={"skill": 0.8, "steady": True, "noise": 0, "drift": [{"night": 5, "drop": drop}]}
    )
    before, after = right_on(fleet, "atlas", 4), right_on(fleet, "atlas", 5)
    lost = [b and not a for b, a in zip(before, after, strict=True)]
    assert fmean(lost) == pytest.approx(0.1, abs=0.03)
    assert not any(a and not b for b, a in zip(before, after, strict=True))


def test_a_drop_of_points_lowers_the_chances_by_those_points() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"skill": 0.8, "noise": 0, "drop": {"points": 0.1, "share": 0.3}})
    assert fmean(right_on(fleet, "atlas", 1)) == pytest.approx(0.7, abs=0.045)


def test_a_drop_in_one_category_leaves_the_others_alone() -> None:
    drop = {"points": 0.5, "category": "math"}
    fleet = make_fleet(
        QUESTIONS,
        atlas={"skill": 0.9, "noise": 0, "drift": [{"night": 2, "drop": drop}]},
        twin={"like": "atlas"},
    )
    before, after = right_on(fleet, "atlas", 1), right_on(fleet, "atlas", 2)
    assert fmean(before[0::2]) - fmean(after[0::2]) == pytest.approx(0.5, abs=0.07)
    assert fmean(after[1::2]) == pytest.approx(0.9, abs=0.04)


def test_decay_wears_a_model_out_night_by_night() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"skill": 0.9, "noise": 0, "steady": True, "decay": 0.01})
    assert fmean(right_on(fleet, "atlas", 41)) == pytest.approx(0.5, abs=0.05)


def test_a_swapped_model_gives_the_answers_of_the_other() -> None:
    fleet = make_fleet(
        QUESTIONS[:200], atlas={"skill": 0.9, "drift": [{"night": 3, "like": "moth"}]}, moth={"skill": 0.3}
    )
    fleet.calendar.set(3)
    for question in QUESTIONS[:100]:
        one = reply_to(fleet, "atlas", question.input)
        other = reply_to(fleet, "moth", question.input)
        assert isinstance(one, Completion)
        assert isinstance(other, Completion)
        assert (one.text, one.served_model) == (other.text, "atlas")


def test_answers_do_not_depend_on_the_order_of_questions() -> None:
    forwards, backwards = make_fleet(QUESTIONS[:200], atlas={}), make_fleet(QUESTIONS[:200], atlas={})
    one = {q.id: text_of(forwards, "atlas", q.input) for q in QUESTIONS[:200]}
    other = {q.id: text_of(backwards, "atlas", q.input) for q in reversed(QUESTIONS[:200])}
    assert one == other


def test_asking_again_draws_again_and_the_next_night_begins_anew() -> None:
    fleet, fresh = (
        make_fleet(QUESTIONS[:200], atlas={"noise": 0.5}),
        make_fleet(QUESTIONS[:200], atlas={"noise": 0.5}),
    )
    first, second = (right_on(fleet, "atlas", 1, QUESTIONS[:100]) for _ in range(2))
    assert first != second
    assert right_on(fleet, "atlas", 2, QUESTIONS[:100]) == right_on(fresh, "atlas", 2, QUESTIONS[:100])


def test_another_seed_makes_another_model() -> None:
    one = make_fleet(QUESTIONS, atlas={})
    other = Fleet(SimulatorConfig.model_validate({"seed": 6, "models": {"atlas": {}}}), Path(), QUESTIONS)
    assert right_on(one, "atlas", 1) != right_on(other, "atlas", 1)


def test_a_prompt_around_a_question_changes_nothing() -> None:
    fleet = make_fleet(atlas={"skill": 1, "noise": 0}, control={"kind": "control"})
    wrapped = f"You are careful.\n\n{QUESTIONS[7].input}\n\nAnswer with a number."
    assert QUESTIONS[7].target in text_of(fleet, "atlas", wrapped)
    assert text_of(fleet, "control", wrapped) == QUESTIONS[7].target


def test_what_no_suite_knows_is_answered_and_counted() -> None:
    fleet = make_fleet(atlas={})
    assert text_of(fleet, "atlas", "ping") == text_of(fleet, "atlas", "ping")
    assert fleet.traffic["atlas"].counts.unknown_inputs == 2


def test_a_control_replies_the_same_on_every_night() -> None:
    fleet = make_fleet(control={"kind": "control"})
    replies = set()
    for night in (1, 2, 300):
        fleet.calendar.set(night)
        replies |= {text_of(fleet, "control", QUESTIONS[0].input), text_of(fleet, "control", "unknown")}
    assert len(replies) == 2


def test_a_digesting_control_notices_every_change_of_the_prompt() -> None:
    fleet = make_fleet(control={"kind": "control", "reply": "digest"})
    one = text_of(fleet, "control", QUESTIONS[0].input)
    assert text_of(fleet, "control", QUESTIONS[0].input) == one
    assert text_of(fleet, "control", QUESTIONS[0].input + " ") != one
