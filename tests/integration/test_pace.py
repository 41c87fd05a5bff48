"""How fast models are asked: what 429s teach, what an outage costs, and that no model pays for another."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.worker.main import open_worker
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.runs import RunId, RunState
from shared.queue import model_queue, pace_key
from tests.factories import make_question, make_suite
from tests.integration.fleet import until
from tests.integration.pipeline import JUDGE, Installation, install

SUITE = make_suite(60)
JUDGED = SuiteContent(
    tuple(make_question(n, scorer=Scorer(), target=f"The sum is {2 * n}, twice {n}.") for n in range(1, 41))
)
BRIGHT: dict[str, Any] = {"skill": 1.0, "noise": 0.0}


@pytest.fixture
def places(database_url: str, redis_url: str, tmp_path: Path) -> tuple[str, str, Path]:
    return database_url, redis_url, tmp_path


async def measured(here: Installation, *models: str, **changed: Any) -> RunId:
    content = changed.pop("content", SUITE)
    run_id = await here.submit(content, *models, **changed)
    await here.work()
    assert (await here.run(run_id)).state is RunState.COMPLETED
    return run_id


async def traffic(here: Installation, model: str) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        told: dict[str, Any] = (await client.get(f"{here.provider_url}/admin/stats")).json()["models"][model]
    return told


async def seconds_of_asking(here: Installation, run_id: RunId) -> float:
    """From the first call's beginning to the last one's."""
    results = await here.results(run_id)
    begun = [row["answered_at"] - timedelta(seconds=row["latency_seconds"]) for row in results]
    return (max(begun) - min(begun)).total_seconds()


async def test_what_a_provider_refuses_as_too_many_is_asked_again_and_more_slowly(
    places: tuple[str, str, Path],
) -> None:
    """It bears 5 at once, untold. No pair fails, none has spent an attempt, and few are refused."""
    narrow = {**BRIGHT, "latency": 0.05, "limits": {"in_flight": 5, "retry_after_seconds": 0}}
    async with install(*places, SUITE, {"narrow": narrow}) as here:
        run_id = await measured(here, "narrow", repeats=2)
        whole = (await here.totals(run_id))["narrow"]
        assert (whole.coverage, whole.accuracy) == (1.0, 1.0)
        assert {row["attempts"] for row in await here.results(run_id)} == {1}
        told = await traffic(here, "narrow")
        assert told["peak_in_flight"] == 5
        assert 0 < told["rate_limited"] < 60


async def test_workers_learn_together(places: tuple[str, str, Path]) -> None:
    """What one was refused the other does not try: two are refused about as often as one."""
    narrow = {**BRIGHT, "latency": 0.05, "limits": {"in_flight": 3, "retry_after_seconds": 0}}
    async with install(*places, SUITE, {"narrow": narrow}) as here:
        run_id = await here.submit(SUITE, "narrow", repeats=2)
        await asyncio.gather(here.work(), here.work())
        assert (await here.totals(run_id))["narrow"].coverage == 1.0
        assert (await traffic(here, "narrow"))["rate_limited"] < 60


async def test_calls_per_minute_are_kept_without_a_single_refusal(places: tuple[str, str, Path]) -> None:
    """600 a minute is ten a second: 30 calls take at least two seconds, whoever asks."""
    parameters = {"paced": {"rpm": 600}}
    async with install(*places, make_suite(30), {"paced": BRIGHT}, parameters=parameters) as here:
        run_id = await measured(here, "paced", content=make_suite(30))
        assert await seconds_of_asking(here, run_id) >= 1.8


async def test_tokens_per_minute_slow_down_a_model_whose_answers_are_long(
    places: tuple[str, str, Path],
) -> None:
    """Each call takes 110 tokens, and a minute allows 66,000 of them: ten calls a second."""
    long = {**BRIGHT, "tokens": {"input": 10, "output": 100}}
    parameters = {"long": {"tpm": 66_000}}
    async with install(*places, make_suite(40), {"long": long}, parameters=parameters) as here:
        run_id = await measured(here, "long", content=make_suite(40))
        assert await seconds_of_asking(here, run_id) >= 1.8


async def test_a_model_that_hangs_is_given_up_after_few_calls(places: tuple[str, str, Path]) -> None:
    """Its pairs end as timeouts, in about as long as the patience with it; the others are as without it."""
    models = {"bright": BRIGHT, "hung": {**BRIGHT, "faults": {"hang": 1.0}}}
    parameters = {"hung": {"timeout": 0.3}}
    async with install(*places, SUITE, models, parameters=parameters, outage_patience_seconds=1) as here:
        run_id = await measured(here, "bright", "hung")
        totals = await here.totals(run_id)
        assert (totals["bright"].coverage, totals["bright"].accuracy) == (1.0, 1.0)
        assert (totals["hung"].coverage, totals["hung"].errors) == (0.0, {"timeout": 60})
        assert await here.requests("hung") < 30, "of 300 that five attempts each would make"
        told = {row["error_detail"] for row in await here.results(run_id) if row["model"] == "hung"}
        assert "No call was answered for 1 s. Last: No answer within 0.3 s." in told


async def test_a_provider_without_quota_ends_as_rate_limited(places: tuple[str, str, Path]) -> None:
    broke = {**BRIGHT, "faults": {"rate_limited": 1.0}, "limits": {"retry_after_seconds": 0}}
    async with install(*places, SUITE, {"broke": broke}, outage_patience_seconds=1) as here:
        run_id = await measured(here, "broke")
        assert (await here.totals(run_id))["broke"].errors == {"rate_limited": 60}
        assert await here.requests("broke") < 30


async def test_a_model_that_comes_back_in_time_loses_nothing(places: tuple[str, str, Path]) -> None:
    """All calls fail, the circuit opens; when the provider is well again, the run goes on by itself."""
    down = {**BRIGHT, "faults": {"server_error": 1.0}}
    async with install(*places, SUITE, {"down": down}, max_attempts=10) as here:
        run_id = await here.submit(SUITE, "down")
        async with open_worker(here.settings, burst=True) as worker, asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.main())

            async def the_circuit_is_open() -> bool:
                pauses = await here.redis.hget(pace_key(model_queue("down")), "pauses")  # type: ignore[misc]
                return int(pauses or 0) > 0

            await until(the_circuit_is_open)
            async with httpx.AsyncClient() as client:
                well = {"faults": {"server_error": 0.0}}
                (await client.patch(f"{here.provider_url}/admin/models/down", json=well)).raise_for_status()
        assert (await here.totals(run_id))["down"].coverage == 1.0


async def test_a_judge_that_bears_little_slows_down_and_loses_nothing(places: tuple[str, str, Path]) -> None:
    """Answers wait in the line of the judge; the models' slots are free meanwhile, all are answered first."""
    judge = {"kind": "judge", "latency": 0.1, "limits": {"in_flight": 2, "retry_after_seconds": 0}}
    parameters = {"judge": {"max_parallel_requests": 2}}
    models = {"bright": BRIGHT, "judge": judge}
    async with install(*places, JUDGED, models, parameters=parameters) as here:
        run_id = await measured(here, "bright", content=JUDGED, judge=JUDGE)
        whole = (await here.totals(run_id))["bright"]
        assert (whole.coverage, whole.accuracy) == (1.0, 1.0)
        rows = await here.results(run_id)
        assert {(row["attempts"], row["judge_attempts"]) for row in rows} == {(1, 1)}
        assert (await traffic(here, "judge"))["rate_limited"] == 0
        assert max(row["answered_at"] for row in rows) < sorted(row["closed_at"] for row in rows)[30]


async def test_a_judge_that_stays_away_costs_few_calls_and_no_answer(places: tuple[str, str, Path]) -> None:
    models = {"bright": BRIGHT, "judge": {"kind": "judge", "faults": {"server_error": 1.0}}}
    async with install(*places, JUDGED, models, outage_patience_seconds=1) as here:
        run_id = await measured(here, "bright", content=JUDGED, judge=JUDGE)
        whole = (await here.totals(run_id))["bright"]
        assert (whole.answered, whole.scored, whole.errors) == (40, 0, {"judge_unavailable": 40})
        assert await here.requests("bright") == 40
        assert await here.requests("judge") < 25


async def test_a_model_that_its_provider_does_not_know_is_asked_for_only_a_few_times(
    places: tuple[str, str, Path],
) -> None:
    parameters = {"renamed": {"model": "openai/nobody"}}
    models = {"bright": BRIGHT, "renamed": BRIGHT}
    async with install(*places, SUITE, models, parameters=parameters) as here:
        run_id = await measured(here, "bright", "renamed")
        totals = await here.totals(run_id)
        assert (totals["bright"].coverage, totals["renamed"].errors) == (1.0, {"not_found": 60})
        assert sum(row["attempts"] for row in await here.results(run_id) if row["model"] == "renamed") < 25
