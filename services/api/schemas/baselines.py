"""Pinned baselines, as they are asked for and as they are told."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from services.api.paging import Page
from services.api.schemas.fields import ModelName, RequestBody, SuiteName
from services.api.schemas.schedules import NightDate


class BaselineRequest(RequestBody):
    """The nights that slow decay is measured against: the first seven that measured the model count."""

    schedule: SuiteName = Field(examples=["nightly"])
    model: ModelName
    first_night: NightDate = Field(examples=["2026-10-23"])
    last_night: NightDate = Field(examples=["2026-10-31"])


class Baseline(BaseModel):
    schedule: str = Field(examples=["nightly"])
    model: str = Field(examples=["atlas-large"])
    first_night: date
    last_night: date
    at: datetime = Field(description="When it was pinned.")
    by: str = Field(examples=["r.okafor"])


class BaselinePage(Page[Baseline]):
    """One page of baselines, by schedule and model. All other models have their first seven nights."""
