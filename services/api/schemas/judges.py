"""Judges: a model with a prompt and parameters, versioned by content."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from services.api.paging import Page
from services.api.schemas.fields import JsonObject, ModelName, RequestBody, text


class JudgeRequest(RequestBody):
    """A judge to store; content that is new under its name makes a new version."""

    name: ModelName = Field(examples=["strict"])
    model: ModelName = Field(examples=["openai/gpt-4o"])
    prompt: Annotated[str, text(50_000, 1)] | None = Field(None, description="Absent: the default prompt.")
    parameters: JsonObject | None = Field(
        None,
        description="LiteLLM's parameters of each call. Absent: the default ones.",
        examples=[{"temperature": 0}],
    )


class Judge(BaseModel):
    name: str = Field(examples=["strict"])
    version: int = Field(examples=[1])
    model: str = Field(examples=["openai/gpt-4o"])
    prompt: str
    parameters: Mapping[str, Any] = Field(examples=[{"temperature": 0}])
    created_at: datetime


class JudgePage(Page[Judge]):
    """One page of judges: by name, each name's newest version first."""
