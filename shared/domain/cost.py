"""Money: what tokens cost, and what a run will cost before it starts. Decimal US dollars all through.

An unknown price is absent (`None`), never zero; a model of one's own with a stated price of 0 costs 0.
Discounts for cached or batched tokens are left out: a cost is rather too high than too low.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.domain.questions.suites import Question

BYTES_PER_TOKEN = 4
FRAMING_TOKENS = 8
ANSWER_TOKENS = 200
JUDGE_INSTRUCTION_TOKENS = 400
SHORT_VERDICT_TOKENS, VERDICT_TOKENS = 60, 150


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one token read and one token written; neither is negative."""

    input_per_token: Decimal
    output_per_token: Decimal

    def __post_init__(self) -> None:
        for rate in (self.input_per_token, self.output_per_token):
            if not rate.is_finite() or rate < 0:
                raise ValueError(f"a price per token must be 0 or more, not {rate}")


@dataclass(frozen=True, slots=True)
class CostRange:
    """US dollars: the least to expect, and what to expect."""

    low_usd: Decimal
    expected_usd: Decimal


@dataclass(frozen=True, slots=True)
class PayerEstimate:
    """What the calls of one model, or of the judge, will take. `cost` is None where no price is known."""

    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: CostRange | None


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run of `pairs` answers will take; `judge` is None where nobody is asked to grade.

    `total` is None if any price is unknown: a part would pass for the whole. `assumptions` are sentences for
    people.
    """

    pairs: int
    models: tuple[PayerEstimate, ...]
    judge: PayerEstimate | None
    assumptions: tuple[str, ...]

    @property
    def total(self) -> CostRange | None:
        payers = [*self.models, *([self.judge] if self.judge else [])]
        known = [payer.cost for payer in payers if payer.cost is not None]
        if len(known) < len(payers):
            return None
        return CostRange(
            sum((each.low_usd for each in known), Decimal(0)),
            sum((each.expected_usd for each in known), Decimal(0)),
        )


def cost(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    """US dollars for one call."""
    return price.input_per_token * input_tokens + price.output_per_token * output_tokens


def count_tokens(text: str) -> int:
    """A rule of thumb without a tokenizer: a token for every 4 bytes of UTF-8, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def estimate(
    questions: Iterable[Question],
    prices: Mapping[str, Price | None],
    *,
    judge: tuple[str, Price | None] | None = None,
    repeats: int = 1,
    prompt: str = "",
) -> RunEstimate:
    """What a run will cost: every question to every model of `prices`, `repeats` times.

    `judge` is its name and price; it is asked only for questions whose scorer wants it. `prompt`: what a
    model reads beside each question.
    """
    asked = tuple(questions)
    judged = [question for question in asked if question.scorer.asks_the_judge] if judge else []
    beside = count_tokens(prompt)
    answers = [_estimate_answers(model, price, asked, repeats, beside) for model, price in prices.items()]
    verdicts = _estimate_verdicts(*judge, judged, repeats * len(prices)) if judge and judged else None
    return RunEstimate(
        len(asked) * len(prices) * repeats, tuple(answers), verdicts, _state_assumptions(bool(judged))
    )


def _estimate_answers(
    model: str, price: Price | None, asked: Sequence[Question], times: int, beside: int
) -> PayerEstimate:
    read = times * sum(count_tokens(question.input) + beside + FRAMING_TOKENS for question in asked)
    shortest = times * sum(count_tokens(question.target) for question in asked)
    calls = times * len(asked)
    expected = shortest + ANSWER_TOKENS * calls
    costs = None if price is None else CostRange(cost(price, read, shortest), cost(price, read, expected))
    return PayerEstimate(model, calls, read, expected, costs)


def _estimate_verdicts(
    model: str, price: Price | None, judged: Sequence[Question], times: int
) -> PayerEstimate:
    calls = times * len(judged)
    least = times * sum(count_tokens(q.input) + 2 * count_tokens(q.target) for q in judged)
    least += JUDGE_INSTRUCTION_TOKENS * calls
    read = least + ANSWER_TOKENS * calls
    low, expected = SHORT_VERDICT_TOKENS * calls, VERDICT_TOKENS * calls
    costs = None if price is None else CostRange(cost(price, least, low), cost(price, read, expected))
    return PayerEstimate(model, calls, read, expected, costs)


def _state_assumptions(is_judged: bool) -> tuple[str, ...]:
    assumptions = [
        f"A token is {BYTES_PER_TOKEN} bytes of text; no provider's own count is asked.",
        f"An answer is as long as its reference (low), or {ANSWER_TOKENS} tokens longer (expected).",
        "Thought that a model bills beside its answer is not included, nor are answers asked again.",
    ]
    if is_judged:
        assumptions.append(
            f"The judge reads {JUDGE_INSTRUCTION_TOKENS} tokens of its own, question, reference and"
            f" answer, and writes {SHORT_VERDICT_TOKENS} (low) or {VERDICT_TOKENS} tokens (expected)."
        )
    return tuple(assumptions)
