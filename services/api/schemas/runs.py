"""Runs, as they are asked for and as they are told."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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
    Version,
    text,
)
from shared.domain.runs import PairState, RunKind, RunState

EXAMPLE: dict[str, Any] = {
    "suite": "golden",
    "models": ["atlas-large", "openai/gpt-4o-mini"],
    "repeats": 3,
    "max_cost_usd": 2.5,
    "labels": {"branch": "main"},
}


class RunRequest(RequestBody):
    """A run: every question of a suite, put to every model, `repeats` times."""

    suite: SuiteName
    suite_version: Version | None = Field(None, description="Absent: the newest one.")
    models: list[ModelName] | None = Field(
        None,
        min_length=1,
        max_length=200,
        json_schema_extra={"uniqueItems": True},
        description="Names in models.yaml, or provider/model. Absent: models.yaml but judge and controls.",
    )
    judge: ModelName | None = Field(
        None,
        description="A stored judge, or a model that judges with the default prompt. Absent: the default "
        "judge of models.yaml. Nobody is asked when every question's scorer is deterministic.",
    )
    prompt: PromptReference | None = Field(
        None, description="A stored prompt, or a version of it. Absent: the question alone, as the user's."
    )
    repeats: Annotated[int, Field(strict=True, ge=1, le=100), Integral] = 1
    sample: Count | None = Field(
        None, description="So many questions, spread over categories; always the same."
    )
    max_cost_usd: UsdLimit | None = Field(
        None, description="The run is stopped when its answers and judgements have cost so much."
    )
    labels: dict[Annotated[str, text(100, 1)], Annotated[str, text(1000)]] = Field({}, max_length=50)
    git_commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")] | None = None
    callback_url: Annotated[str, text(2000, 1)] | None = Field(
        None,
        description="Where the finished run is posted to, signed with the installation's own secret.",
        examples=["https://ci.example.org/driftwarden"],
    )
    kind: Literal["adhoc", "gate"] = "adhoc"
    allow_self_judging: Flag = Field(False, description="Let a judge judge its own answers.")

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class Run(BaseModel):
    """A run as it stands; what is not known yet is null."""

    id: UUID
    kind: RunKind
    state: RunState
    suite: str = Field(examples=["golden"])
    suite_version: int = Field(examples=[1])
    judge: str | None = Field(description="Null: no question asks a judge.", examples=["sim-judge"])
    judge_version: int | None = Field(examples=[1])
    prompt: str | None = Field(description="Null: the question alone.", examples=[None])
    prompt_version: int | None = Field(examples=[None])
    models: Sequence[str] = Field(examples=[["atlas-large"]])
    repeats: int
    sample: int | None
    parameters: Mapping[str, Any] = Field(examples=[{"temperature": 0, "max_tokens": 2048}])
    max_cost_usd: Usd | None
    spent_usd: Usd
    labels: Mapping[str, str]
    git_commit: str | None
    client_versions: Mapping[str, str] = Field(examples=[{"driftwarden": "0.1.0", "litellm": "1.106.2"}])
    stop_reason: Literal["cancelled", "stopped_by_budget"] | None
    error: str | None = Field(description="Why the run failed.")
    planned_pairs: int | None = Field(
        description="Models × questions × repeats, once planned.", examples=[150]
    )
    created_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    schedule: str | None = Field(description="The schedule whose night this is.", examples=[None])
    night: date | None = Field(description="The schedule's local date.", examples=[None])
    attempt: int | None = Field(description="0: the nightly run; 1 and 2 confirm it.", examples=[None])
    rejudges: UUID | None = Field(
        description="The run whose answers this one has scored again by another judge.", examples=[None]
    )


class ModelProgress(BaseModel):
    """How many of a model's pairs are in which state."""

    model: str = Field(examples=["atlas-large"])
    pending: int
    answered: int = Field(description="Answered, but not judged yet.")
    scored: int
    unscored: int
    failed: int
    skipped: int


class RunProgress(BaseModel):
    """How far a run has come. Without models: not planned yet."""

    run_id: UUID
    state: RunState
    planned_pairs: int | None
    closed_pairs: int
    spent_usd: Usd
    error: str | None
    models: list[ModelProgress]


class Aggregate(BaseModel):
    """What a model came to in one category of a finished run; `all` is all of them. Null: not measured."""

    model: str = Field(examples=["atlas-large"])
    category: str = Field(examples=["all"])
    planned: int
    answered: int
    scored: int
    coverage: float = Field(description="Scored / planned.")
    questions: int = Field(description="Distinct questions with a score.")
    accuracy: float | None = Field(
        description="Mean score, repeats averaged per question first.", examples=[0.82]
    )
    accuracy_lower: float | None = Field(description="Lower end of the 95 % interval.", examples=[0.73])
    accuracy_upper: float | None = Field(examples=[0.89])
    interval_method: str | None
    detectable_difference: float | None = Field(
        description="The drop in accuracy that one more such run would show in 8 of 10 cases."
    )
    pass_rate: float | None
    perfect: int = Field(description="Questions with a score of 1.")
    partial: int
    failed: int = Field(description="Questions with a score of 0.")
    unscored: int = Field(description="Questions without any score.")
    latency_mean_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: Usd | None = Field(description="Null where a price is not known.")
    judge_cost_usd: Usd | None
    errors: Mapping[str, int] = Field(
        description="Reasons why pairs have no score.", examples=[{"timeout": 2}]
    )


class RunDetail(Run):
    """A run with its progress while it is open, and with its aggregates once it is finished."""

    progress: list[ModelProgress] | None = Field(description="Null once the run is finished.")
    aggregates: list[Aggregate] | None = Field(description="Null while the run is open.")


class RunPage(Page[Run]):
    """One page of runs, newest first."""


def progress_of(models: Sequence[str], counts: Mapping[str, Mapping[PairState, int]]) -> list[ModelProgress]:
    """Progress in the order of the request; a model without pairs is left out."""
    return [
        ModelProgress(model=model, **{state.value: counts[model].get(state, 0) for state in PairState})
        for model in models
        if model in counts
    ]
