"""What has been measured lately, in one view."""

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

Period: TypeAlias = Literal["24h", "7d", "30d", "90d", "all"]


class Summary(BaseModel):
    runs: int = Field(description="Completed runs, imported ones included.")
    average_score: float | None = Field(
        description="Mean over the questions of all runs; null: nothing was measured.", examples=[0.82]
    )
    items: int = Field(description="Pairs: a question put to a model once.")


class TopModel(BaseModel):
    """A model over all its runs. Models that were asked different questions are not comparable."""

    model: str = Field(examples=["atlas-large"])
    accuracy: float = Field(description="Mean over the questions of its runs.", examples=[0.82])
    questions: int = Field(description="Questions with a score, counted in every run.")
    runs: int


class Dataset(BaseModel):
    suite: str = Field(examples=["golden"])
    runs: int
    items: int
    average_score: float | None


class ScoreDistribution(BaseModel):
    """How many questions, counted for each model and run, scored 1, between, 0, or not at all."""

    perfect: int
    partial: int
    failed: int
    unscored: int


class RunsAt(BaseModel):
    """The runs that finished in one hour (period 24h) or day, by its start in UTC."""

    at: datetime
    runs: int
    items: int
    average_score: float | None


class LatencyAt(BaseModel):
    at: datetime
    latency_mean_seconds: float | None = Field(description="Mean over all answers.")
    latency_p95_seconds: float | None = Field(
        description="The highest 95th percentile that any model had in any run."
    )


class Stats(BaseModel):
    """The completed runs of a period, by the time they finished. Hours or days without a run are left out."""

    period: Period
    summary: Summary
    top_models: list[TopModel] = Field(description="At most ten, by accuracy.")
    score_distribution: ScoreDistribution
    runs_over_time: list[RunsAt]
    latency_over_time: list[LatencyAt]
    top_datasets: list[Dataset] = Field(description="At most ten suites, by number of runs.")
