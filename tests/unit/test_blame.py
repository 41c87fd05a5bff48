"""Who did it? What the questions, the anchors and the surroundings say, weighed."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import pytest

from shared.domain.causes.blame import Blame, Cause, Surroundings, accuse, blame, judge_shift
from shared.domain.drift.budget import Budget
from shared.domain.drift.fold import Decisions
from shared.domain.drift.history import History
from shared.domain.drift.sequence import Anchoring, Asked, Entry, Measured
from shared.domain.runs import RunId

QUESTIONS, NIGHTS, CHANGE = 100, 20, 11
STRATA = {n: "borderline" if n < 40 else "clear" for n in range(80)}


def make_entry(
    night: int, judged: float, checked: float, anchors: float | None, judge: str = "judge"
) -> Entry:
    """A night on which so many judged questions (the first half), checked ones and anchors pass."""
    chance = np.random.default_rng([5, night])
    passes = np.repeat([judged, checked], QUESTIONS // 2)
    score = (chance.random(QUESTIONS) < passes).astype(float)[None]
    ones, nothing = np.ones_like(score), np.full_like(score, np.nan)
    asked = tuple(
        Asked(
            f"q-{n}", f"q-{n}", "judged" if n < QUESTIONS // 2 else "checked", asks_judge=n < QUESTIONS // 2
        )
        for n in range(QUESTIONS)
    )
    said = None
    if anchors is not None:
        scores = (chance.random(len(STRATA)) < anchors).astype(float)
        said = Anchoring(judge, dict(enumerate(scores.tolist())), STRATA, 0.3)
    measured = Measured(score, ones, ones, nothing, nothing, nothing, nothing, nothing, np.ones(1))
    return Entry(
        RunId(UUID(int=night)), date(2026, 1, 1) + timedelta(days=night), None, Budget(1), ("dim",), asked,
        measured, said,
    )  # fmt: skip


def make_history(
    judged: float = 0.8, checked: float = 0.8, anchors: float | None = 0.8, *, has_anchors: bool = True
) -> History:
    """Ten nights at 0.8, then ten on which passes what is said here."""
    entries = tuple(
        make_entry(night, 0.8, 0.8, 0.8 if has_anchors else None)
        if night < CHANGE
        else make_entry(night, judged, checked, anchors if has_anchors else None)
        for night in range(1, NIGHTS + 1)
    )
    return History("dim", entries, (Decisions(),) * NIGHTS)


def accused(history: History, stream: str = "accuracy") -> Blame:
    return accuse(stream, history, CHANGE, 1.0)


@pytest.mark.parametrize(
    ("history", "cause"),
    [
        (make_history(judged=0.6, anchors=0.6), Cause.JUDGE),
        (make_history(judged=0.6, checked=0.6), Cause.MODEL),
        (make_history(judged=0.6), Cause.MODEL),
        (make_history(judged=0.3, checked=0.5, anchors=0.6), Cause.MIXED),
        (make_history(judged=0.6, checked=0.6, anchors=0.6), Cause.MIXED),
        (make_history(judged=0.6, has_anchors=False), Cause.UNDETERMINED),
        (make_history(judged=0.6, checked=0.6, has_anchors=False), Cause.MODEL),
    ],
)
def test_anchors_and_checked_questions_tell_judge_from_model(history: History, cause: Cause) -> None:
    assert accused(history).cause is cause


def test_a_category_that_no_judge_scores_cant_fall_by_the_judge() -> None:
    """Though the judge moved as well, and the judged questions fell farther."""
    history = make_history(judged=0.5, checked=0.6, anchors=0.5)
    assert accused(history, "category:checked").cause is Cause.MODEL
    assert accused(history, "category:judged").cause is Cause.JUDGE


def test_without_anchors_it_is_said_what_would_help() -> None:
    [told] = accused(make_history(judged=0.6, has_anchors=False)).because
    assert "driftwarden anchors create" in told


def test_the_shift_is_told_without_the_judges_part() -> None:
    found = accused(make_history(judged=0.6, anchors=0.6)).suspicion
    assert found is not None
    assert found.judge.value == pytest.approx(-0.2, abs=0.05)
    low, high = found.corrected.interval
    assert low < 0 < high


def test_only_what_the_newest_judge_said_of_the_anchors_counts() -> None:
    history = make_history(anchors=0.8)
    entries = [
        replace(one, anchors=replace(one.anchors, judge="former", scores=dict.fromkeys(STRATA, 0.0)))
        if number < 5 and one.anchors
        else one
        for number, one in enumerate(history.entries)
    ]
    shift = judge_shift(entries, CHANGE)
    assert shift is not None
    assert abs(shift.value) < 0.05


@pytest.mark.parametrize(
    ("around", "cause"),
    [
        (
            Surroundings(harness="The harness moved.", your_changes=("You changed the prompt.",)),
            Cause.HARNESS,
        ),
        (Surroundings(your_changes=("You changed the prompt.",)), Cause.YOU),
        (Surroundings(beside=("The client changed.",)), Cause.MODEL),
    ],
)
def test_a_harness_that_moved_goes_before_what_the_user_changed(around: Surroundings, cause: Cause) -> None:
    found = blame("accuracy", make_history(judged=0.6, checked=0.6), CHANGE, 1.0, around)
    assert found.cause is cause
    assert found.suspicion is not None, "the judge's part is told in any case"


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        ("refusal", Cause.MODEL),
        ("format_failure", Cause.MODEL),
        ("output_tokens", Cause.MODEL),
        ("provider_error", Cause.SERVICE),
        ("slow_calls", Cause.SERVICE),
        ("latency", Cause.SERVICE),
        ("cost", Cause.SERVICE),
    ],
)
def test_what_is_counted_beside_quality_has_its_own_culprits(stream: str, cause: Cause) -> None:
    around = Surroundings(errors="of 100 answers, 30 x timeout", unchanged="Nothing on your side changed.")
    found = blame(stream, make_history(), CHANGE, 1.0, around)
    assert found.cause is cause
    assert ("30 x timeout" in found.because[0]) is (stream == "provider_error")
    assert "Nothing on your side changed." in found.because
