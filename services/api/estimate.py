"""Estimating a run: the same checks as for submitting one, then its questions, counted and priced."""

import asyncio

from services.api.desk import Desk
from services.api.schemas import estimates as schemas
from services.api.schemas.runs import RunRequest
from services.api.submission import read_order
from shared.db import suites
from shared.db.judges import StoredJudge
from shared.domain.cost import CostRange, PayerEstimate, RunEstimate, estimate
from shared.domain.suites import sample
from shared.orders import check_order

NO_PRICE = "price unknown: state input_cost_per_token and output_cost_per_token in models.yaml"


async def estimate_run(desk: Desk, request: RunRequest) -> schemas.RunEstimate:
    """Tell what a run would take, and store nothing.

    Raises:
        InvalidInput: the same request could not be submitted; the field says why.
    """
    async with desk.connection() as connection:
        order = await check_order(connection, desk.catalogue, read_order(request))
        stored = await suites.read_questions(connection, order.suite.id)
    judge = order.judge.judge if isinstance(order.judge, StoredJudge) else order.judge
    prices = {model: desk.catalogue.resolve(model).prices for model in order.models}
    judge_price = (judge.model, desk.catalogue.resolve(judge.model).prices) if judge else None

    def add_up() -> RunEstimate:
        questions = sample([each.question for each in stored], request.sample or len(stored))
        return estimate(questions, prices, judge=judge_price, repeats=request.repeats)

    return _describe(await asyncio.to_thread(add_up))


def _describe(estimated: RunEstimate) -> schemas.RunEstimate:
    return schemas.RunEstimate(
        pairs=estimated.pairs,
        models=[_describe_payer(payer) for payer in estimated.models],
        judge=_describe_payer(estimated.judge) if estimated.judge else None,
        total_usd=_describe_cost(estimated.total),
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
