"""Anchors: frozen answers that the judge scores again every night, and how far it agrees with people."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.paging import Page
from services.api.schemas.fields import Integral, RequestBody, SuiteName
from shared.domain.answers.anchors import Stratum

Score = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Wanted = Annotated[int, Field(strict=True, ge=0, le=500), Integral]


class AnchorsRequest(RequestBody):
    """A new set of anchors for a suite, chosen from what its judge has scored."""

    suite: SuiteName
    borderline: Wanted = Field(40, description="So many answers on which the judge wavers, at most.")
    clear: Wanted = Field(40, description="So many that it always gave 0, or always 1, at most.")
    runs: Annotated[int, Field(strict=True, ge=1, le=100), Integral] = Field(
        14, description="How many of the suite's newest completed runs to look at."
    )


class AnchorSet(BaseModel):
    """A suite's active anchors: the runs that begin from now on judge them."""

    id: int
    suite: str = Field(examples=["golden"])
    borderline: int = Field(description="How many anchors are borderline.", examples=[40])
    clear: int = Field(examples=[40])
    borderline_share: float = Field(
        description="The share of borderline answers among all that were looked at: what the stratum weighs.",
        examples=[0.18],
    )
    labelled: int = Field(description="How many anchors a person has scored.", examples=[0])
    created_at: datetime
    by: str


class Anchor(BaseModel):
    id: int
    stratum: Stratum
    question: str = Field(examples=["math-017"])
    category: str = Field(examples=["math"])
    input: str
    target: str
    model: str = Field(examples=["atlas-large"])
    run_id: UUID = Field(description="Where the answer was given.")
    response: str
    score: float = Field(description="The judge's, when the answer was frozen.")
    label: float | None = Field(description="What a person says it is worth; null: nobody said.")
    labelled_by: str | None


class AnchorPage(Page[Anchor]):
    """One page of a suite's active anchors, the borderline ones first."""

    set: AnchorSet


class LabelRequest(RequestBody):
    """What a person says an anchor is worth."""

    score: Score = Field(examples=[1.0])


class Kappa(BaseModel):
    """Cohen's kappa and its 95 % interval: 1 is full agreement, 0 as much as by chance."""

    model_config = ConfigDict(from_attributes=True)

    value: float = Field(examples=[0.69])
    lower: float
    upper: float


class Agreement(BaseModel):
    """On which answers judge and people agree that they pass: a score of 0.5 or more."""

    model_config = ConfigDict(from_attributes=True)

    n: int = Field(description="Labelled anchors.", examples=[80])
    share: float | None = Field(description="The share on which they agree; null: no label.", examples=[0.85])
    kappa: Kappa | None = Field(description="Null: no label, or both let all of them pass, or none.")
    both_pass: int
    judge_only: int = Field(description="The judge lets them pass, people do not.")
    person_only: int
    both_fail: int


class JudgeAgreement(Agreement):
    """The judge's agreement with people over the labelled anchors of a suite.

    Its score is the newest night's; before the first night, that with which the answer was frozen.
    Borderline answers are hard ones and make up more of the anchors than of the suite, so expect less
    agreement here than on the suite's answers: `by_stratum` tells them apart.
    """

    set: AnchorSet
    by_stratum: dict[Stratum, Agreement]
