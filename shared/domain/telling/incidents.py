"""Incidents: where a watched thing stands, what moves it, and what people are told of.

There is at most one open incident for each thing that a schedule watches: what happens meanwhile joins it.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.drift.detections import Subject


class MonitorState(StrEnum):
    OK = "ok"
    WATCH = "watch"
    ALERT = "alert"
    NO_DATA = "no_data"
    PAUSED = "paused"


class Signal(StrEnum):
    """What an entry, or a person, says to a monitor. UNMEASURED: too little was measured to tell; LEFT: the
    night did not ask it any more.
    """

    QUIET = "quiet"
    WATCHED = "watched"
    ALARM = "alarm"
    UNMEASURED = "unmeasured"
    RECOVERED = "recovered"
    LEFT = "left"
    CLOSED = "closed"
    PAUSED = "paused"
    RESUMED = "resumed"


class EventKind(StrEnum):
    OPENED = "opened"
    JOINED = "joined"
    REMINDED = "reminded"
    RECOVERED = "recovered"
    OUTAGE_OVER = "outage_over"
    LEFT = "left"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"
    BASELINE_ACCEPTED = "baseline_accepted"


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Act(StrEnum):
    """What a person does about an incident."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    DISMISS = "dismiss"
    ACCEPT_BASELINE = "accept-baseline"


ENDED_BY_ITSELF = frozenset({EventKind.RECOVERED, EventKind.OUTAGE_OVER, EventKind.LEFT})
CLOSING_EVENT = {
    Act.RESOLVE: EventKind.RESOLVED,
    Act.DISMISS: EventKind.DISMISSED,
    Act.ACCEPT_BASELINE: EventKind.BASELINE_ACCEPTED,
}

_OK, _WATCH, _ALERT, _NO_DATA, _PAUSED = MonitorState
TRANSITIONS: dict[MonitorState, dict[Signal, MonitorState]] = {
    _OK: {
        Signal.QUIET: _OK, Signal.WATCHED: _WATCH, Signal.ALARM: _ALERT, Signal.UNMEASURED: _NO_DATA,
        Signal.RECOVERED: _OK, Signal.LEFT: _OK, Signal.CLOSED: _OK,
        Signal.PAUSED: _PAUSED, Signal.RESUMED: _OK,
    },
    _WATCH: {
        Signal.QUIET: _OK, Signal.WATCHED: _WATCH, Signal.ALARM: _ALERT, Signal.UNMEASURED: _NO_DATA,
        Signal.RECOVERED: _OK, Signal.LEFT: _OK, Signal.CLOSED: _OK,
        Signal.PAUSED: _PAUSED, Signal.RESUMED: _WATCH,
    },
    # An alert outlasts quiet nights: the detector has had its say, and only recovery or a person ends it.
    _ALERT: {
        Signal.QUIET: _ALERT, Signal.WATCHED: _ALERT, Signal.ALARM: _ALERT, Signal.UNMEASURED: _ALERT,
        Signal.RECOVERED: _OK, Signal.LEFT: _OK, Signal.CLOSED: _OK,
        Signal.PAUSED: _PAUSED, Signal.RESUMED: _ALERT,
    },
    # Data that are back and quiet end the lack of them.
    _NO_DATA: {
        Signal.QUIET: _OK, Signal.WATCHED: _WATCH, Signal.ALARM: _ALERT, Signal.UNMEASURED: _NO_DATA,
        Signal.RECOVERED: _OK, Signal.LEFT: _OK, Signal.CLOSED: _OK,
        Signal.PAUSED: _PAUSED, Signal.RESUMED: _NO_DATA,
    },
    _PAUSED: dict.fromkeys(Signal, _PAUSED) | {Signal.RESUMED: _OK},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Monitor:
    """One watched thing of a schedule, and whether an incident about it is open."""

    subject: Subject
    model: str
    state: MonitorState = MonitorState.OK
    has_open_incident: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """What a signal does to a monitor: its next state, and what befalls the incident, if anything."""

    subject: Subject
    model: str
    before: MonitorState
    after: MonitorState
    event: EventKind | None


def move(monitor: Monitor, signal: Signal, *, needs_reminder: bool = False, outage: bool = False) -> Move:
    """Let a signal act. People are told at the edges: while an alert lasts, only when a reminder is due.

    `outage`: what recovers was an outage.
    """
    after = TRANSITIONS[monitor.state][signal]
    if signal is Signal.RESUMED and monitor.has_open_incident:
        after = _ALERT
    return Move(
        monitor.subject, monitor.model, monitor.state, after,
        _event(monitor, signal, after, needs_reminder=needs_reminder, outage=outage),
    )  # fmt: skip


def _event(
    monitor: Monitor, signal: Signal, after: MonitorState, *, needs_reminder: bool, outage: bool
) -> EventKind | None:
    if after is _PAUSED:
        return None
    if not monitor.has_open_incident:
        return EventKind.OPENED if signal in (Signal.ALARM, Signal.UNMEASURED) else None
    if signal is Signal.ALARM:
        return EventKind.JOINED
    if signal is Signal.LEFT:
        return EventKind.LEFT
    if after in (_OK, _WATCH) and signal in (Signal.QUIET, Signal.WATCHED, Signal.RECOVERED):
        is_outage = outage or monitor.state is _NO_DATA
        return EventKind.OUTAGE_OVER if is_outage else EventKind.RECOVERED
    return EventKind.REMINDED if needs_reminder and after in (_ALERT, _NO_DATA) else None
