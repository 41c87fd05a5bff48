"""Which model to take for which need. Shares are from 0 to 1; a difference below 0 is worse."""

from pydantic import BaseModel, Field

from shared.domain.figures.recommendation import Caution, Need


class Difference(BaseModel):
    """One model minus another on the questions that both have scored."""

    questions: int = Field(examples=[200])
    value: float = Field(examples=[-0.032])
    lower: float = Field(description="Lower end of the interval; each side holds with 95 %.")
    upper: float


class Choice(BaseModel):
    need: Need = Field(
        description="best: the highest accuracy of those that no other is ahead of. value: the cheapest of"
        " those. fastest: the lowest median latency. cheapest_within_loss: the cheapest that is no more than"
        " `loss` behind the best one, with 95 %."
    )
    model: str | None = Field(description="Null: nothing can be recommended; the reason says why.")
    reason: str = Field(examples=["Scores 93.9 %, interval 92.2 to 95.6. Ahead of all 9 others."])
    tied_with: list[str] = Field(description="They meet this need as well, as far as can be told.")
    accuracy: float | None
    cost_usd_per_answer: float | None
    latency_p50_seconds: float | None
    against_best: Difference | None = Field(
        description="This model minus the best one; null for the best one, or if no question is shared."
    )


class Notice(BaseModel):
    caution: Caution
    models: list[str] = Field(examples=[["atlas-large"]])
    told: str


class Recommendation(BaseModel):
    """Models of which less than 80 % was scored are not recommended. No items: nothing was measured."""

    suite: str | None = Field(description="Null: no run has been completed yet.", examples=["golden"])
    category: str = Field(examples=["all"])
    loss: float = Field(examples=[0.03])
    items: list[Choice]
    warnings: list[Notice]
