"""The watch over history, as it is asked for and as it is told."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.fields import Integral, ModelName, RequestBody, SuiteName
from shared.domain.causes.blame import Cause
from shared.domain.drift.detections import Subject
from shared.domain.telling.incidents import EventKind, MonitorState

EXAMPLE: dict[str, Any] = {"suite": "golden", "models": ["atlas-large"], "runs": 30}
Last: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000), Integral]


class BacktestRequest(RequestBody):
    """Which history to go over: a schedule's sequence, or all completed runs of a suite in order of time."""

    schedule: SuiteName | None = Field(None, description="Either this …", examples=["nightly"])
    suite: SuiteName | None = Field(None, description="… or this. Imported runs count like any other.")
    models: list[ModelName] | None = Field(
        None, min_length=1, max_length=200, description="Absent: all that were asked, controls left out."
    )
    runs: Last | Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Only these runs, or only the last so many. Absent: all."
    )
    nights_per_false_alarm: Annotated[float, Field(strict=True, ge=1, le=1e6, allow_inf_nan=False)] | None = (
        Field(
            None,
            description="How rarely to alarm without a reason. Absent: as the schedule or server has it.",
        )
    )

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class Size(BaseModel):
    """How much moved: shares from -1 to 1 with a 95 % interval, or a `ratio` for latency, tokens and cost."""

    value: float | None
    lower: float | None
    upper: float | None
    units: int | None
    ratio: float | None


class Category(BaseModel):
    category: str
    value: float
    lower: float
    upper: float
    is_worse: bool = Field(description="Of those called worse, one in ten is a false lead on average.")


class BacktestEvent(BaseModel):
    """What people would have been told on a night."""

    night: date
    kind: EventKind
    headline: str
    cause: Cause
    because: Sequence[str]
    severity: str
    since: date | None
    size: Size | None
    stream: str
    streams: Sequence[str]
    joined: Sequence[str] = Field(description="Streams that joined the open incident on this night.")
    categories: Sequence[Category]
    evidence_ratio: float | None = Field(description="Evidence over what an alarm takes.")


class BacktestImprovement(BaseModel):
    """Told, without an alarm."""

    night: date
    headline: str
    since: date | None
    size: Size | None
    streams: Sequence[str]


class Nearest(BaseModel):
    """Where evidence came nearest to an alarm without one."""

    night: date
    stream: str
    evidence_ratio: float


class Sensitivity(BaseModel):
    """After this history: the drop of the whole suite that is noticed within so many nights in 8 of 10 cases,
    at most; an estimate.
    """

    nights: int
    drop: float


class BacktestRecord(BaseModel):
    """One watched thing: a model, its judge, or the harness."""

    subject: Subject
    model: str = Field(examples=["atlas-large"])
    entries: int
    state: MonitorState = Field(description="Where it would stand after the last entry.")
    events: Sequence[BacktestEvent]
    improvements: Sequence[BacktestImprovement]
    watched_nights: Sequence[date] = Field(description="Evidence was gathering, too little for an alarm.")
    quarantined_nights: Sequence[date] = Field(description="Outages that passed, set aside by themselves.")
    nearest: Nearest | None
    sensitivity: Sensitivity | None = Field(description="Null: fewer than two nights count.")


class BacktestSummary(BaseModel):
    incidents: int
    improvements: int
    quarantined: int
    quiet_models: Sequence[str] = Field(description="Models about which no incident would have opened.")
    sentence: str


class Backtest(BaseModel):
    """What the watch would have told, had it been there and had nobody intervened."""

    schedule: str | None
    suite: str
    entries: int
    first_night: date
    last_night: date
    watched_models: int
    nights_per_false_alarm: float
    items: Sequence[BacktestRecord]
    summary: BacktestSummary
