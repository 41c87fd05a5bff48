"""What the database itself refuses: no score without its state, no second change of what is finished."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import pytest

from shared.db import pairs, runs, suites
from shared.db.pairs import PairStep
from shared.db.pool import Pool, open_pool
from shared.domain.answers.scoring import Unscored, Verdict
from shared.domain.errors import ErrorKind
from shared.domain.runs import PairKey, PairState, RunState
from shared.settings import Settings
from tests.factories import make_answer, make_question, make_suite, plan_run

ANSWER = make_answer(response="42", cost_usd=Decimal("0.000123456"))
RIGHT = Verdict(1.0, True, "the numbers agree")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(Settings(database_url=database_url)) as pool:  # type: ignore[arg-type]
        yield pool


def scored(key: PairKey) -> PairStep:
    return PairStep(key, PairState.PENDING, PairState.SCORED, answer=ANSWER, outcome=RIGHT)


async def test_planning_twice_adds_only_what_is_missing(pool: Pool) -> None:
    keys = await plan_run(pool, models=("bright", "dim"), repeats=2)
    assert len(keys) == 2 * 3 * 2
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM pairs WHERE model = 'dim' AND repeat = 2")
        numbers = sorted({key.question_id for key in keys})
        assert await pairs.plan_pairs(connection, keys[0].run_id, ["bright", "dim"], numbers, 2) == 12
        assert await pairs.list_open_pairs(connection, keys[0].run_id) == keys


async def test_a_step_takes_effect_once(pool: Pool) -> None:
    key, other, *_ = await plan_run(pool)
    async with pool.acquire() as connection:
        assert await pairs.record_steps(connection, [scored(key)]) == {key}
        failed = PairStep(
            key, PairState.PENDING, PairState.FAILED, outcome=Unscored(ErrorKind.TIMEOUT, "late")
        )
        assert await pairs.record_steps(connection, [failed, scored(other)]) == {other}
        row = await connection.fetchrow("SELECT * FROM results WHERE question_id = $1", key.question_id)
    assert (row["state"], row["score"], row["response"], row["attempts"]) == ("scored", 1.0, "42", 1)
    assert row["cost_usd"] == Decimal("0.000123456")


async def test_a_stored_answer_survives_until_it_is_judged(pool: Pool) -> None:
    key, *_ = await plan_run(pool)
    judged = PairStep(key, PairState.ANSWERED, PairState.SCORED, judgement=ANSWER, outcome=RIGHT)
    async with pool.acquire() as connection:
        answered = PairStep(key, PairState.PENDING, PairState.ANSWERED, answer=ANSWER)
        await pairs.record_steps(connection, [answered])
        found = await pairs.find_open_pair(connection, key)
        assert found is not None
        assert (found.state, found.response) == (PairState.ANSWERED, "42")
        assert await pairs.record_steps(connection, [judged]) == {key}
        assert await pairs.find_open_pair(connection, key) is None
        row = await connection.fetchrow("SELECT * FROM pairs WHERE question_id = $1", key.question_id)
    assert (row["response"], row["attempts"], row["judge_attempts"]) == ("42", 1, 1)
    assert row["judge_cost_usd"] == row["cost_usd"] == Decimal("0.000123456")


async def test_a_score_of_zero_cannot_stand_for_a_failure(pool: Pool) -> None:
    key, *_ = await plan_run(pool)
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "UPDATE pairs SET state = 'failed', score = 0, passed = false, error_kind = 'timeout',"
                " closed_at = now() WHERE question_id = $1",
                key.question_id,
            )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pairs SET score = 0 WHERE state = 'scored'",
        "UPDATE pairs SET state = 'pending', score = NULL, passed = NULL, closed_at = NULL",
        "UPDATE runs SET state = 'running', finished_at = NULL",
        "UPDATE run_aggregates SET accuracy = 1",
    ],
)
async def test_what_is_finished_cannot_be_changed(pool: Pool, change: str) -> None:
    keys = await plan_run(pool)
    async with pool.acquire() as connection:
        await pairs.record_steps(connection, [scored(key) for key in keys])
        async with connection.transaction():
            assert await runs.claim_close(connection, keys[0].run_id)
            await connection.execute(
                "INSERT INTO run_aggregates (run_id, model, category, planned, answered, scored, coverage,"
                " questions, perfect, partial, failed, unscored, input_tokens, output_tokens)"
                " VALUES ($1, 'bright', 'all', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
                keys[0].run_id,
            )
            await runs.close_run(connection, keys[0].run_id)
        with pytest.raises(asyncpg.RestrictViolationError, match="finished fact"):
            await connection.execute(change)


async def test_two_last_pairs_at_once_close_the_run_once(pool: Pool) -> None:
    """Each writes its pair and looks only after its commit; the run never stays open, and closes once."""
    for _ in range(20):
        first, last = await plan_run(pool, content=make_suite(2))

        async def finish(key: PairKey) -> bool:
            async with pool.acquire() as connection:
                await pairs.record_steps(connection, [scored(key)])
                async with connection.transaction():
                    if not await runs.claim_close(connection, key.run_id):
                        return False
                    return await runs.close_run(connection, key.run_id) is RunState.COMPLETED

        assert sorted(await asyncio.gather(finish(first), finish(last))) == [False, True]


async def test_an_open_pair_keeps_its_run_open(pool: Pool) -> None:
    first, *_ = await plan_run(pool)
    async with pool.acquire() as connection:
        await pairs.record_steps(connection, [scored(first)])
        assert not await runs.claim_close(connection, first.run_id)


async def test_stopping_skips_what_is_not_in_flight(pool: Pool) -> None:
    flying, answered, waiting = await plan_run(pool)
    async with pool.acquire() as connection:
        step = PairStep(answered, PairState.PENDING, PairState.ANSWERED, answer=ANSWER)
        await pairs.record_steps(connection, [step])
        assert await runs.request_stop(connection, flying.run_id, RunState.CANCELLED)
        assert not await runs.request_stop(connection, flying.run_id, RunState.STOPPED_BY_BUDGET)
        skipped = await pairs.skip_open_pairs(
            connection, flying.run_id, ErrorKind.CANCELLED, except_for=[flying]
        )
        states = await connection.fetch("SELECT question_id, state FROM pairs ORDER BY question_id")
        assert skipped == 2
        assert dict(states) == {
            flying.question_id: "pending", answered.question_id: "unscored", waiting.question_id: "skipped",
        }  # fmt: skip
        assert not await runs.claim_close(connection, flying.run_id)
        await pairs.record_steps(connection, [scored(flying)])
        assert await runs.claim_close(connection, flying.run_id)
        assert await runs.close_run(connection, flying.run_id) is RunState.CANCELLED


async def test_spending_reaches_the_allowance(pool: Pool) -> None:
    first, *_ = await plan_run(pool, max_cost_usd=Decimal("0.03"))
    async with pool.acquire() as connection:
        assert not await runs.add_spending(connection, first.run_id, Decimal("0.029"))
        assert await runs.add_spending(connection, first.run_id, Decimal("0.001"))


async def test_the_same_suite_makes_no_new_version(pool: Pool) -> None:
    content = make_suite(3)
    shuffled = type(content)(content.questions[::-1])
    changed = type(content)((*content.questions[:2], make_question(3, target="7")))
    async with pool.acquire() as connection:
        first, is_new = await suites.store_suite(connection, "golden", content)
        assert (first.version, is_new, first.questions) == (1, True, 3)
        assert await suites.store_suite(connection, "golden", shuffled) == (first, False)
        second, is_new = await suites.store_suite(connection, "golden", changed)
        assert (second.version, is_new) == (2, True)
        kept = await suites.read_questions(connection, first.id)
        assert [stored.question for stored in kept] == list(content.questions)
        assert await suites.list_suites(connection) == [second]
