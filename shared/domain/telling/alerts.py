"""What people are told: a transition of an incident, several at once, a week of the fleet, a test.

A notice holds all that any message says, as it was known when it was written down; what comes later does not
change it. As JSON it is the `data` of a webhook.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from shared.domain.causes.blame import Cause
from shared.domain.drift.detections import Subject
from shared.domain.telling.findings import COVERAGE, Size, Where
from shared.domain.telling.incidents import EventKind

SHOWN_FLIPS = 3
SHOWN_CATEGORIES = 20
SHOWN_REASONS = 8
LONGEST_TEXT = 1000
GATHERED_ABOVE = 3  # so many messages of one kind and night are sent apart; more become one


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that passes less often than before, with an answer from before the change and one since."""

    question: str
    category: str
    passed_before: int
    scored_before: int
    passed_after: int
    scored_after: int
    input: str
    target: str
    before: str | None
    before_night: date | None
    after: str | None
    after_night: date | None


@dataclass(frozen=True, slots=True)
class Alert:
    """One transition of an incident. Shifts are shares from -1 to 1; nights are the schedule's local dates.

    `flipped`: how many questions flipped in all; `flips` are three of them. None: not known.
    """

    event: EventKind
    at: datetime
    by: str
    note: str
    incident: UUID
    schedule: str
    suite: str
    subject: Subject
    model: str
    severity: str
    cause: Cause
    headline: str
    opened_at: datetime
    stream: str
    streams: tuple[str, ...]
    joined: tuple[str, ...]
    night: date
    since: date | None
    since_earliest: date | None
    since_latest: date | None
    size: Size | None
    evidence_ratio: float | None
    nights_per_false_alarm: float
    watched_models: int
    overdispersion: float
    is_noisy: bool
    because: tuple[str, ...]
    your_side: tuple[str, ...]
    categories: tuple[Where, ...] = ()
    flips: tuple[Flip, ...] = ()
    flipped: int = 0
    run: UUID | None = None
    type: Literal["incident"] = "incident"

    @property
    def is_unmeasured(self) -> bool:
        """Whether it is about missing answers, which say nothing about quality."""
        return self.stream == COVERAGE


@dataclass(frozen=True, slots=True)
class Gathering:
    """Several transitions of one kind in one night of a schedule, told at once."""

    event: EventKind
    schedule: str
    suite: str
    night: date
    alerts: tuple[Alert, ...]
    type: Literal["gathering"] = "gathering"


@dataclass(frozen=True, slots=True)
class ModelWeek:
    """A model at its week's last measured night, and the week before. None: not measured."""

    model: str
    state: str
    accuracy: float | None
    lower: float | None
    upper: float | None
    before: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class ScheduleWeek:
    schedule: str
    suite: str
    nights_ran: int
    nights_missed: int
    spent_usd: float
    models: tuple[ModelWeek, ...]


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """An incident of a week; `is_new`: it was opened since the digest before."""

    incident: UUID
    subject: Subject
    model: str
    suite: str
    headline: str
    severity: str
    status: str
    opened_at: datetime
    closed_at: datetime | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Weekly:
    """The fleet's week: from `begin` to `end`, the latter not included."""

    begin: date
    end: date
    schedules: tuple[ScheduleWeek, ...]
    incidents: tuple[IncidentLine, ...] = ()
    type: Literal["weekly"] = "weekly"


@dataclass(frozen=True, slots=True)
class Trial:
    """Somebody tries a channel."""

    channel: str
    by: str
    at: datetime
    type: Literal["test"] = "test"


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that is over, with what it came to; the run as the API tells it."""

    run: Mapping[str, Any] = field(default_factory=dict)
    type: Literal["run"] = "run"


Notice: TypeAlias = Alert | Gathering | Weekly | Trial | FinishedRun


def name_type(notice: Notice) -> str:
    """What a webhook calls it, such as `incident.opened`."""
    match notice:
        case Alert():
            return f"incident.{notice.event}"
        case Gathering():
            return f"incidents.{notice.event}"
        case Weekly():
            return "digest.weekly"
        case Trial():
            return "channel.test"
        case FinishedRun():
            return "run.finished"


def show_flips(findings: Mapping[str, Any]) -> tuple[Flip, ...]:
    """The first flipped questions of an incident's findings, long texts cut."""
    counts = {one["unit"]: one for one in findings.get("questions") or ()}
    answers = [one for one in findings.get("answers") or () if one["unit"] in counts]
    return tuple(_show_flip(counts[one["unit"]], one) for one in answers[:SHOWN_FLIPS])


def _show_flip(counts: Mapping[str, Any], answer: Mapping[str, Any]) -> Flip:
    before, after = answer["before"], answer["after"]
    return Flip(
        question=answer["question"],
        category=counts["category"],
        passed_before=counts["passed_before"],
        scored_before=counts["scored_before"],
        passed_after=counts["passed_after"],
        scored_after=counts["scored_after"],
        input=cut(answer["input"]),
        target=cut(answer["target"]),
        before=cut(before["response"] or "") if before else None,
        before_night=date.fromisoformat(before["night"]) if before else None,
        after=cut(after["response"] or "") if after else None,
        after_night=date.fromisoformat(after["night"]) if after else None,
    )


def write_alert(
    *,
    event: EventKind,
    at: datetime,
    by: str,
    note: str,
    facts: Mapping[str, Any],
    run: UUID | None,
    incident: UUID,
    schedule: str,
    suite: str,
    subject: Subject,
    model: str,
    severity: str,
    cause: str,
    headline: str,
    opened_at: datetime,
    findings: Mapping[str, Any],
) -> Alert:
    """What is told of an event that befell an incident, by all that is known of the incident then."""

    def night(name: str) -> date | None:
        return date.fromisoformat(findings[name]) if findings.get(name) else None

    measured = night("night")
    assert measured is not None, "findings are of a night"
    size = findings.get("size")
    return Alert(
        event=event,
        at=at,
        by=by,
        note=cut(note),
        incident=incident,
        schedule=schedule,
        suite=suite,
        subject=subject,
        model=model,
        severity=severity,
        cause=Cause(cause),
        headline=cut(headline),
        opened_at=opened_at,
        stream=findings["stream"],
        streams=tuple(findings["streams"]),
        joined=tuple(facts.get("streams", ())),
        night=measured,
        since=night("since"),
        since_earliest=night("since_earliest"),
        since_latest=night("since_latest"),
        size=Size(**size) if size else None,
        evidence_ratio=findings.get("evidence_ratio"),
        nights_per_false_alarm=findings["nights_per_false_alarm"],
        watched_models=findings["watched_models"],
        overdispersion=findings["overdispersion"],
        is_noisy=findings["is_noisy"],
        because=_cut_each(findings["because"]),
        your_side=_cut_each(findings["your_side"]),
        categories=tuple(Where(**one) for one in findings["categories"][:SHOWN_CATEGORIES]),
        flips=show_flips(findings),
        flipped=len(findings["questions"]),
        run=run,
    )


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    return text if len(text) <= longest else f"{text[: longest - 2].rstrip()} …"


def _cut_each(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(cut(text) for text in texts[:SHOWN_REASONS])
