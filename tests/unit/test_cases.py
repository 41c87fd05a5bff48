"""An open incident from entry to entry: what is examined anew, and what people are told."""

import pytest

from shared.domain.causes.controls import ControlFinding
from shared.domain.causes.ledger import Terms
from shared.domain.drift.detections import Dated, Detection, Outcome, Subject
from shared.domain.telling.cases import (
    Case,
    Evidence,
    Task,
    changes_around,
    find_alarm,
    follow,
    harness_around,
    span,
)
from shared.domain.telling.incidents import EventKind, MonitorState, Move

OK, ALERT, NO_DATA = MonitorState.OK, MonitorState.ALERT, MonitorState.NO_DATA
CASE = Case("accuracy", ("accuracy",))
SILENCE = Case("coverage", ("coverage",))


def make_move(after: MonitorState, event: EventKind | None, model: str = "dim") -> Move:
    return Move(Subject.MODEL, model, OK, after, event)


def make_detection(stream: str, outcome: Outcome = Outcome.ALARM, log_worse: float = 10.0) -> Detection:
    return Detection(
        9, Subject.MODEL, "dim", stream, outcome, 3.0, 3.1, 1.0, log_worse, -1.0, 2.0, 8.0, Dated(7, 6, 12)
    )


TONIGHT = [make_detection("weighted"), make_detection("accuracy", log_worse=12.0)]


@pytest.mark.parametrize(
    ("move", "case", "task"),
    [
        (
            make_move(ALERT, EventKind.OPENED),
            None,
            Task(EventKind.OPENED, Evidence.TONIGHT, ("weighted", "accuracy")),
        ),
        (make_move(NO_DATA, EventKind.OPENED), None, Task(EventKind.OPENED, Evidence.NONE)),
        (
            make_move(ALERT, EventKind.JOINED),
            CASE,
            Task(EventKind.JOINED, Evidence.FORMER, ("accuracy", "weighted"), ("weighted",)),
        ),
        (
            make_move(ALERT, EventKind.JOINED),
            Case("accuracy", ("accuracy", "weighted")),
            Task(None, Evidence.FORMER, ("accuracy", "weighted")),
        ),
        (
            make_move(ALERT, EventKind.JOINED),
            SILENCE,
            Task(EventKind.JOINED, Evidence.TONIGHT, ("weighted", "accuracy"), ("weighted", "accuracy")),
        ),
        (
            make_move(OK, EventKind.RECOVERED),
            CASE,
            Task(EventKind.RECOVERED, Evidence.NONE, ("accuracy", "weighted")),
        ),
        (make_move(ALERT, None), CASE, Task(None, Evidence.FORMER, ("accuracy", "weighted"))),
        (make_move(OK, None), None, None),
    ],
)
def test_a_move_tells_what_is_to_be_done(move: Move, case: Case | None, task: Task | None) -> None:
    assert follow(move, TONIGHT, case) == task


def test_the_alarm_farthest_beyond_its_threshold_leads() -> None:
    assert find_alarm(make_move(ALERT, EventKind.OPENED), TONIGHT) == TONIGHT[1]
    assert find_alarm(make_move(ALERT, EventKind.OPENED, model="bright"), TONIGHT) is None


def test_a_change_lies_between_two_entries_of_those_there_are() -> None:
    assert span(TONIGHT[0], 9) == (6, 9)
    assert span(None, 9) == (9, 9)


def test_only_controls_that_moved_around_the_change_are_its_cause() -> None:
    moved, still = {"echo": ControlFinding(9, ("q-1",))}, {"echo": ControlFinding(9, ())}
    harness, beside = harness_around({6: still, 7: moved, 9: moved}, (6, 8))
    assert harness.startswith("The harness moved")
    assert len(beside) == 1
    assert harness_around({9: moved}, (6, 8))[0] == ""


def test_what_the_user_changed_is_told_from_the_entry_before_the_change_on() -> None:
    terms = [make_terms(), make_terms(), make_terms(temperature=1), make_terms(temperature=1)]
    assert "temperature" in changes_around(terms, (3, 3)).causes[0]
    assert changes_around(terms, (4, 4)).causes == ()
    assert changes_around(terms, (4, 4)).unchanged == "Nothing on your side changed."


def make_terms(temperature: int = 0) -> Terms:
    return Terms(
        suite="golden", suite_version=1, questions={}, asks_judge=False, judge=None,
        parameters={"temperature": temperature}, prompt=None, repeats=1, sample=None, client_versions={},
        git_commit=None, labels={},
    )  # fmt: skip
