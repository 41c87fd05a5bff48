"""Incidents as they are told: what moved, since when, how sure that is, and who probably did it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.paging import Page
from services.api.schemas.fields import RequestBody, Text
from services.api.schemas.schedules import NightDate
from shared.domain.causes.blame import Cause
from shared.domain.causes.suspects import Suspect
from shared.domain.drift.detections import Subject
from shared.domain.telling.incidents import Act, EventKind, Status


class Size(BaseModel):
    """How far it moved, estimated so far: a shift in shares from -1 to 1, with its 95 % interval; or, of
    latency, tokens and cost, the `ratio` to the former value. Null: does not apply, or is not known.
    """

    value: float | None = Field(None, examples=[-0.063])
    lower: float | None = Field(None, examples=[-0.081])
    upper: float | None = Field(None, examples=[-0.045])
    units: int | None = Field(
        None, description="Questions that were scored before and after.", examples=[210]
    )
    ratio: float | None = None


class Where(BaseModel):
    """A category's shift with its 95 % interval; `is_worse`: it moved, at a false-discovery rate of 10 %."""

    category: str = Field(examples=["coding"])
    value: float = Field(examples=[-0.194])
    lower: float
    upper: float
    is_worse: bool


class Flip(BaseModel):
    """A question that passes less often than before; `is_worse`: beyond chance, by itself."""

    unit: str = Field(description="The question's identity over time.")
    category: str
    passed_before: int = Field(examples=[24])
    scored_before: int = Field(examples=[24])
    passed_after: int = Field(examples=[0])
    scored_after: int = Field(examples=[6])
    is_worse: bool


class Verdict(BaseModel):
    """Judge or model: the judge's own shift by its anchors, and the model's without it."""

    suspect: Suspect
    judge: Size
    corrected: Size


class ShownAnswer(BaseModel):
    run_id: UUID
    night: date
    response: str | None
    score: float | None
    reason: str | None = Field(description="The judge's, or the scorer's.")


class FlippedAnswer(BaseModel):
    """A question that flipped: the last answer that passed before the change, the last that failed since."""

    unit: str
    question: str = Field(description="Its id in the suite.", examples=["cod-0042"])
    input: str
    target: str
    before: ShownAnswer | None
    after: ShownAnswer | None


class Findings(BaseModel):
    """All that is known of an incident. Nights are local dates of the schedule; null: not known."""

    headline: str
    stream: str = Field(description="What crossed its line first.", examples=["category:coding"])
    streams: Sequence[str] = Field(description="All that have crossed theirs.")
    cause: Cause
    because: Sequence[str] = Field(description="The reasons, the strongest first.")
    severity: str = Field(examples=["major"])
    night: date = Field(description="The night of the alarm.")
    since: date | None = Field(description="The likeliest first changed night …")
    since_earliest: date | None = Field(description="… and the range of those nearly as likely.")
    since_latest: date | None
    change_run: UUID | None
    alarm_run: UUID
    size: Size | None = Field(description="Null: not measured.")
    evidence_ratio: float | None = Field(description="At the alarm, over what it takes. Null: no statistics.")
    nights_per_false_alarm: float
    watched_models: int
    overdispersion: float
    is_noisy: bool
    categories: Sequence[Where] = ()
    questions: Sequence[Flip] = ()
    verdict: Verdict | None = None
    your_side: Sequence[str] = Field((), description="What changed on your side at that time.")
    answers: Sequence[FlippedAnswer] = ()


class IncidentEvent(BaseModel):
    """What befell an incident, by the watch (`driftwarden`) or by a person."""

    kind: EventKind
    at: datetime
    by: str
    note: str
    run_id: UUID | None = Field(description="The entry that led to it; null for a person's act.")
    facts: Mapping[str, Any]


class IncidentSummary(BaseModel):
    id: UUID
    schedule: str = Field(examples=["nightly"])
    suite: str = Field(examples=["golden"])
    subject: Subject
    model: str = Field(description="Of a judge, its name.", examples=["atlas-large"])
    status: Status
    resolution: str | None = Field(description="How it was closed.", examples=[None])
    cause: Cause
    severity: str = Field(examples=["major"])
    headline: str
    opened_run: UUID
    opened_at: datetime
    closed_at: datetime | None


class IncidentPage(Page[IncidentSummary]):
    """One page of incidents, newest first."""


class Incident(IncidentSummary):
    """The whole story of an incident."""

    findings: Findings
    events: Sequence[IncidentEvent] = Field(description="Oldest first.")
    acts: Sequence[Act] = Field(description="What can be done about it now.")


class ActRequest(RequestBody):
    note: Text = Field("", description="Why, for those who read it later.", examples=["Known regression."])


class AcceptRequest(ActRequest):
    night: NightDate | None = Field(
        None, description="The new normal begins with this night. Absent: with the night of the change."
    )
