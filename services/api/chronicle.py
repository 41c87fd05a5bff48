"""One stream over its nights: what was measured, how it was read, and what changed in between."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.api.drift import as_ratio, describe_accuracy
from services.api.problems import NotFound
from services.api.schemas.drift import Decision, HistoryEntry
from shared.db import detections, identity, incidents, sequences, standings
from shared.db.detections import StreamReading
from shared.db.ledger import read_terms
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.db.sequences import ActRow, Place
from shared.db.standings import MeasuredAccuracy
from shared.domain.causes.identity import Identity, IdentityChange, tell_identity
from shared.domain.causes.ledger import Terms, changes_between, epochs
from shared.domain.drift.detections import ANCHORS, CATEGORY, Outcome, Subject
from shared.domain.drift.series import number_series
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId
from shared.domain.telling.wording import name_stream, tell_evidence

EPOCH_DIGITS = 8
MOST_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Chronicle:
    """All that is known about one stream of a model, or of the judge, over a schedule's sequence.

    `numbers`: the places (from 0) of the entries that asked it.
    """

    subject: Subject
    stream: str
    places: Sequence[Place]
    numbers: Sequence[int]
    terms: Sequence[Terms]
    epochs: Sequence[str]
    series: Sequence[int]
    acts: Mapping[tuple[RunId, str], ActRow]
    readings: Mapping[RunId, StreamReading]
    measured: Mapping[RunId, tuple[float, MeasuredAccuracy | None]]
    identities: Mapping[RunId, Sequence[IdentityChange]]
    incidents: Mapping[RunId, UUID]

    def newest_first(self, before: UUID | None, limit: int) -> Sequence[RunId]:
        """The runs of a page, from just after the run `before` on.

        Raises:
            InvalidInput: that run is none of these entries; the field is `cursor`.
        """
        runs = [self.places[number].run_id for number in reversed(self.numbers)]
        if before is None:
            return runs[:limit]
        if before not in runs:
            raise InvalidInput("cursor", "is not one of this list.", "Give next_cursor as it came.")
        return runs[runs.index(RunId(before)) + 1 :][:limit]

    def describe(self, run_id: RunId) -> HistoryEntry:
        index = next(i for i, number in enumerate(self.numbers) if self.places[number].run_id == run_id)
        number = self.numbers[index]
        place, reading = self.places[number], self.readings.get(run_id)
        coverage, accuracy = self.measured.get(place.scored_by, (None, None))
        former = self.terms[self.numbers[index - 1]] if index else None
        changed = changes_between(former, self.terms[number]) if former is not None else ()
        moved = self.identities.get(run_id, ())
        quarantined = self.acts.get((run_id, "quarantine"))
        return HistoryEntry(
            night=place.night,
            run_id=run_id,
            attempt=place.attempt,
            is_imported=self.terms[number].is_imported,
            series=self.series[number],
            epoch=self.epochs[number][:EPOCH_DIGITS],
            outcome=reading.outcome if reading else None,
            z_low=_finite(reading.z_low) if reading else None,
            z_high=_finite(reading.z_high) if reading else None,
            evidence_worse=_ratio(reading, reading.log_worse) if reading else None,
            evidence_better=_ratio(reading, reading.log_better) if reading else None,
            watch_from=_ratio(reading, reading.log_watch) if reading else None,
            threshold=as_ratio(reading.log_alarm) if reading and _has_threshold(reading) else None,
            overdispersion=reading.overdispersion if reading else None,
            coverage=coverage,
            accuracy=describe_accuracy(accuracy),
            quarantined=_decision(quarantined),
            baseline_accepted=_decision(self.acts.get((run_id, "accept_baseline"))),
            incident_id=self.incidents.get(run_id),
            changes=[change.headline for change in changed],
            identity_changes=[tell_identity([change], Identity()) for change in moved],
            told=self._tell(reading, quarantined),
        )

    def _tell(self, reading: StreamReading | None, quarantined: ActRow | None) -> str | None:
        if quarantined is not None:
            note = f" {quarantined.note}" if quarantined.note else ""
            return f"Set aside by {quarantined.by}.{note}"
        if reading is None:
            return "The watch has not seen this entry yet."
        what = name_stream(self.stream)
        match reading.outcome:
            case Outcome.ALARM if self.subject is Subject.JUDGE:
                return f"Alarm: {what} changed{self._since(reading)}."
            case Outcome.ALARM:
                return f"Alarm: {what} became worse{self._since(reading)}."
            case Outcome.IMPROVED:
                return f"Improved: {what} became better{self._since(reading)}. That opens no incident."
            case Outcome.WATCHED:
                ratio = _ratio(reading, reading.log_worse)
                return f"On watch: {what} may have become worse, but the evidence is {tell_evidence(ratio)}."
            case Outcome.SET_ASIDE:
                return "Took no part: too little was measured, or there was nothing to compare yet."
            case Outcome.QUIET | Outcome.SILENT:
                return None

    def _since(self, reading: StreamReading) -> str:
        nights = {place.run_id: place.night for place in self.places}
        dated = [
            nights.get(run) if run else None
            for run in (reading.change_run, reading.change_earliest, reading.change_latest)
        ]
        best, earliest, latest = dated
        if best is None:
            return ""
        spread = f" (between {earliest} and {latest})" if earliest != latest else ""
        return f", probably since {best}{spread}"


async def read_chronicle(connection: Connection, schedule: Schedule, model: str, stream: str) -> Chronicle:
    """Read a stream of a model; of the stream `anchors`, the model is the judge's name.

    Raises:
        NotFound: no entry of the schedule asked this model.
        InvalidInput: the model has no such stream; the field is `stream`.
    """
    subject = Subject.JUDGE if stream == ANCHORS else Subject.MODEL
    places = await sequences.list_places(connection, schedule.id)
    readings = await detections.read_stream(connection, schedule.id, subject, model, stream)
    asked = await sequences.list_asked(connection, [place.run_id for place in places])
    numbers = [
        number
        for number, place in enumerate(places)
        if (place.run_id in readings if subject is Subject.JUDGE else model in asked[place.run_id])
    ]
    if places and not numbers:
        known = sorted({name for models in asked.values() for name in models})
        raise NotFound(f"No night of {schedule.name!r} asked {model!r}. Asked so far: {', '.join(known)}.")
    if not readings:
        known = await detections.list_streams(connection, schedule.id, subject, model)
        if known:
            raise InvalidInput("stream", f"{stream!r} is none of {model!r}.", f"Known: {', '.join(known)}.")
    by_run = await read_terms(connection, [place.scored_by for place in places])
    terms = [by_run[place.scored_by] for place in places]
    acts = {
        (act.run_id, act.kind): act
        for act in await sequences.list_acts(connection, schedule.id)
        if act.model == model
    }
    found = epochs(terms)
    return Chronicle(
        subject=subject,
        stream=stream,
        places=places,
        numbers=numbers,
        terms=terms,
        epochs=found,
        series=number_series(found, [(place.run_id, "accept_baseline") in acts for place in places]),
        acts=acts,
        readings=readings,
        measured=await _read_measured(connection, places, subject, model, stream),
        identities=await _read_identities(connection, schedule, subject, model),
        incidents={
            one.opened_run: one.id
            for one in await incidents.list_incidents(
                connection, schedule=schedule.name, model=model, limit=MOST_EVENTS
            )
            if one.subject is subject
        },
    )


async def _read_measured(
    connection: Connection, places: Sequence[Place], subject: Subject, model: str, stream: str
) -> Mapping[RunId, tuple[float, MeasuredAccuracy | None]]:
    if subject is not Subject.MODEL:
        return {}
    category = stream.removeprefix(CATEGORY) if stream.startswith(CATEGORY) else "all"
    return await standings.read_accuracies(connection, [place.scored_by for place in places], model, category)


async def _read_identities(
    connection: Connection, schedule: Schedule, subject: Subject, model: str
) -> Mapping[RunId, Sequence[IdentityChange]]:
    if subject is not Subject.MODEL:
        return {}
    events = await identity.list_identity_events(connection, schedule.id, model=model, limit=MOST_EVENTS)
    found: dict[RunId, list[IdentityChange]] = {}
    for event in reversed(events):
        found.setdefault(event.run_id, []).append(event.change)
    return found


def _decision(act: ActRow | None) -> Decision | None:
    return Decision(by=act.by, at=act.at, note=act.note) if act else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _has_threshold(reading: StreamReading) -> bool:
    return math.isfinite(reading.log_alarm)


def _ratio(reading: StreamReading, log_value: float) -> float | None:
    """What lies on the evidence's scale, over what an alarm takes; None where the stream had no question."""
    return as_ratio(log_value - reading.log_alarm) if _has_threshold(reading) else None
