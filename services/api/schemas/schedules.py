"""Schedules and their nights, as they are asked for and as they are told."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.paging import Page
from services.api.schemas.fields import (
    Count,
    Flag,
    Integral,
    ModelName,
    PromptReference,
    RequestBody,
    SuiteName,
    Usd,
    UsdLimit,
    WrittenInText,
    text,
)
from shared.db.schedules import NightState
from shared.domain.runs import RunState

FIRST_NIGHT, LAST_NIGHT = date(2000, 1, 1), date(2200, 1, 1)
EXAMPLE: dict[str, Any] = {
    "suite": "golden",
    "models": ["atlas-large", "openai/gpt-4o-mini"],
    "cron": "0 2 * * *",
    "time_zone": "Europe/Berlin",
    "repeats": 2,
    "max_cost_usd": 15,
}


def _check_is_sane(night: date) -> date:
    if not FIRST_NIGHT <= night < LAST_NIGHT:
        raise ValueError("must lie in the years 2000 to 2199.")
    return night


NightDate = Annotated[date, AfterValidator(_check_is_sane), WrittenInText]


class ScheduleRequest(RequestBody):
    """What runs by itself, night after night, and is watched. What is left out has its default again."""

    suite: SuiteName = Field(description="Each night asks its newest version.")
    models: list[ModelName] | None = Field(
        None,
        min_length=1,
        max_length=200,
        json_schema_extra={"uniqueItems": True},
        description="Names in models.yaml, or provider/model. Absent: models.yaml but its judge, as it is on "
        "each night. Controls come along by themselves.",
    )
    judge: ModelName | None = Field(
        None, description="A stored judge, or a model. Absent: the default judge of models.yaml."
    )
    prompt: PromptReference | None = Field(
        None, description="A stored prompt: without a version, each night asks with its newest one."
    )
    cron: Annotated[str, text(100, 1)] = Field(
        "0 2 * * *", description="Minute, hour, day, month, weekday: once on a local date at most."
    )
    time_zone: Annotated[str, text(100, 1)] = Field("UTC", examples=["Europe/Berlin"])
    repeats: Annotated[int, Field(strict=True, ge=1, le=100), Integral] = 1
    sample: Count | None = Field(
        None, description="So many questions, spread over categories; the same each night."
    )
    max_cost_usd: UsdLimit | None = Field(
        None, description="A run is stopped when it has cost so much; such a night is no measurement."
    )
    confirmations: Annotated[int, Field(strict=True, ge=0, le=2), Integral] = Field(
        2, description="How often a night's suspicious models are asked once more at once, at most."
    )
    renotify_days: Annotated[int, Field(strict=True, ge=1, le=365), Integral] = Field(
        7, description="Every so many days people are reminded of what is still open."
    )
    is_paused: Flag = Field(False, description="Open no nights until it is resumed.")

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class LastNight(BaseModel):
    """A schedule's newest night and its nightly run; a missed one has a reason and no run."""

    night: date
    state: NightState
    run_id: UUID | None
    run_state: RunState | None
    reason: str | None = Field(examples=[None])


class Schedule(BaseModel):
    name: str = Field(examples=["nightly"])
    suite: str = Field(examples=["golden"])
    models: Sequence[str] | None = Field(description="Null: all that models.yaml has on each night.")
    judge: str | None = Field(description="Null: the default judge of models.yaml.")
    prompt: str | None = Field(description="Null: the question alone.", examples=[None])
    cron: str = Field(examples=["0 2 * * *"])
    time_zone: str = Field(examples=["Europe/Berlin"])
    repeats: int
    sample: int | None
    max_cost_usd: Usd | None
    confirmations: int
    renotify_days: int
    is_paused: bool
    next_due_at: datetime | None = Field(description="Null: it is paused.")
    last_night: LastNight | None = Field(description="Null: there has been none.")
    nights_missed: int = Field(examples=[0])


class SchedulePage(Page[Schedule]):
    """One page of schedules, by name."""


class NightRun(BaseModel):
    run_id: UUID
    attempt: int = Field(description="0: the nightly run; 1 and 2 confirm it.")
    state: RunState
    is_seen: bool = Field(description="It is over, and the watch has drawn its conclusions.")


class Night(BaseModel):
    """A night that came due, or that a person opened."""

    night: date = Field(description="The schedule's local date.")
    state: NightState
    reason: str | None = Field(description="Why it was missed.", examples=[None])
    due_at: datetime
    runs: Sequence[NightRun]


class NightPage(Page[Night]):
    """One page of nights, newest first."""


class TriggerRequest(RequestBody):
    """Which night to open."""

    night: NightDate | None = Field(
        None, description="Absent: today, where the schedule lives.", examples=["2026-11-21"]
    )
