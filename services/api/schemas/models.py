"""Models: how they rank, how they have done over time, and whether they answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.paging import Page
from services.api.schemas.fields import ModelName, RequestBody, Usd
from shared.domain.runs import RunKind


class Standing(BaseModel):
    """One model on the leaderboard. Null: not measured; a model without accuracy has no rank."""

    rank: int | None = Field(description="Place by accuracy alone; equal ones share it.", examples=[2])
    rank_best: int | None = Field(
        description="The best place that comparing the models question by question leaves open. All"
        " ranges of a table hold together in 95 of 100 tables.",
        examples=[1],
    )
    rank_worst: int | None = Field(description="The worst one.", examples=[4])
    tied: bool = Field(description="More than one place is open.")
    model: str = Field(examples=["atlas-large"])
    accuracy: float | None = Field(examples=[0.82])
    accuracy_lower: float | None = Field(description="Lower end of the 95 % interval.", examples=[0.73])
    accuracy_upper: float | None = Field(examples=[0.89])
    n: int = Field(description="Questions with a score.", examples=[50])
    coverage: float = Field(description="Scored / planned pairs.", examples=[1.0])
    pass_rate: float | None
    latency_mean_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    cost_usd: Usd | None = Field(description="What the answers have cost; null where a price is not known.")
    run_id: UUID
    finished_at: datetime
    note: str | None = Field(
        description="Why scores are missing, and where the run differs from the newest one shown.",
        examples=["no answer: 50 × timeout"],
    )


class Leaderboard(BaseModel):
    """Models on one suite: those with an accuracy first, the best on top."""

    suite: str | None = Field(description="Null: no run has been completed yet.", examples=["golden"])
    category: str = Field(examples=["all"])
    items: list[Standing]


class Measurement(BaseModel):
    """What a model came to in one category of one completed run."""

    run_id: UUID
    kind: RunKind
    finished_at: datetime
    suite: str = Field(examples=["golden"])
    suite_version: int = Field(examples=[1])
    judge: str | None = Field(description="Null: none was asked, or it is not known.", examples=["sim-judge"])
    judge_version: int | None = Field(examples=[1])
    prompt: str | None = Field(description="Null: the question alone.", examples=[None])
    prompt_version: int | None = Field(examples=[None])
    model: str = Field(examples=["atlas-large"])
    category: str = Field(examples=["all"])
    planned: int
    answered: int
    scored: int
    coverage: float = Field(description="Scored / planned.")
    questions: int = Field(description="Distinct questions with a score.")
    accuracy: float | None = Field(examples=[0.82])
    accuracy_lower: float | None = Field(description="Lower end of the 95 % interval.", examples=[0.73])
    accuracy_upper: float | None = Field(examples=[0.89])
    detectable_difference: float | None = Field(
        description="The drop in accuracy that one more such run would show in 8 of 10 cases."
    )
    pass_rate: float | None
    latency_mean_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    cost_usd: Usd | None
    judge_cost_usd: Usd | None
    errors: Mapping[str, int] = Field(examples=[{"timeout": 2}])
    git_commit: str | None
    labels: Mapping[str, Any]


class HistoryPage(Page[Measurement]):
    """One page of a model's measurements, newest first."""


class CheckRequest(RequestBody):
    """Which models to ask who they are."""

    models: list[ModelName] | None = Field(
        None,
        min_length=1,
        max_length=200,
        json_schema_extra={"uniqueItems": True},
        description="Names in models.yaml, or provider/model. Absent: all of models.yaml.",
    )


class CheckedModel(BaseModel):
    """Whether a model answers. What it says about itself proves nothing by itself."""

    model: str = Field(examples=["atlas-large"])
    ok: bool
    latency_seconds: float | None = None
    served_model: str | None = Field(default=None, description="What the provider says answered.")
    system_fingerprint: str | None = None
    says_it_is: str | None = Field(default=None, description="The answer to: who are you?")
    error_kind: str | None = Field(default=None, examples=["timeout"])
    error: str | None = None


class CheckedModels(BaseModel):
    """One entry for each model, in the order of the request."""

    items: list[CheckedModel]
