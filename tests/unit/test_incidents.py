"""Monitors and incidents: what each signal does in each state, and when people are told."""

import pytest

from shared.domain.drift.detections import Subject
from shared.domain.telling.incidents import TRANSITIONS, EventKind, Monitor, MonitorState, Move, Signal, move

OK, WATCH, ALERT, NO_DATA, PAUSED = MonitorState
# The state after a signal, in the order of the signals' definition.
TABLE = {
    OK: (OK, WATCH, ALERT, NO_DATA, OK, OK, OK, PAUSED, OK),
    WATCH: (OK, WATCH, ALERT, NO_DATA, OK, OK, OK, PAUSED, WATCH),
    ALERT: (ALERT, ALERT, ALERT, ALERT, OK, OK, OK, PAUSED, ALERT),
    NO_DATA: (OK, WATCH, ALERT, NO_DATA, OK, OK, OK, PAUSED, NO_DATA),
    PAUSED: (PAUSED, PAUSED, PAUSED, PAUSED, PAUSED, PAUSED, PAUSED, PAUSED, OK),
}


def watched(state: MonitorState, *, is_open: bool = False) -> Monitor:
    return Monitor(Subject.MODEL, "dim", state, has_open_incident=is_open)


def live(*signals: Signal, reminders: int | None = None) -> list[Move]:
    """What a series of signals does, incidents come and go on the way. `reminders`: at which one is due."""
    monitor, moves = watched(OK), []
    for number, signal in enumerate(signals):
        done = move(monitor, signal, needs_reminder=number == reminders)
        is_open = monitor.has_open_incident
        if done.event is EventKind.OPENED:
            is_open = True
        elif done.event in (EventKind.RECOVERED, EventKind.OUTAGE_OVER) or signal is Signal.CLOSED:
            is_open = False
        monitor = watched(done.after, is_open=is_open)
        moves.append(done)
    return moves


@pytest.mark.parametrize("state", MonitorState)
@pytest.mark.parametrize(("column", "signal"), list(enumerate(Signal)))
def test_each_signal_moves_each_state_as_the_table_says(
    state: MonitorState, column: int, signal: Signal
) -> None:
    assert TRANSITIONS[state][signal] is TABLE[state][column]
    assert move(watched(state), signal).before is state


def test_every_state_answers_every_signal() -> None:
    assert {state: set(row) for state, row in TRANSITIONS.items()} == {
        state: set(Signal) for state in MonitorState
    }


def test_an_alert_is_told_at_its_edges_alone() -> None:
    told = live(
        Signal.WATCHED,
        Signal.ALARM,
        Signal.QUIET,
        Signal.WATCHED,
        Signal.QUIET,
        Signal.RECOVERED,
        Signal.QUIET,
    )
    assert [one.event for one in told] == [
        None, EventKind.OPENED, None, None, None, EventKind.RECOVERED, None,
    ]  # fmt: skip


def test_what_is_asked_no_more_ends_its_incident_and_no_other() -> None:
    told = move(watched(ALERT, is_open=True), Signal.LEFT)
    assert (told.after, told.event) == (OK, EventKind.LEFT)
    assert move(watched(WATCH), Signal.LEFT).event is None


def test_another_alarm_joins_what_is_open() -> None:
    assert [one.event for one in live(Signal.ALARM, Signal.ALARM)] == [EventKind.OPENED, EventKind.JOINED]


def test_a_lack_of_data_is_told_once_and_ends_by_itself() -> None:
    told = live(Signal.UNMEASURED, Signal.UNMEASURED, Signal.QUIET, Signal.QUIET)
    assert [one.event for one in told] == [EventKind.OPENED, None, EventKind.OUTAGE_OVER, None]
    assert [one.after for one in told] == [NO_DATA, NO_DATA, OK, OK]


def test_an_alarm_after_a_lack_of_data_is_the_same_incident() -> None:
    told = live(Signal.UNMEASURED, Signal.ALARM, Signal.QUIET, Signal.RECOVERED)
    assert [one.event for one in told] == [EventKind.OPENED, EventKind.JOINED, None, EventKind.RECOVERED]


def test_a_lack_of_data_does_not_end_an_alert() -> None:
    told = live(Signal.ALARM, Signal.UNMEASURED, Signal.QUIET)
    assert [one.after for one in told] == [ALERT, ALERT, ALERT]
    assert [one.event for one in told] == [EventKind.OPENED, None, None]


def test_what_lasts_is_reminded_of_when_a_reminder_is_due() -> None:
    told = live(Signal.ALARM, Signal.QUIET, Signal.QUIET, Signal.QUIET, reminders=2)
    assert [one.event for one in told] == [EventKind.OPENED, None, EventKind.REMINDED, None]


def test_nobody_is_reminded_of_what_ends_tonight() -> None:
    told = live(Signal.UNMEASURED, Signal.QUIET, reminders=1)
    assert [one.event for one in told] == [EventKind.OPENED, EventKind.OUTAGE_OVER]


@pytest.mark.parametrize("signal", [Signal.QUIET, Signal.ALARM, Signal.UNMEASURED, Signal.RECOVERED])
def test_a_paused_monitor_says_nothing(signal: Signal) -> None:
    assert move(watched(PAUSED, is_open=True), signal, needs_reminder=True).event is None
    assert move(watched(PAUSED), signal).after is PAUSED


def test_resuming_goes_on_with_the_incident_that_is_open() -> None:
    told = live(Signal.ALARM, Signal.PAUSED, Signal.ALARM, Signal.RESUMED, Signal.RECOVERED)
    assert [one.after for one in told] == [ALERT, PAUSED, PAUSED, ALERT, OK]
    assert [one.event for one in told] == [EventKind.OPENED, None, None, None, EventKind.RECOVERED]


def test_what_a_person_closed_is_opened_again_by_an_alarm_and_by_nothing_less() -> None:
    told = live(Signal.ALARM, Signal.CLOSED, Signal.QUIET, Signal.WATCHED, Signal.ALARM)
    assert [one.event for one in told] == [EventKind.OPENED, None, None, None, EventKind.OPENED]


@pytest.mark.parametrize("state", [ALERT, NO_DATA])
@pytest.mark.parametrize("signal", [Signal.QUIET, Signal.WATCHED])
def test_a_quiet_entry_opens_nothing_whatever_was_before(state: MonitorState, signal: Signal) -> None:
    assert move(watched(state), signal).event is None


def test_an_outage_that_has_passed_is_told_as_one() -> None:
    done = move(watched(ALERT, is_open=True), Signal.RECOVERED, outage=True)
    assert (done.after, done.event) == (OK, EventKind.OUTAGE_OVER)
