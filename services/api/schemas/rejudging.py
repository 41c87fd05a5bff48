"""Stored answers, scored again by another judge."""

from typing import Annotated

from pydantic import BaseModel, Field

from services.api.schemas.fields import Flag, Integral, ModelName, RequestBody
from services.api.schemas.runs import Run


class RejudgeRequest(RequestBody):
    """Who scores the stored answers again."""

    judge: ModelName = Field(
        description="A stored judge, or a model that judges with the default prompt.", examples=["strict"]
    )
    allow_self_judging: Flag = Field(False, description="Let a judge judge its own answers.")


class RejudgeNightsRequest(RejudgeRequest):
    """Who scores a schedule's last nights again."""

    nights: Annotated[int, Field(strict=True, ge=1, le=1000), Integral] = Field(
        30, description="How many of its last nights, with their confirmations."
    )


class RejudgedNights(BaseModel):
    """A run for each nightly or confirmation run that did not count as scored by this judge, oldest first."""

    runs: list[Run]
