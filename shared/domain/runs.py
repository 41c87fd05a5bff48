"""Runs and their pairs: identities, kinds and states."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import NewType, TypeVar
from uuid import UUID

from shared.domain.answers.scoring import Unscored
from shared.domain.errors import ErrorKind
from shared.domain.texts import make_storable

RunId = NewType("RunId", UUID)

LONGEST_TOLD = 500
MOST_TOKENS = 2**31 - 1


class RunKind(StrEnum):
    ADHOC = "adhoc"
    NIGHTLY = "nightly"
    CONFIRMATION = "confirmation"
    GATE = "gate"
    RERUN = "rerun"
    IMPORTED = "imported"


class RunState(StrEnum):
    SUBMITTED = "submitted"
    PLANNED = "planned"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    STOPPED_BY_BUDGET = "stopped_by_budget"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self not in (RunState.SUBMITTED, RunState.PLANNED, RunState.RUNNING)


class PairState(StrEnum):
    PENDING = "pending"
    ANSWERED = "answered"
    SCORED = "scored"
    UNSCORED = "unscored"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class PairKey:
    """The unit of work: one question put to one model once. `question_id` is the stored question's number."""

    run_id: RunId
    model: str
    question_id: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider returned for one question, and what it said about itself.

    Whatever it said, an answer can be stored: text without NUL and lone surrogates, what it calls itself in
    LONGEST_TOLD characters, token counts that are counts. What it said in another type counts as not said.
    """

    response: str
    finish_reason: str | None
    served_model: str | None
    system_fingerprint: str | None
    request_id: str | None
    latency_seconds: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "response", make_storable(self.response))
        for name in ("finish_reason", "served_model", "system_fingerprint", "request_id"):
            object.__setattr__(self, name, _told(getattr(self, name)))
        for name in ("input_tokens", "output_tokens"):
            object.__setattr__(self, name, _counted(getattr(self, name)))

    @property
    def tokens(self) -> int | None:
        """Tokens in and out together, None where the provider reports neither."""
        return _sum(self.input_tokens, self.output_tokens)

    def after(self, next_one: "Answer") -> "Answer":
        """The next answer to the same request, carrying what both have cost: time, tokens and money."""
        return replace(
            next_one,
            latency_seconds=self.latency_seconds + next_one.latency_seconds,
            input_tokens=_sum(self.input_tokens, next_one.input_tokens),
            output_tokens=_sum(self.output_tokens, next_one.output_tokens),
            cost_usd=_sum(self.cost_usd, next_one.cost_usd),
        )


def _told(value: object) -> str | None:
    return make_storable(value[:LONGEST_TOLD]) if isinstance(value, str) else None


def _counted(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST_TOKENS else None


Amount = TypeVar("Amount", int, Decimal)


def _sum(one: Amount | None, other: Amount | None) -> Amount | None:
    return other if one is None else one if other is None else one + other


def unmeasurable(answer: Answer) -> Unscored | None:
    """Why an answer can't be scored at all, None when it can. A cut-off answer is not a wrong one."""
    if answer.finish_reason == "content_filter":
        return Unscored(ErrorKind.CONTENT_FILTER, "The provider's content filter withheld the answer.")
    if answer.finish_reason == "length":
        return Unscored(
            ErrorKind.TRUNCATED, f"Cut off after {answer.output_tokens} tokens; raise max_tokens."
        )
    if not answer.response.strip():
        return Unscored(ErrorKind.EMPTY, "The provider returned an empty answer.")
    return None
