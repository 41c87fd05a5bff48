"""The watch over a schedule: one entry more, and what follows from it.

This is the whole of what the scheduler decides after a run, and what a backtest decides night by night over
history. It is handed what it needs to know and says what is to be written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from shared.domain.drift.detect import LEAST_COVERAGE
from shared.domain.drift.detections import Detection, Outcome, Subject
from shared.domain.drift.fold import Fold, deserves_confirmation
from shared.domain.drift.history import History
from shared.domain.drift.sequence import Entry
from shared.domain.telling.incidents import Monitor, MonitorState, Move, Signal, move

LONGEST_OUTAGE = 6  # entries; what lasts longer is how the model is now
HARNESS = "harness"


@dataclass(frozen=True, slots=True)
class Standing:
    """A monitor with what its open incident is about: the stream, the places of its change and its alarm."""

    monitor: Monitor
    stream: str | None = None
    change: int = 0
    opened: int = 0
    needs_reminder: bool = False


Standings: TypeAlias = Mapping[tuple[Subject, str], Standing]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one entry came to.

    `quarantined`: the places of entries that turned out to be an outage, by model; `redetected`: their
    detections over the whole sequence, computed anew without them.
    """

    fold: Fold
    detections: tuple[Detection, ...]
    moves: tuple[Move, ...]
    quarantined: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    redetected: Mapping[str, tuple[tuple[Detection, ...], ...]] = field(default_factory=dict)

    @property
    def deserve_confirmation(self) -> tuple[str, ...]:
        """The models whose evidence one more run tonight would settle."""
        alerted = {one.model for one in self.moves if one.after is not MonitorState.WATCH}
        by_model = _by_model(self.detections)
        return tuple(
            model
            for model, streams in by_model.items()
            if model not in alerted and deserves_confirmation(streams)
        )


def needs_history(after: Fold, standings: Standings) -> frozenset[str]:
    """The models whose past must be looked at: an outage may be over, or an incident."""
    ended = {
        model
        for model, since, fine in zip(
            after.models, after.doubtful_since.tolist(), after.fine_since.tolist(), strict=True
        )
        if since and fine
    }
    is_open = {
        model
        for (subject, model), one in standings.items()
        if subject is Subject.MODEL and one.monitor.has_open_incident
    }
    return frozenset(ended | is_open)


def see(
    after: Fold,
    entry: Entry,
    detections: Sequence[Detection],
    standings: Standings,
    histories: Mapping[str, History],
    *,
    changed_controls: Sequence[str] | None = None,
    asks_all: bool = False,
) -> Sighting:
    """Follow up on an entry that was folded in.

    `histories`: those that
    `needs_history` asked for, this entry included.
    `changed_controls`: None without a control. `asks_all`: a model that is not in it
    is asked no more.
    """
    number = after.entries
    fold, found = after, _by_model(detections)
    quarantined: dict[str, tuple[int, ...]] = {}
    redetected: dict[str, tuple[tuple[Detection, ...], ...]] = {}
    moves: list[Move] = []
    for place, model in enumerate(entry.models):
        standing = _standing(standings, Subject.MODEL, model)
        outage = _ended_outage(after, model, histories.get(model))
        if outage:
            quarantined[model] = outage
            alone, redetected[model] = _set_aside(histories[model], outage)
            fold = fold.with_models(alone)
            found[model] = redetected[model][-1]
        is_measured = float(entry.measured.coverage[place]) >= LEAST_COVERAGE
        signal = _signal(found.get(model, ()), is_measured=is_measured)
        if signal is not Signal.ALARM and is_measured:
            was_outage = bool(outage) and standing.opened in outage
            if standing.monitor.has_open_incident and (
                was_outage or _is_over(standing, histories.get(model))
            ):
                moves.append(move(standing.monitor, Signal.RECOVERED, outage=was_outage))
                continue
        moves.append(move(standing.monitor, signal, needs_reminder=standing.needs_reminder))
    if asks_all:
        moves += _moves_of_those_that_left(entry, standings)
    moves += _judge_moves(detections, standings)
    moves += _harness_moves(changed_controls, standings)
    kept = [one for one in detections if one.model not in redetected or one.subject is not Subject.MODEL]
    tonight = (*kept, *(one for streams in redetected.values() for one in streams[number - 1]))
    return Sighting(fold, tonight, tuple(moves), quarantined, redetected)


def leading(streams: Sequence[Detection]) -> Detection | None:
    """Of the streams that alarm, the one farthest beyond its threshold."""
    alarms = [one for one in streams if one.outcome is Outcome.ALARM]
    return max(alarms, key=lambda one: one.log_worse - one.log_alarm, default=None)


def _signal(streams: Sequence[Detection], *, is_measured: bool) -> Signal:
    if not is_measured:
        return Signal.UNMEASURED
    outcomes = {one.outcome for one in streams}
    if Outcome.ALARM in outcomes:
        return Signal.ALARM
    return Signal.WATCHED if Outcome.WATCHED in outcomes else Signal.QUIET


def _moves_of_those_that_left(entry: Entry, standings: Standings) -> list[Move]:
    """Nobody hears of a model any more that the nights do not ask: its open incident ends."""
    return [
        move(standing.monitor, Signal.LEFT)
        for (subject, model), standing in standings.items()
        if subject is Subject.MODEL and model not in entry.models and standing.monitor.has_open_incident
    ]


def _ended_outage(after: Fold, model: str, history: History | None) -> tuple[int, ...]:
    """The places of an outage that this entry shows to be over; empty if there is none."""
    row = after.models.index(model)
    since, fine = int(after.doubtful_since[row]), int(after.fine_since[row])
    if history is None or not (since and fine):
        return ()
    outage = [place for place in range(since, after.entries + 1) if history.asked(place)][:-fine]
    if len(outage) > LONGEST_OUTAGE or not history.is_back_after(since, fine):
        return ()
    return tuple(outage)


def _set_aside(history: History, places: Sequence[int]) -> tuple[Fold, tuple[tuple[Detection, ...], ...]]:
    decisions = tuple(
        replace(one, set_aside=one.set_aside | {history.model}) if place in places else one
        for place, one in enumerate(history.decisions, start=1)
    )
    return replace(history, decisions=decisions).refold()


def _is_over(standing: Standing, history: History | None) -> bool:
    if history is None or standing.stream is None or standing.monitor.state is MonitorState.NO_DATA:
        return False
    return history.has_recovered(standing.stream, standing.change, standing.opened)


def _judge_moves(detections: Sequence[Detection], standings: Standings) -> list[Move]:
    moves = []
    for one in detections:
        if one.subject is Subject.JUDGE:
            standing = _standing(standings, Subject.JUDGE, one.model)
            signal = _signal([one], is_measured=True)
            moves.append(move(standing.monitor, signal, needs_reminder=standing.needs_reminder))
    return moves


def _harness_moves(changed: Sequence[str] | None, standings: Standings) -> list[Move]:
    """The harness moved while its controls change; once they hold still it has a new normal."""
    if changed is None:
        return []
    standing = _standing(standings, Subject.HARNESS, HARNESS)
    if changed:
        signal = Signal.ALARM
    else:
        signal = Signal.RECOVERED if standing.monitor.has_open_incident else Signal.QUIET
    return [move(standing.monitor, signal, needs_reminder=standing.needs_reminder)]


def _standing(standings: Standings, subject: Subject, model: str) -> Standing:
    return standings.get((subject, model)) or Standing(Monitor(subject, model))


def _by_model(detections: Sequence[Detection]) -> dict[str, tuple[Detection, ...]]:
    found: dict[str, list[Detection]] = {}
    for one in detections:
        if one.subject is Subject.MODEL:
            found.setdefault(one.model, []).append(one)
    return {model: tuple(streams) for model, streams in found.items()}
