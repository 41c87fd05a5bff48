"""What a closed run says."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from services.worker.finalize import finalize_run
from shared.db import pairs, runs
from shared.db.aggregates import RunAggregate, read_aggregates
from shared.db.pairs import PairStep
from shared.db.pool import Pool, open_pool
from shared.domain.answers.scoring import Unscored, Verdict
from shared.domain.errors import ErrorKind
from shared.domain.questions.suites import SuiteContent
from shared.domain.runs import PairState, RunState
from shared.settings import Settings
from tests.factories import make_answer, make_question, plan_run


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(Settings(database_url=database_url)) as pool:  # type: ignore[arg-type]
        yield pool


async def close(pool: Pool, steps: list[PairStep]) -> dict[tuple[str, str], RunAggregate]:
    run_id = steps[0].key.run_id
    async with pool.acquire() as connection:
        await pairs.record_steps(connection, steps)
    assert await finalize_run(pool, run_id)
    assert not await finalize_run(pool, run_id)
    async with pool.acquire() as connection:
        run = await runs.find_run(connection, run_id)
        assert run is not None
        assert run.state is RunState.COMPLETED
        return {(each.model, each.category): each for each in await read_aggregates(connection, run_id)}


async def test_repeats_are_averaged_per_question_first(pool: Pool) -> None:
    """Two questions, one with three repeats measured and one with a single one, weigh the same."""
    content = SuiteContent((make_question(1), make_question(2)))
    keys = await plan_run(pool, content=content, repeats=3)
    lost = Unscored(ErrorKind.TIMEOUT, "late")
    first, second = sorted({key.question_id for key in keys})
    steps = []
    for key in keys:
        if key.question_id == first:
            outcome, after = Verdict(1.0, True, ""), PairState.SCORED
        elif key.repeat == 1:
            outcome, after = Verdict(0.0, False, ""), PairState.SCORED
        else:
            outcome, after = lost, PairState.FAILED
        answer = make_answer() if after is PairState.SCORED else None
        steps.append(PairStep(key, PairState.PENDING, after, answer=answer, outcome=outcome))

    whole = (await close(pool, steps))["bright", "all"]
    assert second != first
    assert (whole.accuracy, whole.questions) == (0.5, 2)
    assert (whole.planned, whole.answered, whole.scored, whole.coverage) == (6, 4, 4, 4 / 6)
    assert whole.errors == {"timeout": 2}
    assert (whole.perfect, whole.partial, whole.failed, whole.unscored) == (1, 0, 1, 0)


async def test_a_model_that_never_answers_has_no_accuracy_and_harms_no_other(pool: Pool) -> None:
    keys = await plan_run(pool, models=("bright", "gone"))
    lost = Unscored(ErrorKind.TIMEOUT, "late")
    steps = [
        PairStep(key, PairState.PENDING, PairState.FAILED, outcome=lost)
        if key.model == "gone"
        else PairStep(
            key, PairState.PENDING, PairState.SCORED, answer=make_answer(), outcome=Verdict(1.0, True, "")
        )
        for key in keys
    ]
    closed = await close(pool, steps)
    gone, bright = closed["gone", "all"], closed["bright", "all"]
    assert (gone.coverage, gone.accuracy, gone.accuracy_lower, gone.pass_rate) == (0.0, None, None, None)
    assert (gone.latency_mean_seconds, gone.cost_usd, gone.errors) == (None, 0, {"timeout": 3})
    assert (bright.coverage, bright.accuracy) == (1.0, 1.0)
    assert bright.accuracy_lower is not None
    assert bright.accuracy_lower < 1.0, "an interval is never of width zero"


async def test_each_category_adds_up_to_the_whole(pool: Pool) -> None:
    content = SuiteContent(
        tuple(make_question(number, category="odd" if number % 2 else "even") for number in range(1, 6))
    )
    keys = await plan_run(pool, content=content)
    steps = [
        PairStep(
            key, PairState.PENDING, PairState.SCORED,
            answer=make_answer(cost_usd=Decimal("0.01")), outcome=Verdict(0.5, False, ""),
        )
        for key in keys
    ]  # fmt: skip
    closed = await close(pool, steps)
    whole, odd, even = (closed["bright", category] for category in ("all", "odd", "even"))
    assert (odd.questions, even.questions, whole.questions) == (3, 2, 5)
    assert odd.cost_usd == Decimal("0.03")
    assert even.cost_usd == Decimal("0.02")
    assert whole.cost_usd == Decimal("0.05")
    assert (whole.accuracy, whole.pass_rate, whole.partial) == (0.5, 0.0, 5)


async def test_a_cost_that_is_not_known_is_not_a_partial_sum(pool: Pool) -> None:
    keys = await plan_run(pool)
    prices = [Decimal("0.01"), None, Decimal("0.01")]
    steps = [
        PairStep(
            key, PairState.PENDING, PairState.SCORED,
            answer=make_answer(cost_usd=price), outcome=Verdict(1.0, True, ""),
        )
        for key, price in zip(keys, prices, strict=True)
    ]  # fmt: skip
    assert (await close(pool, steps))["bright", "all"].cost_usd is None
