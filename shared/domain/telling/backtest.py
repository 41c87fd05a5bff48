"""The watch over history: what it would have told, night by night, had it been there.

It decides by the code that the scheduler decides by (Fold.after, see, follow, examine), and keeps in memory
what the scheduler stores. It lets nobody intervene: no incident is acknowledged, no baseline accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from shared.domain.causes.blame import Cause, Surroundings
from shared.domain.causes.controls import ControlFinding
from shared.domain.causes.identity import Identity, tell_identity
from shared.domain.causes.identity import follow as follow_identity
from shared.domain.causes.ledger import Terms
from shared.domain.drift.detections import ACCURACY, Detection, Outcome, Subject
from shared.domain.drift.fold import Decisions, Fold
from shared.domain.drift.history import History
from shared.domain.drift.sequence import Entry
from shared.domain.drift.watch import Sighting, Standing, needs_history, see
from shared.domain.figures.sensitivity import sensitivity_of
from shared.domain.telling.cases import (
    Case,
    Evidence,
    Task,
    YourSide,
    changes_around,
    examine,
    find_alarm,
    follow,
    harness_around,
    span,
)
from shared.domain.telling.findings import Findings, admit_outage, explain
from shared.domain.telling.incidents import ENDED_BY_ITSELF, EventKind, Monitor, MonitorState, Move
from shared.domain.telling.records import Event, Improvement, Nearest, Record

RENOTIFY_DAYS = 7

Key = tuple[Subject, str]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of an entry beside what it measured. `controls`: None where none was compared."""

    terms: Terms | None = None
    identities: Mapping[str, Identity] = field(default_factory=dict)
    controls: Mapping[str, ControlFinding] | None = None


@dataclass(frozen=True, slots=True)
class Backtest:
    """The records of all models, then of judges and of the harness if there were any."""

    entries: int
    first_night: date
    last_night: date
    records: tuple[Record, ...]

    def of(self, model: str, subject: Subject = Subject.MODEL) -> Record:
        return next(one for one in self.records if (one.subject, one.model) == (subject, model))


def backtest(
    entries: Sequence[Entry],
    circumstances: Sequence[Circumstances] = (),
    renotify_days: int = RENOTIFY_DAYS,
) -> Backtest:
    """Run the watch over a sequence, an entry at a time. `circumstances`: one for each entry, or none.

    Raises:
        ValueError: there is no entry.
    """
    if not entries:
        raise ValueError("a backtest needs an entry at least")
    watch = _Watch(renotify_days, tuple(circumstances) or (Circumstances(),) * len(entries))
    for entry in entries:
        watch.live(entry)
    return Backtest(
        len(entries), entries[0].night, entries[-1].night, tuple(watch.record(key) for key in watch.files)
    )


@dataclass(slots=True)
class _Incident:
    """An open incident: what is known of it, the alarm that it leads with, when it opened and was told of."""

    findings: Findings
    alarm: Detection | None
    opened: int
    told: date


@dataclass(slots=True)
class _File:
    """What was gathered about one watched thing."""

    state: MonitorState = MonitorState.OK
    incident: _Incident | None = None
    entries: int = 0
    events: list[Event] = field(default_factory=list)
    improvements: list[Improvement] = field(default_factory=list)
    watched: list[date] = field(default_factory=list)
    quarantined: list[date] = field(default_factory=list)
    nearest: Nearest | None = None


@dataclass(slots=True)
class _Watch:
    """The scheduler's memory, without a database."""

    renotify_days: int
    circumstances: Sequence[Circumstances]
    fold: Fold = field(default_factory=Fold)
    entries: list[Entry] = field(default_factory=list)
    decisions: list[Decisions] = field(default_factory=list)
    files: dict[Key, _File] = field(default_factory=dict)
    alone: dict[str, list[Entry]] = field(default_factory=dict)
    accuracy: dict[str, Detection] = field(default_factory=dict)

    def live(self, entry: Entry) -> None:
        """See one entry more."""
        self.entries.append(entry)
        self.decisions.append(Decisions())
        after, detections = self.fold.after(entry)
        standings = {key: self._stand(*key) for key in self.files}
        histories = {model: self.history(model) for model in needs_history(after, standings)}
        sighting = see(
            after, entry, detections, standings, histories, changed_controls=self._changed_controls()
        )
        self.fold = sighting.fold
        self._quarantine(sighting)
        for move in sighting.moves:
            self._follow_up(move, sighting)
        for model in entry.models:
            self._note(model, sighting)

    def record(self, key: Key) -> Record:
        subject, model = key
        its = self.files[key]
        accuracy = self.accuracy.get(model)
        sensitivity = None
        if subject is Subject.MODEL and accuracy is not None:
            series = self.history(model).quality()
            sensitivity = sensitivity_of(
                series.scores, series.levels, int(series.questions_in.sum()), accuracy.overdispersion,
                accuracy.log_alarm,
            )  # fmt: skip
        return Record(
            subject, model, its.entries, its.state, tuple(its.events), tuple(its.improvements),
            tuple(its.watched), tuple(its.quarantined), its.nearest, sensitivity,
            its.incident.findings if its.incident else None,
        )  # fmt: skip

    def history(self, model: str) -> History:
        """The entries of one model; those of none are read for what judge and harness did."""
        alone = self.alone.setdefault(model, [])
        alone += [entry.select([model]) for entry in self.entries[len(alone) :]]
        return History(model, tuple(alone), tuple(self.decisions))

    def _stand(self, subject: Subject, model: str) -> Standing:
        its = self.files[subject, model]
        monitor = Monitor(subject, model, its.state, its.incident is not None)
        if its.incident is None:
            return Standing(monitor)
        alarm = its.incident.alarm
        change = alarm.change.best if alarm and alarm.change else alarm and alarm.sequence
        waited = (self.entries[-1].night - its.incident.told).days
        return Standing(
            monitor, its.incident.findings.stream, change or its.incident.opened, its.incident.opened,
            needs_reminder=waited >= self.renotify_days,
        )  # fmt: skip

    def _changed_controls(self) -> Sequence[str] | None:
        compared = self.circumstances[len(self.entries) - 1].controls
        if compared is None:
            return None
        return [question for finding in compared.values() for question in finding.changed]

    def _quarantine(self, sighting: Sighting) -> None:
        for model, places in sighting.quarantined.items():
            for place in places:
                decided = self.decisions[place - 1]
                self.decisions[place - 1] = replace(decided, set_aside=decided.set_aside | {model})
                self.files[Subject.MODEL, model].quarantined.append(self.entries[place - 1].night)
        for model, redetected in sighting.redetected.items():
            incident = self.files[Subject.MODEL, model].incident
            if incident is not None and (alarm := incident.alarm) is not None:
                anew = redetected[alarm.sequence - 1]
                incident.alarm = next((one for one in anew if one.stream == alarm.stream), None)

    def _follow_up(self, move: Move, sighting: Sighting) -> None:
        its = self.files.setdefault((move.subject, move.model), _File())
        its.state = move.after
        its.entries += 1
        incident = its.incident
        case = Case(incident.findings.stream, incident.findings.streams) if incident else None
        task = follow(move, sighting.detections, case)
        if task is None:
            return
        findings = self._examine(move, task, sighting, its)
        assert findings is not None, "an incident opens with an alarm, or for lack of data"
        if task.event is EventKind.OUTAGE_OVER and findings.cause is not Cause.OUTAGE:
            findings = admit_outage(findings)
        if task.event is not None:
            place = len(self.entries)
            its.events.append(Event(place, self.entries[-1].night, task.event, findings, task.joined))
        if task.event in ENDED_BY_ITSELF:
            its.incident = None
        elif task.event is EventKind.REMINDED and its.incident is not None:
            its.incident.told = self.entries[-1].night

    def _examine(self, move: Move, task: Task, sighting: Sighting, its: _File) -> Findings | None:
        """What is known about what moved, kept with the open incident."""
        former = its.incident
        alarm = None
        if task.evidence is Evidence.TONIGHT:
            alarm = find_alarm(move, sighting.detections)
        elif task.evidence is Evidence.FORMER and former is not None:
            alarm = former.alarm
        if alarm is None and former is not None:
            return former.findings
        history = self.history(move.model if move.subject is Subject.MODEL else "")
        around = self._look_around(move, alarm)
        found = examine(move.subject, history, alarm, task.streams, around, is_new=former is None)
        if found is None:
            return None if former is None else former.findings
        if former is None:
            its.incident = _Incident(found, alarm, len(self.entries), self.entries[-1].night)
        else:
            its.incident = replace(former, findings=found, alarm=alarm)
        return found

    def _look_around(self, move: Move, alarm: Detection | None) -> Surroundings:
        number = len(self.entries)
        places = span(alarm, number)
        known = self.circumstances[:number]
        terms = [one.terms for one in known if one.terms is not None]
        yours = changes_around(terms, places) if len(terms) == number else YourSide()
        compared = {place: one.controls for place, one in enumerate(known, start=1) if one.controls}
        near = {
            place: found
            for place, found in compared.items()
            if places[0] <= place <= places[1] or place == number
        }
        harness, moved = harness_around(near, places)
        identity = self._tell_identity(move.model, places[0])
        return Surroundings(yours.causes, yours.unchanged, (*moved, *yours.beside), identity, harness)

    def _tell_identity(self, model: str, earliest: int) -> tuple[str, ...]:
        known = [
            (place, one.identities[model])
            for place, one in enumerate(self.circumstances[: len(self.entries)], start=1)
            if model in one.identities
        ]
        if not known:
            return ()
        found = follow_identity(identity for _, identity in known)
        near = [changes for (place, _), changes in zip(known, found, strict=True) if place >= earliest - 1]
        return (tell_identity([change for changes in near for change in changes], known[-1][1]),)

    def _note(self, model: str, sighting: Sighting) -> None:
        """What came of a model's streams without an incident."""
        its, night = self.files[Subject.MODEL, model], self.entries[-1].night
        mine = [one for one in sighting.detections if (one.subject, one.model) == (Subject.MODEL, model)]
        self.accuracy[model] = next(one for one in mine if one.stream == ACCURACY)
        if any(one.outcome is Outcome.WATCHED for one in mine):
            its.watched.append(night)
        for one in mine:
            ratio = one.evidence_ratio
            if one.outcome in (Outcome.QUIET, Outcome.WATCHED) and (
                its.nearest is None or ratio > its.nearest.evidence_ratio
            ):
                its.nearest = Nearest(night, one.stream, ratio)
        improved = [one for one in mine if one.outcome is Outcome.IMPROVED]
        if improved:
            improved.sort(key=lambda one: one.log_alarm - one.log_better)
            streams = tuple(one.stream for one in improved)
            found = explain(self.history(model), improved[0], streams, Surroundings())
            its.improvements.append(
                Improvement(len(self.entries), night, streams, found.since, found.headline, found.size)
            )
