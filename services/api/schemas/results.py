"""Results: what was asked, what was answered, what it was worth."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.api.paging import Page
from services.api.schemas.fields import Usd
from shared.domain.errors import ErrorKind
from shared.domain.runs import PairState


class Result(BaseModel):
    """One pair: a question put to a model once. Null: not measured, which is never a score of zero."""

    model: str = Field(examples=["atlas-large"])
    question: str = Field(description="The question's id in its suite.", examples=["math-017"])
    category: str = Field(examples=["math"])
    repeat: int
    state: PairState
    score: float | None = Field(description="From 0 to 1.")
    passed: bool | None
    reason: str | None = Field(description="Why this score, in the scorer's or the judge's words.")
    response: str | None
    input: str
    target: str
    scorer: Mapping[str, Any] = Field(examples=[{"name": "numeric"}])
    finish_reason: str | None
    served_model: str | None = Field(description="What the provider says answered.")
    system_fingerprint: str | None
    request_id: str | None
    latency_seconds: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Usd | None
    judge_cost_usd: Usd | None
    error_kind: ErrorKind | None = Field(description="Why there is no score.")
    error_detail: str | None
    attempts: int
    judge_attempts: int
    answered_at: datetime | None
    closed_at: datetime | None
    refused: bool | None = Field(description="Whether the answer declines what was asked.")
    format_failed: bool | None = Field(
        description="Whether it failed by its form; null where the scorers ask for none."
    )
    response_removed_at: datetime | None = Field(
        description="When the answer, and what a judge said of it, were removed by their age; else null."
    )


class ResultPage(Page[Result]):
    """One page of results, by model, question and repeat."""
