"""Estimating a run: the same checks as for submitting one, then its questions, counted and priced."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.api.desk import Desk
from services.api.schemas import estimates as schemas
from services.api.schemas.runs import RunRequest
from services.api.submission import read_order
from shared.db import measurements, suites
from shared.db.judges import StoredJudge
from shared.db.pool import Connection
from shared.domain.cost import CostRange, PayerEstimate, RunEstimate, estimate
from shared.domain.duration import Pace, estimate_seconds
from shared.domain.figures.sensitivity import detectable_in_advance
from shared.domain.questions.suites import sample
from shared.orders import check_order

EXPECTED_ACCURACY = 0.8  # of a suite that nothing was measured on
NO_PRICE = "price unknown: state input_cost_per_token and output_cost_per_token in models.yaml"


async def estimate_run(desk: Desk, request: RunRequest) -> schemas.RunEstimate:
    """Tell what a run would take, and store nothing.

    Raises:
        InvalidInput: the same request could not be submitted; the field says why.
    """
    async with desk.connection() as connection:
        order = await check_order(connection, desk.catalogue, read_order(request))
        stored = await suites.read_questions(connection, order.suite.id)
        past = await _read_past(connection, order.suite.name, order.models)
    judge = order.judge.judge if isinstance(order.judge, StoredJudge) else order.judge
    prices = {model: desk.catalogue.resolve(model).prices for model in order.models}
    judge_price = (judge.model, desk.catalogue.resolve(judge.model).prices) if judge else None
    surroundings = order.prompt.prompt.surroundings if order.prompt else ""

    def add_up() -> RunEstimate:
        questions = sample([each.question for each in stored], request.sample or len(stored))
        return estimate(questions, prices, judge=judge_price, repeats=request.repeats, prompt=surroundings)

    estimated = await asyncio.to_thread(add_up)
    questions = min(request.sample or len(stored), len(stored))
    return _describe(
        estimated,
        duration_seconds=estimate_seconds(_paces(desk, estimated, past)),
        detectable_difference=detectable_in_advance(questions, request.repeats, past.accuracy),
        expected_accuracy=past.accuracy,
    )


@dataclass(frozen=True, slots=True)
class _Past:
    """What earlier runs tell: the accuracy to expect, and seconds an answer and a verdict took."""

    accuracy: float
    answer_seconds: Mapping[str, float]
    verdict_seconds: float | None


async def _read_past(connection: Connection, suite: str, models: Sequence[str]) -> _Past:
    newest = await measurements.read_newest(connection, suite, "all")
    doubtful = [
        min(max(0.5, each.accuracy_lower), each.accuracy_upper)
        for each in newest
        if each.accuracy_lower is not None and each.accuracy_upper is not None
    ]
    return _Past(
        min(doubtful, key=lambda accuracy: abs(accuracy - 0.5), default=EXPECTED_ACCURACY),
        await measurements.read_latencies(connection, models),
        await measurements.read_judge_latency(connection),
    )


def _paces(desk: Desk, estimated: RunEstimate, past: _Past) -> list[Pace]:
    seconds = {payer.model: past.answer_seconds.get(payer.model) for payer in estimated.models}
    paces = [_pace(desk, payer, seconds[payer.model]) for payer in estimated.models]
    return [*paces, *([_pace(desk, estimated.judge, past.verdict_seconds)] if estimated.judge else [])]


def _pace(desk: Desk, payer: PayerEstimate, seconds: float | None) -> Pace:
    entry = desk.catalogue.entries.get(payer.model)
    slots = (entry and entry.max_parallel_requests) or desk.settings.model_slots
    return Pace(payer.calls, seconds, slots, entry.rpm if entry else None)


def _describe(
    estimated: RunEstimate,
    *,
    duration_seconds: float | None,
    detectable_difference: float,
    expected_accuracy: float,
) -> schemas.RunEstimate:
    return schemas.RunEstimate(
        pairs=estimated.pairs,
        models=[_describe_payer(payer) for payer in estimated.models],
        judge=_describe_payer(estimated.judge) if estimated.judge else None,
        total_usd=_describe_cost(estimated.total),
        duration_seconds=duration_seconds,
        detectable_difference=detectable_difference,
        expected_accuracy=expected_accuracy,
        assumptions=list(estimated.assumptions),
    )


def _describe_payer(payer: PayerEstimate) -> schemas.PayerEstimate:
    return schemas.PayerEstimate(
        model=payer.model,
        pairs=payer.calls,
        input_tokens=payer.input_tokens,
        output_tokens=payer.output_tokens,
        cost_usd=_describe_cost(payer.cost),
        note=NO_PRICE if payer.cost is None else None,
    )


def _describe_cost(cost: CostRange | None) -> schemas.UsdRange | None:
    return None if cost is None else schemas.UsdRange(low=cost.low_usd, expected=cost.expected_usd)
