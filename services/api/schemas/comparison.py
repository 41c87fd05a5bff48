"""Two runs compared, question by question. Scores are shares from 0 to 1; a difference below 0 is worse."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.figures.comparison import GateVerdict
from shared.domain.runs import RunKind, RunState


class ComparedRun(BaseModel):
    id: UUID
    kind: RunKind
    state: RunState
    suite: str = Field(examples=["golden"])
    suite_version: int
    judge: str | None
    judge_version: int | None
    prompt: str | None = Field(description="Null: the question alone.")
    prompt_version: int | None
    repeats: int
    finished_at: datetime | None


class Paired(BaseModel):
    """Candidate minus baseline over the questions that both have scored."""

    model_config = ConfigDict(from_attributes=True)

    verdict: GateVerdict = Field(
        description="pass: not worse by the margin. fail: worse. inconclusive: these questions can't tell."
    )
    questions: int
    clusters: int = Field(description="Independent groups of questions.")
    baseline_only: int = Field(description="Questions that only the baseline has scored; not compared.")
    candidate_only: int
    baseline_accuracy: float = Field(examples=[0.84])
    candidate_accuracy: float = Field(examples=[0.511])
    difference: float = Field(examples=[-0.329])
    adjusted_difference: float = Field(
        description="With two pseudo-questions, one better and one worse: the centre of the interval."
    )
    standard_error: float
    lower: float = Field(description="Lower end of the interval; each side holds with 95 %.")
    upper: float
    margin: float = Field(examples=[0.03])
    minimum_detectable_difference: float = Field(description="The drop seen in 8 of 10 such comparisons.")
    questions_needed: int = Field(description="So many questions would settle the margin in 8 of 10 cases.")
    questions_needed_with_4_repeats: int = Field(description="The same, if each is asked four times.")
    p_worse: float = Field(description="How often chance alone looks this bad.")
    worse: int = Field(description="Questions with a lower score than before.")
    better: int
    unchanged: int
    broke: int = Field(description="Questions that went from right to wrong: across one half.")
    fixed: int = Field(description="Questions that went from wrong to right.")


class PairedCategory(Paired):
    category: str = Field(examples=["math"])
    adjusted_p_worse: float = Field(description="p_worse, allowing for the number of categories looked at.")
    is_worse: bool = Field(description="One in ten of those called worse is a false alarm on average.")


class PairedModel(Paired):
    baseline_model: str = Field(examples=["atlas-large"])
    candidate_model: str = Field(examples=["atlas-large"])
    categories: list[PairedCategory]


class NotCompared(BaseModel):
    """A model that could not be compared, which is not the same as no difference."""

    model: str
    reason: str = Field(examples=["only in the baseline"])


class Flip(BaseModel):
    """A question that crossed one half, from right to wrong or back."""

    model: str = Field(description="The candidate's model.", examples=["atlas-large"])
    question: str = Field(description="The question's id in the candidate's suite.", examples=["math-017"])
    category: str = Field(examples=["math"])
    score_before: float
    score_after: float
    answer_before: str | None = Field(description="How the answer began; the first one of several.")
    answer_after: str | None


class Flips(BaseModel):
    """At most 200 questions that flipped, those that broke first, the largest changes on top."""

    broke: int = Field(description="How many there are in all.")
    fixed: int
    items: list[Flip]


class RunComparison(BaseModel):
    """Two runs, paired by question: each model on its own, and all of them together."""

    baseline: ComparedRun
    candidate: ComparedRun
    same_answers: bool = Field(
        description="One run rejudges the other's answers, or both a third's: what differs is the judges'"
        " doing, and no model is better or worse."
    )
    margin: float = Field(examples=[0.03])
    verdict: GateVerdict = Field(description="fail if any model fails, else that of all models together.")
    pooled: Paired
    models: list[PairedModel]
    not_compared: list[NotCompared]
    flips: Flips
