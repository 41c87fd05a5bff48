"""The watch as it is told: where each watched thing stands, and one stream over its nights."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.paging import Page
from services.api.schemas.fields import Integral, ModelName, RequestBody, Text
from shared.domain.drift.detections import Outcome, Subject
from shared.domain.telling.incidents import MonitorState


class Accuracy(BaseModel):
    """Of one entry: a share of the questions, with its 95 % interval."""

    value: float = Field(examples=[0.817])
    lower: float = Field(examples=[0.738])
    upper: float = Field(examples=[0.876])
    n: int = Field(description="Questions that have a score.", examples=[120])
    detectable_difference: float | None = Field(
        description="The drop that one more such run would show in 8 of 10 cases.", examples=[0.11]
    )


class Standing(BaseModel):
    """Where one watched thing of a schedule stands after its last entry. Null: not measured, or not known."""

    schedule: str = Field(examples=["nightly"])
    subject: Subject
    model: str = Field(description="Of a judge, its name.", examples=["atlas-large"])
    state: MonitorState = Field(description="Paused: its schedule is.")
    since_night: date | None = Field(
        description="The night that brought the state. Null: a person's act has.", examples=["2026-11-16"]
    )
    last_night: date | None = Field(description="The night of its last entry.", examples=["2026-11-21"])
    accuracy: Accuracy | None = Field(description="Of the last entry; null where nothing was scored.")
    evidence_ratio: float | None = Field(
        description="Evidence for the worse over what an alarm takes: below 1, no alarm. While an incident "
        "is open, that of its alarm, for evidence begins anew after it.",
        examples=[0.06],
    )
    leading_stream: str | None = Field(
        description="The stream nearest to its alarm, or that of the open incident.", examples=["accuracy"]
    )
    overdispersion: float | None = Field(
        description="How much more the leading stream's nights vary than chance explains; 1: no more.",
        examples=[1.04],
    )
    is_noisy: bool | None = Field(description="An overdispersion above 1.5.")
    incident_id: UUID | None = Field(description="The open incident about it.")
    told: str = Field(description="All of this in a sentence.", examples=["No change was found."])


class Standings(BaseModel):
    items: Sequence[Standing]
    nights_per_false_alarm: float = Field(
        description="The budget of false alarms of the whole installation, one in so many nights.",
        examples=[365],
    )
    watched_models: int = Field(description="Models of all active schedules, which share it.", examples=[11])


class Decision(BaseModel):
    """What was decided about an entry. `driftwarden` decides about outages that have passed."""

    by: str = Field(examples=["r.okafor"])
    at: datetime
    note: str


class HistoryEntry(BaseModel):
    """One stream on one entry. Entries of one `series` can be compared with each other, others can't."""

    night: date
    run_id: UUID
    attempt: int = Field(description="0: the nightly run; 1 and 2 confirm it.")
    is_imported: bool
    series: int = Field(description="From 1; a new epoch and an accepted baseline begin another.")
    epoch: str = Field(description="A short hash of prompt, parameters and judge.", examples=["7c1e0a90"])
    outcome: Outcome | None = Field(description="Null: the watch has not seen this entry yet.")
    z_low: float | None = Field(
        description="Lower end of the night's normal score, large is worse. Null: it says nothing."
    )
    z_high: float | None
    evidence_worse: float | None = Field(description="Evidence for the worse over what an alarm takes.")
    evidence_better: float | None
    watch_from: float | None = Field(description="From this evidence on, by the same measure, it is watched.")
    threshold: float | None = Field(
        description="The evidence that an alarm takes. Null: the stream had no question.", examples=[33458]
    )
    overdispersion: float | None
    coverage: float | None = Field(description="Scored answers over planned ones.")
    accuracy: Accuracy | None = Field(
        description="Of the whole suite, or of the stream's category. Null: not measured."
    )
    quarantined: Decision | None = Field(description="Set aside: it says nothing about the model.")
    baseline_accepted: Decision | None = Field(description="The model's new normal begins here.")
    incident_id: UUID | None = Field(description="The incident about the model that this entry has opened.")
    changes: Sequence[str] = Field(
        description="What changed on your side since the model's entry before.",
        examples=[["You changed the judge: strict version 1 -> 2."]],
    )
    identity_changes: Sequence[str] = Field(
        description="What changed of what the provider, or the model, says it is."
    )
    told: str | None = Field(description="What is special about this entry; null: nothing.")


class HistoryPage(Page[HistoryEntry]):
    """One page of a stream, newest entry first."""

    schedule: str
    subject: Subject
    model: str
    stream: str


class QuarantineRequest(RequestBody):
    """Which entry of the night to set aside, and for whom."""

    model: ModelName
    attempt: Annotated[int, Field(strict=True, ge=0, le=2), Integral] = Field(
        0, description="0: the nightly run; 1 and 2 confirm it."
    )
    note: Text = Field("", description="Why, for those who read it later.", examples=["Maintenance window."])


class Quarantined(BaseModel):
    schedule: str
    model: str
    night: date
    attempt: int
    runs: Sequence[UUID] = Field(description="Several only where imports of one date are linked.")
    by: str
    at: datetime
    note: str
