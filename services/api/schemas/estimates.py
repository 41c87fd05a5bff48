"""What a run would take, before anything is stored or spent."""

from pydantic import BaseModel, Field

from services.api.schemas.fields import Usd


class UsdRange(BaseModel):
    """US dollars: the least to expect, and what to expect."""

    low: Usd = Field(examples=[0.04])
    expected: Usd = Field(examples=[0.12])


class PayerEstimate(BaseModel):
    """The calls of one model, or of the judge."""

    model: str = Field(examples=["atlas-large"])
    pairs: int = Field(description="How often it is asked.", examples=[50])
    input_tokens: int
    output_tokens: int = Field(description="As expected; a low estimate takes fewer.")
    cost_usd: UsdRange | None = Field(description="Null: its price is not known.")
    note: str | None = Field(examples=[None])


class RunEstimate(BaseModel):
    """What the same request would take as a run. Nothing was stored."""

    pairs: int = Field(description="Models × questions × repeats.", examples=[150])
    models: list[PayerEstimate]
    judge: PayerEstimate | None = Field(description="Null: no question asks a judge.")
    total_usd: UsdRange | None = Field(description="Null: not every price is known.")
    duration_seconds: float | None = Field(
        description="From the first question to the last verdict, if nothing else runs. Null: a model was "
        "never measured, so nobody knows how fast it answers.",
        examples=[180.0],
    )
    detectable_difference: float = Field(
        description="The difference in accuracy between two such runs, or two of these models, that is seen "
        "in 8 of 10 cases, at most.",
        examples=[0.046],
    )
    expected_accuracy: float = Field(
        description="What that difference is worked out from: of all accuracies that the intervals of the "
        "suite's newest measurements allow, the nearest to one half; 0.8 where nothing was measured.",
        examples=[0.83],
    )
    assumptions: list[str]
