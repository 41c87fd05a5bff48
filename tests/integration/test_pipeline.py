"""One pair's story, and what can happen on the way: a worker, a provider over HTTP, real databases."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.db import pairs, runs
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.runs import PairState, RunState
from shared.queue import enqueue_pairs, enqueue_run_job
from tests.factories import make_question, make_suite
from tests.integration.pipeline import JUDGE, Installation, install

CHECKED = make_suite(4)
JUDGED = SuiteContent(
    tuple(
        make_question(number, scorer=Scorer(), target=f"The sum is {2 * number}, twice {number}.")
        for number in range(1, 5)
    )
)
BRIGHT: dict[str, Any] = {"skill": 1.0, "noise": 0.0}
PRICED = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}


@pytest.fixture
def places(database_url: str, redis_url: str, tmp_path: Path) -> tuple[str, str, Path]:
    return database_url, redis_url, tmp_path


async def finished(installation: Installation, *models: str, content: SuiteContent, **changed: Any) -> Any:
    run_id = await installation.submit(content, *models, **changed)
    await installation.work()
    return run_id


async def test_a_run_is_answered_scored_and_closed(places: tuple[str, str, Path]) -> None:
    async with install(*places, CHECKED, {"bright": BRIGHT}, parameters={"bright": PRICED}) as here:
        run_id = await finished(here, "bright", content=CHECKED, repeats=2)
        assert (await here.run(run_id)).state is RunState.COMPLETED
        whole = (await here.totals(run_id))["bright"]
        assert (whole.planned, whole.coverage, whole.accuracy, whole.questions) == (8, 1.0, 1.0, 4)
        results = await here.results(run_id)
        assert [row["repeat"] for row in results] == [1, 2] * 4
        for row in results:
            assert (row["state"], row["score"], row["passed"], row["attempts"]) == ("scored", 1.0, True, 1)
            assert row["served_model"] == "bright"
            assert row["finish_reason"] == "stop"
            assert row["request_id"]
            assert row["latency_seconds"] > 0
            expected = Decimal("0.000001") * row["input_tokens"] + Decimal("0.000002") * row["output_tokens"]
            assert row["cost_usd"] == expected > 0
        assert (await here.run(run_id)).spent_usd == sum(row["cost_usd"] for row in results) == whole.cost_usd
        assert await here.requests("bright") == 8


async def test_open_answers_are_judged_and_the_judge_is_paid_apart(places: tuple[str, str, Path]) -> None:
    models = {"bright": BRIGHT, "wrong": {"skill": 0.0, "noise": 0.0}}
    async with install(*places, JUDGED, models, parameters={"judge": PRICED}) as here:
        run_id = await finished(here, "bright", "wrong", content=JUDGED, judge=JUDGE)
        totals = await here.totals(run_id)
        assert (totals["bright"].accuracy, totals["wrong"].accuracy) == (1.0, 0.0)
        for row in await here.results(run_id):
            assert row["reason"]
            assert row["judge_cost_usd"] > 0
            assert row["cost_usd"] is None, "no price is known for the models under test"
            assert (row["attempts"], row["judge_attempts"]) == (1, 1)
        assert totals["bright"].cost_usd is None
        assert totals["bright"].judge_cost_usd is not None


async def test_refusals_and_failures_of_form_are_told_from_wrong_answers(
    places: tuple[str, str, Path],
) -> None:
    content = SuiteContent(
        (
            make_question(1),
            make_question(2, scorer=Scorer("equals")),
            make_question(3, scorer=Scorer(), target="The sum is 6, twice 3."),
        )
    )
    models = {
        "bright": BRIGHT,
        "fenced": {**BRIGHT, "output": "fenced"},
        "shy": {**BRIGHT, "faults": {"refusal": 1.0}},
        "wrong": {"skill": 0.0, "noise": 0.0},
    }
    async with install(*places, content, models) as here:
        run_id = await finished(here, *models, content=content, judge=JUDGE)
        told: dict[str, list[Any]] = {}
        for row in await here.results(run_id):
            told.setdefault(row["model"], []).append((row["refused"], row["format_failed"]))
        assert told == {
            "bright": [(False, False), (False, False), (False, None)],
            "fenced": [(False, False), (False, True), (False, None)],
            "shy": [(True, False), (True, False), (True, None)],
            "wrong": [(False, False), (False, False), (False, None)],
        }


@pytest.mark.parametrize(
    ("fault", "refused"), [("truncated", False), ("empty", None), ("content_filter", None), ("hang", None)]
)
async def test_of_an_answer_without_a_score_only_a_refusal_is_known(
    places: tuple[str, str, Path], fault: str, refused: bool | None
) -> None:
    broken = {**BRIGHT, "faults": {fault: 1.0}}
    parameters = {"broken": {"timeout": 0.5}} if fault == "hang" else {}
    async with install(*places, CHECKED, {"broken": broken}, parameters=parameters, max_attempts=1) as here:
        run_id = await finished(here, "broken", content=CHECKED)
        results = await here.results(run_id)
        assert [(row["refused"], row["format_failed"]) for row in results] == [(refused, None)] * 4


@pytest.mark.parametrize(
    ("faults", "state", "kind"),
    [
        ({"content_filter": 1.0}, PairState.UNSCORED, "content_filter"),
        ({"truncated": 1.0}, PairState.UNSCORED, "truncated"),
        ({"empty": 1.0}, PairState.UNSCORED, "empty"),
        ({"server_error": 1.0}, PairState.FAILED, "unavailable"),
        ({"malformed": 1.0}, PairState.FAILED, "unavailable"),
        ({"rate_limited": 1.0}, PairState.FAILED, "rate_limited"),
        ({"hang": 1.0}, PairState.FAILED, "timeout"),
    ],
)
async def test_what_was_not_measured_is_not_a_score(
    places: tuple[str, str, Path], faults: dict[str, float], state: PairState, kind: str
) -> None:
    """The broken model has coverage 0 and no accuracy; the other one's numbers are as without it."""
    broken = {**BRIGHT, "faults": faults, "limits": {"retry_after_seconds": 0}}
    parameters = {"broken": {"timeout": 0.5}} if "hang" in faults else {}
    models = {"bright": BRIGHT, "broken": broken}
    patience = {"max_attempts": 1, "outage_patience_seconds": 0.5}
    async with install(*places, CHECKED, models, parameters=parameters, **patience) as here:
        run_id = await finished(here, "bright", "broken", content=CHECKED)
        assert (await here.run(run_id)).state is RunState.COMPLETED
        totals = await here.totals(run_id)
        assert (totals["broken"].coverage, totals["broken"].accuracy) == (0.0, None)
        assert totals["broken"].errors == {kind: 4}
        assert (totals["bright"].coverage, totals["bright"].accuracy) == (1.0, 1.0)
        states = Counter(row["state"] for row in await here.results(run_id) if row["model"] == "broken")
        assert states == {state: 4}


async def test_what_fails_in_passing_is_tried_again(places: tuple[str, str, Path]) -> None:
    shaky = {**BRIGHT, "faults": {"server_error": 0.3}}
    async with install(*places, CHECKED, {"shaky": shaky}, max_attempts=12) as here:
        run_id = await finished(here, "shaky", content=CHECKED)
        whole = (await here.totals(run_id))["shaky"]
        results = await here.results(run_id)
        assert (whole.coverage, whole.accuracy) == (1.0, 1.0)
        assert await here.requests("shaky") == sum(row["attempts"] for row in results) > 4


@pytest.mark.parametrize("fault", [{"formats": {"unparsable": 1.0}}, {"faults": {"truncated": 1.0}}])
async def test_an_unreadable_judge_leaves_answers_unscored_not_wrong(
    places: tuple[str, str, Path], fault: dict[str, Any]
) -> None:
    mumbling = {"kind": "judge", **fault}
    models = {"bright": BRIGHT, "judge": mumbling}
    async with install(*places, JUDGED, models, parameters={"judge": PRICED}) as here:
        run_id = await finished(here, "bright", content=JUDGED, judge=JUDGE)
        whole = (await here.totals(run_id))["bright"]
        assert (whole.answered, whole.scored, whole.accuracy) == (4, 0, None)
        assert whole.errors == {"judge_unparsable": 4}
        assert whole.judge_cost_usd is not None
        assert await here.requests("judge") == 12, "each verdict is asked for three times"


async def test_every_readable_form_of_a_verdict_is_read(places: tuple[str, str, Path]) -> None:
    forms = {"kind": "judge", "formats": {"fenced": 0.4, "prose": 0.3, "latex": 0.3}}
    content = SuiteContent(
        tuple(
            make_question(n, scorer=Scorer(), target=f"The sum is {2 * n}, twice {n}.") for n in range(1, 31)
        )
    )
    async with install(*places, content, {"bright": BRIGHT, "judge": forms}) as here:
        run_id = await finished(here, "bright", content=content, judge=JUDGE)
        whole = (await here.totals(run_id))["bright"]
        assert (whole.coverage, whole.accuracy) == (1.0, 1.0)
        assert await here.requests("judge") == 30


async def test_a_judge_that_is_away_costs_no_second_answer(places: tuple[str, str, Path]) -> None:
    away = {"kind": "judge", "faults": {"server_error": 1.0}}
    async with install(*places, JUDGED, {"bright": BRIGHT, "judge": away}, max_attempts=2) as here:
        run_id = await finished(here, "bright", content=JUDGED, judge=JUDGE)
        whole = (await here.totals(run_id))["bright"]
        assert (whole.answered, whole.scored, whole.errors) == (4, 0, {"judge_unavailable": 4})
        assert {row["refused"] for row in await here.results(run_id)} == {False}
        assert await here.requests("bright") == 4
        assert await here.requests("judge") == 8


async def test_the_same_jobs_again_ask_nobody_anything(places: tuple[str, str, Path]) -> None:
    async with install(*places, CHECKED, {"bright": BRIGHT}) as here:
        run_id = await finished(here, "bright", content=CHECKED)
        before = await here.results(run_id)
        keys = [pairs.PairKey(run_id, row["model"], row["question_id"], row["repeat"]) for row in before]
        assert await enqueue_pairs(here.redis, run_id, keys) == 4
        await enqueue_run_job(here.redis, "plan_run", run_id)
        await here.work()
        assert await here.results(run_id) == before
        assert await here.requests("bright") == 4


async def test_a_budget_stops_the_run_and_every_paid_answer_is_kept(places: tuple[str, str, Path]) -> None:
    content = make_suite(60)
    dear = {"input_cost_per_token": 0, "output_cost_per_token": 0.01}
    models = {"bright": {**BRIGHT, "tokens": {"output": 1}}}
    async with install(
        *places, content, models, parameters={"bright": {**dear, "max_parallel_requests": 5}}
    ) as here:
        run_id = await finished(here, "bright", content=content, max_cost_usd=Decimal("0.10"))
        run, results = await here.run(run_id), await here.results(run_id)
        states = Counter(row["state"] for row in results)
        assert run.state is RunState.STOPPED_BY_BUDGET
        assert {row["error_kind"] for row in results if row["state"] == "skipped"} == {"budget"}
        assert states["scored"] == await here.requests("bright")
        assert run.spent_usd == sum(row["cost_usd"] or 0 for row in results)
        assert Decimal("0.10") <= run.spent_usd <= Decimal("0.15"), "at most what was in flight on top"


async def test_a_cancelled_run_closes_without_asking_more(places: tuple[str, str, Path]) -> None:
    async with install(*places, CHECKED, {"bright": BRIGHT}) as here:
        run_id = await here.submit(CHECKED, "bright")
        async with here.pool.acquire() as connection:
            await runs.request_stop(connection, run_id, RunState.CANCELLED)
        await enqueue_run_job(here.redis, "stop_run", run_id)
        await here.work()
        assert (await here.run(run_id)).state is RunState.CANCELLED
        assert await here.results(run_id) == []


async def test_a_model_that_no_provider_knows_fails_once_per_pair(places: tuple[str, str, Path]) -> None:
    async with install(*places, CHECKED, {"bright": BRIGHT}) as here:
        run_id = await finished(here, "bright", "nobody/knows-this", content=CHECKED)
        totals = await here.totals(run_id)
        assert (totals["nobody/knows-this"].coverage, totals["bright"].accuracy) == (0.0, 1.0)
        assert sum(row["attempts"] for row in await here.results(run_id)) == 8
