"""Writing results in batches: together where it goes, alone where it must."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest

from services.worker import writes
from services.worker.writes import BATCH_ROWS, ResultWriter
from shared.db import runs
from shared.db.pairs import PairStep
from shared.db.pool import Pool, open_pool
from shared.domain.answers.scoring import Verdict
from shared.domain.runs import PairKey, PairState, RunId
from shared.settings import Settings
from tests.factories import make_answer, make_suite, plan_run


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(Settings(database_url=database_url)) as pool:  # type: ignore[arg-type]
        yield pool


class Ears:
    """Remembers which runs it was told of."""

    def __init__(self) -> None:
        self.heard: list[RunId] = []

    async def __call__(self, run_id: RunId) -> None:
        self.heard.append(run_id)


def scored(key: PairKey, **answer: object) -> PairStep:
    right = Verdict(1.0, True, "")
    return PairStep(key, PairState.PENDING, PairState.SCORED, answer=make_answer(**answer), outcome=right)


async def test_many_steps_are_written_and_each_is_told_once_committed(pool: Pool) -> None:
    keys = await plan_run(pool, content=make_suite(3 * BATCH_ROWS))
    closed, spent = Ears(), Ears()
    async with ResultWriter(pool, on_closed=closed, on_spent=spent).writing() as writer:
        assert all(await asyncio.gather(*(writer.record(scored(key)) for key in keys)))
        assert not await writer.record(scored(keys[0])), "it is written already"
    async with pool.acquire() as connection:
        run = await runs.find_run(connection, keys[0].run_id)
    assert run is not None
    assert run.spent_usd == len(keys) * Decimal("0.001")
    assert set(closed.heard) == {keys[0].run_id}
    assert spent.heard == []


async def test_what_an_answer_is_stays_when_it_is_judged(pool: Pool) -> None:
    """The refusal is known with the answer, the failure of form with the score, two steps apart."""
    (key,) = await plan_run(pool, content=make_suite(1))
    right = Verdict(1.0, True, "")
    steps = [
        PairStep(key, PairState.PENDING, PairState.ANSWERED, answer=make_answer(), refused=True),
        PairStep(key, PairState.ANSWERED, PairState.SCORED, outcome=right, format_failed=False),
    ]
    async with ResultWriter(pool, on_closed=Ears(), on_spent=Ears()).writing() as writer:
        assert [await writer.record(step) for step in steps] == [True, True]
    async with pool.acquire() as connection:
        row = await connection.fetchrow("SELECT refused, format_failed FROM pairs")
    assert tuple(row) == (True, False)


@pytest.mark.parametrize("poison", ["a NUL \x00 in it", "a lone \ud800 surrogate"])
async def test_a_row_that_cannot_be_stored_takes_no_other_with_it(pool: Pool, poison: str) -> None:
    keys = await plan_run(pool, content=make_suite(5))
    async with ResultWriter(pool, on_closed=Ears(), on_spent=Ears()).writing() as writer:
        written = await asyncio.gather(
            *(writer.record(scored(key)) for key in keys[:4]),
            writer.record(replace(scored(keys[4]), outcome=Verdict(1.0, True, poison))),
            return_exceptions=True,
        )
    assert written[:4] == [True] * 4
    assert isinstance(written[4], asyncpg.DataError)


async def test_the_same_pair_twice_in_one_batch_is_paid_for_once(pool: Pool) -> None:
    keys = await plan_run(pool, content=make_suite(1))
    async with ResultWriter(pool, on_closed=Ears(), on_spent=Ears()).writing() as writer:
        assert sorted(await asyncio.gather(*(writer.record(scored(keys[0])) for _ in range(2)))) == [
            False,
            True,
        ]
    async with pool.acquire() as connection:
        run = await runs.find_run(connection, keys[0].run_id)
    assert run is not None
    assert run.spent_usd == Decimal("0.001")


async def test_a_used_up_allowance_is_told(pool: Pool) -> None:
    keys = await plan_run(pool, content=make_suite(3), max_cost_usd=Decimal("0.002"))
    spent = Ears()
    async with ResultWriter(pool, on_closed=Ears(), on_spent=spent).writing() as writer:
        await writer.record(scored(keys[0]))
        assert spent.heard == []
        await writer.record(scored(keys[1]))
    assert spent.heard == [keys[0].run_id]


async def test_nothing_is_asked_while_nothing_can_be_stored_but_for_a_probe(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await plan_run(pool, content=make_suite(3))
    async with pool.acquire() as connection:
        await connection.execute(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE EXCEPTION 'No space left' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER full_disk BEFORE UPDATE ON pairs FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        )
    async with ResultWriter(pool, on_closed=Ears(), on_spent=Ears()).writing() as writer:
        assert writer.wait_seconds() == 0
        with pytest.raises(asyncpg.DiskFullError):
            await writer.record(scored(keys[0]))
        assert 0 < writer.wait_seconds() <= writes.PROBE_SECONDS
        monkeypatch.setattr(writes, "PROBE_SECONDS", 0.0)
        with pytest.raises(asyncpg.DiskFullError):
            await writer.record(scored(keys[0]))
        monkeypatch.undo()
        assert writer.wait_seconds() == 0, "one is let through to see"
        assert writer.wait_seconds() > 0, "and one only"
        async with pool.acquire() as connection:
            await connection.execute("DROP TRIGGER full_disk ON pairs")
        assert await writer.record(scored(keys[0]))
        assert writer.wait_seconds() == 0
