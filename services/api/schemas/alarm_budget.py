"""How easily the watch may alarm, and what it sees at that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from services.api.schemas.fields import RequestBody

LARGEST_BUDGET = 1e6

NightsPerFalseAlarm = Annotated[float, Field(strict=True, ge=1, le=LARGEST_BUDGET, allow_inf_nan=False)]


class AlarmBudgetRequest(RequestBody):
    """The budget of the nights to come."""

    nights_per_false_alarm: NightsPerFalseAlarm = Field(examples=[365])


class Sensitivity(BaseModel):
    """What a budget means for a suite: measured on simulated models, each question asked once a night."""

    nights_per_false_alarm: float = Field(examples=[365])
    false_alarms_a_year: float = Field(
        description="At most so many of the whole installation, if every night is measured.", examples=[1.0]
    )
    drop_within_week: float | None = Field(
        description="The drop of the mean score that is seen within 7 nights in 8 of 10 cases. Null: none up "
        "to 0.2, or the suite has fewer than 25 questions, which was never measured.",
        examples=[0.046],
    )
    nights_to_ten_points: int | None = Field(
        description="After so many nights a drop of 0.1 was seen in 8 of 10 cases. Null: more than 30, or "
        "not measured.",
        examples=[2],
    )


class AlarmBudget(BaseModel):
    """At most one false alarm in so many nights, over all that is watched."""

    nights_per_false_alarm: float = Field(examples=[365])
    set_by: str | None = Field(description="Null: nobody; the server's setting holds.", examples=["ada"])
    set_at: datetime | None
    watched_models: int = Field(description="Models of all active schedules, which share it.", examples=[11])
    suite: str | None = Field(description="Whose sensitivity is told; null: no suite is stored.")
    questions: int | None = Field(description="So many of it are asked a night.", examples=[210])
    choices: Sequence[Sensitivity] = Field(
        description="What usual budgets, and this one, would mean for the suite, the most jumpy first."
    )
