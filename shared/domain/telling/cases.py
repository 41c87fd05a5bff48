"""An open incident from entry to entry: what is examined anew, and what people are told.

The shell fetches what is asked for and writes what comes out; a backtest keeps it in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from shared.domain.causes.blame import Surroundings
from shared.domain.causes.controls import ControlFinding, tell_control
from shared.domain.causes.ledger import ChangeKind, Terms, changes_between, tell, unknown_between
from shared.domain.drift.detections import Detection, Outcome, Subject
from shared.domain.drift.history import History
from shared.domain.drift.watch import leading
from shared.domain.telling.findings import (
    COVERAGE,
    Findings,
    explain,
    explain_harness,
    explain_judge,
    explain_silence,
)
from shared.domain.telling.incidents import ENDED_BY_ITSELF, EventKind, MonitorState, Move

# Told beside an alarm as something that may have to do with it, not as its cause.
_INCIDENTAL = (ChangeKind.CLIENT, ChangeKind.GIT_COMMIT, ChangeKind.LABELS, ChangeKind.SUITE_QUESTIONS)


@dataclass(frozen=True, slots=True)
class Case:
    """What an open incident is about: the stream that it leads with, and all that have alarmed."""

    stream: str
    streams: tuple[str, ...]


class Evidence(Enum):
    """By what an incident is explained: tonight's alarm, the one that it leads with, or nothing new."""

    TONIGHT = auto()
    FORMER = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Task:
    """What a move asks for. `event` is told to people; `streams` are all that have alarmed, `joined` the new
    ones among them.
    """

    event: EventKind | None
    evidence: Evidence
    streams: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()


def follow(move: Move, detections: Sequence[Detection], case: Case | None) -> Task | None:
    """What is to be done about a move, given tonight's detections and the incident that is open, if one is.

    None: nothing. One that was about a lack of data is examined anew by the first alarm that joins it; any
    other is known better with every entry. A stream that has alarmed before has had its say.
    """
    streams = _streams(move, detections, case)
    match move.event:
        case EventKind.OPENED if case is None and move.after is MonitorState.NO_DATA:
            return Task(move.event, Evidence.NONE)
        case EventKind.OPENED if case is None:
            return Task(move.event, Evidence.TONIGHT, streams)
        case _ if case is None:
            return None
        case event if event in ENDED_BY_ITSELF:
            return Task(move.event, Evidence.NONE, streams)
        case EventKind.JOINED:
            joined = tuple(name for name in streams if name not in case.streams)
            evidence = Evidence.TONIGHT if case.stream == COVERAGE else Evidence.FORMER
            return Task(move.event if joined else None, evidence, streams, joined)
        case _:
            return Task(move.event, Evidence.FORMER, streams)


def find_alarm(move: Move, detections: Sequence[Detection]) -> Detection | None:
    """Of the alarms about what moved, the one farthest beyond its threshold."""
    return leading([one for one in detections if (one.subject, one.model) == (move.subject, move.model)])


def examine(
    subject: Subject,
    history: History,
    alarm: Detection | None,
    streams: Sequence[str],
    around: Surroundings,
    *,
    is_new: bool,
) -> Findings | None:
    """What is known about what moved, by the entries so far; None if nothing more than before.

    `history` of the model; of a judge or the harness, the entries alone count.
    """
    match subject:
        case Subject.HARNESS:
            return explain_harness(history.entries[-1], around.harness) if is_new else None
        case Subject.JUDGE:
            return explain_judge(alarm, history.entries, around) if alarm else None
        case Subject.MODEL if alarm is None:
            return explain_silence(history.model, history.entries[-1], around.errors) if is_new else None
        case Subject.MODEL:
            return explain(history, alarm, streams or [alarm.stream], around)


def span(alarm: Detection | None, number: int) -> tuple[int, int]:
    """The places between which what moved began to, the last of `number` entries without an alarm."""
    if alarm is None or alarm.change is None:
        return number, number
    return alarm.change.earliest, min(alarm.change.latest, number)


@dataclass(frozen=True, slots=True)
class YourSide:
    """What the user changed: perhaps the cause, and what hardly is; `unchanged` is said without a cause."""

    causes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    unchanged: str = ""


def changes_around(terms: Sequence[Terms], places: tuple[int, int]) -> YourSide:
    """What the user changed from the entry before these places to the last of them."""
    first, last = places
    before, after = terms[max(first - 2, 0)], terms[last - 1]
    changes = changes_between(before, after)
    return YourSide(
        tuple(one.headline for one in changes if one.kind not in _INCIDENTAL),
        tuple(one.headline for one in changes if one.kind in _INCIDENTAL),
        tell((), unknown_between(before, after)),
    )


def harness_around(
    controls: Mapping[int, Mapping[str, ControlFinding]], places: tuple[int, int]
) -> tuple[str, tuple[str, ...]]:
    """What the controls say of the entries between which the change lies; beside it, of others (by place)."""
    told = {
        place: tell_control(findings)
        for place, findings in sorted(controls.items())
        if any(finding.changed for finding in findings.values())
    }
    first, last = places
    inside = [sentence for place, sentence in told.items() if first <= place <= last]
    beside = tuple(sentence for place, sentence in told.items() if not first <= place <= last)
    return (inside[0], beside) if inside else ("", beside)


def _streams(move: Move, detections: Sequence[Detection], case: Case | None) -> tuple[str, ...]:
    """Every stream that has alarmed since the incident opened, the first ones first."""
    tonight = [
        one.stream
        for one in detections
        if one.outcome is Outcome.ALARM and (one.subject, one.model) == (move.subject, move.model)
    ]
    before = case.streams if case else ()
    return tuple(name for name in dict.fromkeys([*before, *tonight]) if name != COVERAGE)
