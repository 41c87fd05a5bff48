"""The judge is judged every night by the same frozen answers: each once, whatever dies, within the budget."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from uuid import uuid4

import pytest

from services.scheduler.rescue import rescue
from shared.db import anchors, runs
from shared.db.anchors import Unjudged
from shared.domain.answers.anchors import Stratum
from shared.domain.answers.scoring import Unscored, Verdict
from shared.domain.errors import ErrorKind
from shared.domain.runs import RunId, RunKind, RunState
from shared.queue import plant_sentinel
from tests.integration.anchoring import Nights, open_nights
from tests.integration.submitting import is_queued

JUDGED_PAIRS = 40  # of a night: 20 questions that ask the judge, 2 models
ANCHORS = 24


@pytest.fixture
def places(database_url: str, redis_url: str, tmp_path: Path) -> tuple[str, str, Path]:
    return database_url, redis_url, tmp_path


@pytest.fixture
async def nights(places: tuple[str, str, Path]) -> AsyncIterator[Nights]:
    """One night is over, and its answers are frozen as anchors."""
    async with open_nights(*places, max_attempts=2) as nights:
        await nights.run()
        await nights.choose()
        await nights.forget_requests()
        yield nights


async def owed(nights: Nights, run_id: RunId, repeats: int = 1) -> list[Unjudged]:
    async with nights.here.pool.acquire() as connection:
        return await anchors.list_unjudged(connection, run_id, repeats)


async def are_judged(nights: Nights, run_id: RunId, repeats: int = 1) -> bool:
    async with nights.here.pool.acquire() as connection:
        return await anchors.are_judged(connection, run_id, repeats=repeats)


async def test_a_night_judges_every_anchor_once(nights: Nights) -> None:
    run_id = await nights.run()
    judged = await nights.judgements(run_id)
    assert len(judged) == ANCHORS
    assert [row["score"] for row in judged] == [row["frozen"] for row in judged], "the judge is steady"
    assert all(row["reason"] and row["cost_usd"] > 0 for row in judged)
    assert await nights.here.requests("judge") == JUDGED_PAIRS + ANCHORS
    assert await are_judged(nights, run_id)
    assert (await nights.here.run(run_id)).state is RunState.COMPLETED


async def test_a_judge_that_changes_moves_its_anchors_while_the_answers_stay(nights: Nights) -> None:
    before = await nights.judgements(await nights.run())
    await nights.change("judge", shift=-0.2, shift_on="borderline")
    after = await nights.judgements(await nights.run())
    moved = {
        stratum: fmean(new["score"] - old["score"] for new, old in zip(after, before, strict=True)
                       if old["stratum"] == stratum)
        for stratum in Stratum
    }  # fmt: skip
    assert moved == pytest.approx({Stratum.BORDERLINE: -0.2, Stratum.CLEAR: 0.0})


async def test_what_a_night_said_is_read_by_run(nights: Nights) -> None:
    run_id = await nights.run()
    async with nights.here.pool.acquire() as connection:
        told = await anchors.read_judgements(connection, [run_id, RunId(uuid4())])
    assert list(told) == [run_id]
    assert set(told[run_id].scores) == set(told[run_id].strata)
    assert sorted(told[run_id].strata.values()) == [Stratum.BORDERLINE] * 12 + [Stratum.CLEAR] * 12
    assert 0 < told[run_id].borderline_share < 1
    frozen = {row["anchor_id"]: row["frozen"] for row in await nights.judgements(run_id)}
    assert told[run_id].scores == frozen


async def test_a_run_is_judged_on_the_anchors_of_its_own_time(nights: Nights) -> None:
    """The first night came before any anchor, and the second before the second set."""
    second = await nights.run()
    mine = {row["anchor_id"] for row in await nights.judgements(second)}
    await nights.choose()
    assert await are_judged(nights, second)
    third = await nights.run()
    assert not mine & {row["anchor_id"] for row in await nights.judgements(third)}
    async with nights.here.pool.acquire() as connection:
        assert len(await anchors.read_judgements(connection, [second, third])) == 2


async def test_a_run_that_a_person_started_judges_no_anchors(nights: Nights) -> None:
    unscheduled = {"kind": RunKind.ADHOC, "schedule_id": None, "night": None, "attempt": None}
    adhoc = await nights.run(**unscheduled)
    assert await are_judged(nights, adhoc)
    assert await nights.judgements(adhoc) == []


async def test_a_second_delivery_judges_only_what_is_missing(nights: Nights) -> None:
    """A worker dies after seven judgements; what it stored is neither asked again nor changed."""
    run_id = await nights.open()
    await nights.plan(run_id)
    async with nights.here.pool.acquire() as connection, connection.transaction():
        for each in (await anchors.list_unjudged(connection, run_id, 1))[:7]:
            verdict = Verdict(0.125, False, "by the worker that died")
            await anchors.store_judgement(connection, run_id, each, verdict, Decimal("0.01"))
    await nights.judge(run_id)
    assert await nights.here.requests("judge") == ANCHORS - 7
    await nights.judge(run_id)
    assert await nights.here.requests("judge") == ANCHORS - 7
    scores = [row["score"] for row in await nights.judgements(run_id)]
    assert len(scores) == ANCHORS
    assert scores.count(0.125) == 7


async def test_of_two_judgements_of_one_anchor_the_first_stands_and_is_paid_for(nights: Nights) -> None:
    run_id = await nights.open()
    assert await owed(nights, run_id) == [], "nothing is owed before the plan"
    await nights.plan(run_id)
    [first, *_] = await owed(nights, run_id)
    async with nights.here.pool.acquire() as connection:
        for score in (0.25, 0.75):
            async with connection.transaction():
                verdict = Verdict(score, False, "")
                await anchors.store_judgement(connection, run_id, first, verdict, Decimal("0.01"))
    assert [row["score"] for row in await nights.judgements(run_id)] == [0.25]
    assert (await nights.here.run(run_id)).spent_usd == Decimal("0.01")


async def test_a_judge_that_is_away_is_asked_again_and_its_silence_stored(nights: Nights) -> None:
    run_id = await nights.open()
    await nights.plan(run_id)
    await nights.change("judge", faults={"server_error": 1.0})
    await nights.judge(run_id)
    judged = await nights.judgements(run_id)
    assert {(row["score"], row["error_kind"]) for row in judged} == {(None, ErrorKind.JUDGE_UNAVAILABLE)}
    assert await nights.here.requests("judge") == 2 * ANCHORS
    assert await are_judged(nights, run_id)
    async with nights.here.pool.acquire() as connection:
        told = (await anchors.read_judgements(connection, [run_id]))[run_id]
    assert (len(told.strata), told.scores) == (ANCHORS, {})


async def test_only_those_that_failed_in_passing_are_asked_again(nights: Nights) -> None:
    run_id = await nights.open()
    await nights.plan(run_id)
    await nights.change("judge", faults={"server_error": 0.3})
    await nights.judge(run_id)
    judged = await nights.judgements(run_id)
    assert len(judged) == ANCHORS
    assert ANCHORS < await nights.here.requests("judge") < 2 * ANCHORS
    assert sum(row["error_kind"] is None for row in judged) > ANCHORS / 2


async def test_an_unreadable_verdict_is_asked_for_again_and_paid_for(nights: Nights) -> None:
    run_id = await nights.open()
    await nights.plan(run_id)
    await nights.change("judge", formats={"unparsable": 1.0})
    await nights.judge(run_id)
    judged = await nights.judgements(run_id)
    assert {row["error_kind"] for row in judged} == {ErrorKind.JUDGE_UNPARSABLE}
    assert await nights.here.requests("judge") == 3 * ANCHORS
    assert (await nights.here.run(run_id)).spent_usd == sum(row["cost_usd"] for row in judged) > 0


async def test_a_run_has_spent_what_its_pairs_and_its_booked_judgements_cost(nights: Nights) -> None:
    run_id = await nights.run()
    booked = [row["cost_usd"] for row in await nights.judgements(run_id) if row["is_booked"]]
    pairs = await nights.here.results(run_id)
    paid = sum((row[cost] or 0) for row in pairs for cost in ("cost_usd", "judge_cost_usd"))
    assert (await nights.here.run(run_id)).spent_usd == paid + sum(booked)


async def test_repeats_on_an_incident_come_after_the_runs_end_and_leave_its_bill_alone(
    nights: Nights,
) -> None:
    run_id = await nights.run()
    bill = (await nights.here.run(run_id)).spent_usd
    await nights.forget_requests()
    await nights.change("judge", shift=-0.1)
    assert not await are_judged(nights, run_id, repeats=5)
    await nights.judge(run_id, repeats=5)
    assert await are_judged(nights, run_id, repeats=5)
    assert await nights.here.requests("judge") == 4 * ANCHORS
    judged = await nights.judgements(run_id)
    late = [row for row in judged if row["repeat"] > 1]
    assert [row["repeat"] for row in judged] == [n for n in (1, 2, 3, 4, 5) for _ in range(ANCHORS)]
    assert {row["is_booked"] for row in late} == {False}
    assert (await nights.here.run(run_id)).spent_usd == bill
    async with nights.here.pool.acquire() as connection:
        once = (await anchors.read_judgements(connection, [run_id]))[run_id].scores
        five = (await anchors.read_judgements(connection, [run_id], repeats=5))[run_id].scores
    assert once == {row["anchor_id"]: row["frozen"] for row in judged}, "the night says what it said"
    assert fmean(five.values()) < fmean(once.values())


async def test_anchors_stop_an_open_run_at_its_budget(nights: Nights) -> None:
    run_id = await nights.open(max_cost_usd=Decimal("0.000001"))
    await nights.plan(run_id)
    await nights.judge(run_id)
    run = await nights.here.run(run_id)
    assert run.stop_reason == RunState.STOPPED_BY_BUDGET
    assert await is_queued(nights.here.redis, "stop_run", str(run_id))
    assert len(await nights.judgements(run_id)) <= 10, "no more than were being asked at that moment"
    await nights.here.work()
    assert (await nights.here.run(run_id)).state is RunState.STOPPED_BY_BUDGET
    assert {row["state"] for row in await nights.here.results(run_id)} == {"skipped"}


async def test_after_a_runs_end_its_budget_still_holds(nights: Nights) -> None:
    run_id = await nights.run(max_cost_usd=Decimal("0.05"))
    run = await nights.here.run(run_id)
    assert run.state is RunState.COMPLETED, run.spent_usd
    await nights.judge(run_id, repeats=5)
    judged = await nights.judgements(run_id)
    assert len(judged) == 5 * ANCHORS
    unpaid = [row for row in judged if row["error_kind"] == ErrorKind.BUDGET]
    assert unpaid
    late = sum(row["cost_usd"] or 0 for row in judged if not row["is_booked"])
    assert run.spent_usd + late < Decimal("0.05") + 10 * max(row["cost_usd"] or 0 for row in judged)
    assert await are_judged(nights, run_id, repeats=5)


async def test_a_close_that_met_a_booking_is_made_good(nights: Nights) -> None:
    """The last pair closes while the run's row is held by a booking; the anchors' job closes the run."""
    run_id = await nights.open()
    await nights.plan(run_id)
    async with nights.here.pool.acquire() as connection:
        await connection.execute(
            "UPDATE pairs SET state = 'failed', error_kind = 'timeout', closed_at = now() WHERE run_id = $1",
            run_id,
        )
    await nights.judge(run_id)
    assert (await nights.here.run(run_id)).state is RunState.COMPLETED


async def test_the_rescuer_brings_back_a_lost_job_within_a_day(nights: Nights) -> None:
    run_id = await nights.open()
    await nights.plan(run_id)
    await nights.here.redis.flushall()
    await plant_sentinel(nights.here.redis)
    now = datetime.now(UTC)
    done = await rescue(nights.here.pool, nights.here.redis, now + timedelta(minutes=1))
    assert done["judge_anchors"] == 1
    assert await is_queued(nights.here.redis, "judge_anchors", str(run_id))
    await nights.here.work()
    assert await are_judged(nights, run_id)
    assert not await rescue(nights.here.pool, nights.here.redis, now + timedelta(minutes=2))


async def test_the_rescuer_judges_no_anchors_of_a_night_long_past_or_just_begun(nights: Nights) -> None:
    run_id = await nights.open()
    await nights.plan(run_id)
    await plant_sentinel(nights.here.redis)
    for later in (timedelta(seconds=1), timedelta(days=1, minutes=1)):
        done = await rescue(nights.here.pool, nights.here.redis, datetime.now(UTC) + later)
        assert "judge_anchors" not in done
    async with nights.here.pool.acquire() as connection:
        await runs.request_stop(connection, run_id, RunState.CANCELLED)
    assert await are_judged(nights, run_id), "nobody waits for the anchors of a cancelled run"


async def test_a_failed_judgement_is_no_score(nights: Nights) -> None:
    run_id = await nights.open()
    await nights.plan(run_id)
    [first, *_] = await owed(nights, run_id)
    async with nights.here.pool.acquire() as connection, connection.transaction():
        gone = Unscored(ErrorKind.JUDGE_OFF_SCALE, "score is 7")
        await anchors.store_judgement(connection, run_id, first, gone, None)
    assert [row["score"] for row in await nights.judgements(run_id)] == [None]
    assert first.anchor_id not in [each.anchor_id for each in await owed(nights, run_id)]
