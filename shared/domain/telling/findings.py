"""What an incident says: what moved, since when, by how much, where, and who probably did it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from shared.domain.causes.attribution import attribute_to_categories, attribute_to_questions
from shared.domain.causes.blame import Blame, Cause, Surroundings, blame, judge_shift
from shared.domain.causes.suspects import Suspect
from shared.domain.drift.continuous import mark_calls_in_time
from shared.domain.drift.dating import Severity, Shift, measure_shift
from shared.domain.drift.detections import ACCURACY, AMOUNTS, CATEGORY, SHARES, WEIGHTED, Detection
from shared.domain.drift.history import History
from shared.domain.drift.nightly import NOISY_ABOVE
from shared.domain.drift.recovery import OUTAGE_Z
from shared.domain.drift.sequence import Entry
from shared.domain.telling.headlines import tell_ratio, tell_shift, tell_since, tell_unsized

MOST_QUESTIONS = 20
COVERAGE = "coverage"  # the stream of an incident about a lack of data
NOT_MEASURED = "not measured"  # the severity of such an incident
OUTAGE_PASSED = "It was an outage: the entry after it is as those before it were."
_SLOWER = ((2.0, Severity.CRITICAL), (1.5, Severity.MAJOR), (1.2, Severity.MINOR))


@dataclass(frozen=True, slots=True)
class Size:
    """A shift in points of 1 with its 95 % interval, or a `ratio` (latency, tokens, cost), so far."""

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    units: int | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Where:
    category: str
    value: float
    lower: float
    upper: float
    is_worse: bool


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that passes less often than before; the answers are looked up by the shell."""

    unit: str
    category: str
    passed_before: int
    scored_before: int
    passed_after: int
    scored_after: int
    is_worse: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judge or model: the judge's own shift by its anchors, and the model's without it."""

    suspect: Suspect
    judge: Size
    corrected: Size


@dataclass(frozen=True, slots=True)
class Findings:
    """All of an incident. Nights are local dates of the schedule."""

    headline: str
    stream: str
    streams: tuple[str, ...]
    cause: Cause
    because: tuple[str, ...]
    severity: str
    night: date
    since: date | None
    since_earliest: date | None
    since_latest: date | None
    change_run: str | None
    alarm_run: str
    size: Size | None = None
    evidence_ratio: float | None = None
    nights_per_false_alarm: float = 0.0
    watched_models: int = 0
    overdispersion: float = 1.0
    is_noisy: bool = False
    categories: tuple[Where, ...] = ()
    questions: tuple[Flip, ...] = ()
    verdict: Verdict | None = None
    your_side: tuple[str, ...] = ()
    answers: tuple[Mapping[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        def plain(value: Any) -> Any:
            match value:
                case date():
                    return value.isoformat()
                case float() if not np.isfinite(value):
                    return None
                case Mapping():
                    return {key: plain(one) for key, one in value.items()}
                case list() | tuple():
                    return [plain(one) for one in value]
                case _:
                    return value

        found: dict[str, Any] = plain(asdict(self))
        return found


def explain(
    history: History,
    alarm: Detection,
    streams: Sequence[str],
    surroundings: Surroundings,
) -> Findings:
    """Explain an alarm of a model's stream by all entries so far. `streams`: every one that has alarmed.

    An improvement is explained alike.
    """
    place = alarm.change.best if alarm.change else alarm.sequence
    accused = blame(alarm.stream, history, place, alarm.overdispersion, surroundings)
    found = replace(
        _begin(history.entries, alarm, tuple(streams), accused), your_side=surroundings.your_changes
    )
    since = tell_since(history.entries[place - 1].night, found.since_earliest, found.since_latest)
    if alarm.stream in AMOUNTS:
        return _size_amount(found, history, place, since)
    if alarm.stream in SHARES:
        return _size_share(found, history, place, since)
    return _size_quality(found, history, alarm, place, since)


def explain_silence(model: str, entry: Entry, errors: str) -> Findings:
    """An incident about a model of which too little was measured."""
    return _of_one_night(
        entry,
        stream=COVERAGE,
        cause=Cause.OUTAGE,
        headline=f"{model} could not be measured on {entry.night}: {errors or 'less than 80 % was scored'}.",
        because="Its answers are missing, so nothing is said about its quality.",
        severity=NOT_MEASURED,
    )


def explain_harness(entry: Entry, told: str) -> Findings:
    """An incident about the harness: a model that cannot change has answered differently."""
    return _of_one_night(
        entry,
        stream="controls",
        cause=Cause.HARNESS,
        headline=told,
        because="A control cannot change by itself: look for a new client, proxy, template or setting.",
        severity=Severity.CRITICAL,
    )


def explain_judge(alarm: Detection, entries: Sequence[Entry], around: Surroundings) -> Findings:
    """An incident about the judge: its scores of the frozen answers moved."""
    place = alarm.change.best if alarm.change else alarm.sequence
    shift = judge_shift(entries, place)
    direction = "milder" if shift is not None and shift.value > 0 else "stricter"
    moved = f" by {abs(shift.value) * 100:.1f} points" if shift else ""
    because = around.your_changes or ((around.unchanged,) if around.unchanged else ())
    accused = Blame(Cause.YOU if around.your_changes else Cause.JUDGE, because)
    return replace(
        _begin(entries, alarm, (alarm.stream,), accused),
        headline=f"The judge {alarm.model} became {direction}{moved} on the same answers,"
        f" since {entries[place - 1].night}.",
        severity=shift.severity if shift else Severity.SMALL,
        size=_as_size(shift) if shift else None,
        your_side=around.your_changes,
    )


def admit_outage(found: Findings) -> Findings:
    """What the incident says once the model is back: it was an outage, whatever it looked like before."""
    return replace(found, cause=Cause.OUTAGE, because=(OUTAGE_PASSED, *found.because))


def _begin(entries: Sequence[Entry], alarm: Detection, streams: tuple[str, ...], accused: Blame) -> Findings:
    """All but the size of what moved."""
    dated = alarm.change
    place = dated.best if dated else alarm.sequence
    entry = entries[alarm.sequence - 1]
    said = accused.suspicion
    verdict = Verdict(said.suspect, _as_size(said.judge), _as_size(said.corrected)) if said else None
    is_deep = alarm.stream in (ACCURACY, WEIGHTED) and alarm.z_low is not None and alarm.z_low > OUTAGE_Z
    perhaps = ("It fell so far that it may be an outage: the next entry will tell.",)
    return Findings(
        headline="",
        stream=alarm.stream,
        streams=streams,
        cause=accused.cause,
        because=(*accused.because, *(perhaps if is_deep and len(entries) == alarm.sequence else ())),
        severity=Severity.SMALL,
        night=entry.night,
        since=entries[place - 1].night,
        since_earliest=entries[dated.earliest - 1].night if dated else None,
        since_latest=entries[dated.latest - 1].night if dated else None,
        change_run=str(entries[place - 1].run_id),
        alarm_run=str(entry.run_id),
        evidence_ratio=alarm.evidence_ratio,
        nights_per_false_alarm=entry.budget.nights_per_false_alarm,
        watched_models=entry.budget.models,
        overdispersion=alarm.overdispersion,
        is_noisy=alarm.overdispersion > NOISY_ABOVE,
        verdict=verdict,
    )


def _of_one_night(
    entry: Entry, *, stream: str, cause: Cause, headline: str, because: str, severity: str
) -> Findings:
    night, run = entry.night, str(entry.run_id)
    return Findings(
        headline, stream, (stream,), cause, (because,), severity, night, night, night, night, run, run,
        nights_per_false_alarm=entry.budget.nights_per_false_alarm, watched_models=entry.budget.models,
    )  # fmt: skip


def _size_quality(found: Findings, history: History, alarm: Detection, place: int, since: str) -> Findings:
    whole = history.quality()
    is_category = alarm.stream.startswith(CATEGORY)
    shift = (history.quality(alarm.stream) if is_category else whole).shift(place, alarm.overdispersion)
    if shift is None:
        return replace(found, headline=tell_unsized(history.model, alarm.stream, since))
    overall = whole.shift(place, alarm.overdispersion) if is_category else None
    split, names = whole.split(place), np.array(whole.categories)
    categories = {name: np.flatnonzero(names == name) for name in set(whole.categories)}
    named = attribute_to_categories(whole.scores, split, whole.levels, categories, alarm.overdispersion)
    worse = [categories[one.category] for one in named if one.is_worse]
    units = np.concatenate(worse) if worse else np.arange(len(whole.units))
    questions = attribute_to_questions(whole.scores, split, whole.levels, np.sort(units))
    fell = [
        one
        for one in questions
        if one.passed_after * one.scored_before < one.passed_before * one.scored_after
    ]
    return replace(
        found,
        headline=tell_shift(history.model, alarm.stream, shift, since, overall),
        size=_as_size(shift),
        severity=shift.severity,
        categories=tuple(
            Where(one.category, one.shift.value, *one.shift.interval, one.is_worse) for one in named
        ),
        questions=tuple(
            Flip(
                whole.units[one.unit], whole.categories[one.unit], one.passed_before, one.scored_before,
                one.passed_after, one.scored_after, one.is_worse,
            )
            for one in fell[:MOST_QUESTIONS]
        ),
    )  # fmt: skip


def _size_share(found: Findings, history: History, place: int, since: str) -> Findings:
    if found.stream == "slow_calls":
        shift = _shift_of_calls_in_time(history, place, found.overdispersion)
    else:
        shift = history.share(found.stream).shift(place, found.overdispersion)
    if shift is None:
        return replace(found, headline=tell_unsized(history.model, found.stream, since))
    headline = tell_shift(history.model, found.stream, shift, since)
    return replace(found, headline=headline, size=_as_size(shift), severity=shift.severity)


def _shift_of_calls_in_time(history: History, place: int, overdispersion: float) -> Shift | None:
    places, logs = history.amount("latency")
    split = int(np.searchsorted(places, place))
    known = ~np.isnan(logs[:split]).all(axis=0)
    if not known.any():
        return None
    usual = np.exp(np.nanmedian(logs[:split, known], axis=0))
    return measure_shift(mark_calls_in_time(np.exp(logs[:, known]), usual), split, 1, overdispersion)


def _size_amount(found: Findings, history: History, place: int, since: str) -> Findings:
    ratio = history.ratio(found.stream, place)
    if not ratio:
        return replace(found, headline=tell_unsized(history.model, found.stream, since))
    times = max(ratio, 1 / ratio)
    severity = next((name for least, name in _SLOWER if times >= least), Severity.SMALL)
    headline = tell_ratio(history.model, found.stream, ratio, since)
    return replace(found, headline=headline, size=Size(ratio=ratio), severity=severity)


def _as_size(shift: Shift) -> Size:
    return Size(shift.value, *shift.interval, shift.units)
