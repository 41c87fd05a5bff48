"""Retention: what was said goes, what it was worth stays, and nobody takes the gap for an empty answer."""

import csv
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncpg import RestrictViolationError

from services.worker.finalize import finalize_run
from shared import pruning
from shared.db import pairs
from shared.db.pairs import PairStep
from shared.db.retention import Removed
from shared.domain.answers.scoring import Verdict
from shared.domain.runs import PairState
from shared.pruning import count_prunable, prune
from tests.factories import make_answer, make_suite, plan_run
from tests.integration.anchoring import make_judged_suite
from tests.integration.commands import Terminal
from tests.integration.measuring import HALF, RIGHT, WRONG, measure
from tests.integration.pipeline import JUDGE
from tests.integration.serving import Api
from tests.integration.watched_api import begin_watch, dropping, get, is_fold_of_results_and_acts, post

LATER = datetime.now(UTC) + timedelta(days=100)


async def prune_all(api: Api, *kept: str, days: int = 90) -> Removed:
    async with api.desk.connection() as connection:
        counted = await count_prunable(connection, LATER, days, kept)
        removed = await prune(connection, LATER, days, kept, "a test")
    assert counted == removed, "the dry run tells what goes"
    return removed


async def texts(api: Api, run_id: Any) -> list[str | None]:
    async with api.desk.connection() as connection:
        rows = await connection.fetch(
            "SELECT response FROM pairs WHERE run_id = $1 ORDER BY question_id", run_id
        )
    return [row["response"] for row in rows]


async def test_texts_go_and_what_they_were_worth_stays(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH_PAIRS", 2)
    monkeypatch.setattr("shared.db.retention.BATCH_PAIRS", 2)
    run_id = await measure(api, RIGHT, HALF, WRONG, RIGHT, WRONG, answer="forty-two")
    before = await get(api, f"runs/{run_id}")
    assert await prune_all(api) == Removed(1, 5, 5 * len("forty-two"))
    assert await prune_all(api) == Removed(), "a second time there is nothing left"
    after = await get(api, f"runs/{run_id}")
    assert after == before
    results = (await get(api, f"runs/{run_id}/results"))["items"]
    assert {each["response"] for each in results} == {None}
    assert all(each["response_removed_at"] for each in results)
    assert results[0]["reason"] == "as it should be", "a scorer's words are no answer"
    entry = (await get(api, "audit"))["items"][0]
    assert (entry["actor"], entry["act"]) == ("a test", "responses.pruned")
    assert entry["facts"] == {"older_than_days": 90, "runs": 1, "pairs": 5, "bytes": 45}


async def test_younger_and_open_runs_keep_everything(api: Api) -> None:
    run_id = await measure(api, RIGHT)
    open_keys = await plan_run(api.desk.pool, content=make_suite(2))
    step = PairStep(open_keys[0], PairState.PENDING, PairState.SCORED, answer=make_answer(), outcome=RIGHT)
    async with api.desk.connection() as connection:
        await pairs.record_steps(connection, [step])
    assert await prune_all(api, days=101) == Removed()
    assert (await prune_all(api)).runs == 1
    assert await texts(api, run_id) == [None]
    assert await texts(api, open_keys[0].run_id) == ["2", None]


async def test_a_control_keeps_what_it_is_compared_by(api: Api) -> None:
    run_id = await measure(api, RIGHT, RIGHT, models=["bright", "echo"], content=make_suite(1))
    await prune_all(api, "echo")
    async with api.desk.connection() as connection:
        kept = await connection.fetch(
            "SELECT DISTINCT model FROM pairs WHERE run_id = $1 AND response IS NOT NULL", run_id
        )
    assert [row["model"] for row in kept] == ["echo"]


async def test_an_open_incident_keeps_its_answers_until_it_is_closed(api: Api) -> None:
    past = await begin_watch(api)
    await past.live(9, dropping("dim", 7, 0.2))
    incident = (await get(api, "incidents"))["items"][0]
    path = f"incidents/{incident['id']}"
    before = await get(api, path)
    first = await prune_all(api)
    assert first.pairs > 0, "the other model's answers are shown by no incident"
    assert await get(api, path) == before
    async with api.desk.connection() as connection:
        rows = await connection.fetch("SELECT DISTINCT model FROM pairs WHERE response IS NOT NULL")
    assert [row["model"] for row in rows] == ["dim"]
    assert (await post(api, f"{path}/dismiss", {"note": "It was us."})).status_code == 200
    assert (await prune_all(api)).pairs > 0
    assert await is_fold_of_results_and_acts(past), "the watch is computed anew without any text"


async def test_a_pruned_run_is_not_judged_again(api: Api) -> None:
    content = make_judged_suite(2)
    keys = await plan_run(api.desk.pool, content=content, judge=JUDGE)
    good = Verdict(1.0, True, "The judge likes it.")
    steps = [
        PairStep(
            key,
            PairState.PENDING,
            PairState.SCORED,
            answer=make_answer(),
            judgement=make_answer(),
            outcome=good,
        )
        for key in keys
    ]
    async with api.desk.connection() as connection:
        await pairs.record_steps(connection, steps)
    await finalize_run(api.desk.pool, keys[0].run_id)
    await prune_all(api)
    results = (await get(api, f"runs/{keys[0].run_id}/results"))["items"]
    assert {each["reason"] for each in results} == {None}, "the judge's words are an answer, too"
    refused = await post(api, f"runs/{keys[0].run_id}/rejudge", {"judge": "sim-judge"})
    assert refused.status_code == 409, refused.text
    assert "were removed by their age" in refused.json()["detail"]
    assert len((await get(api, "runs"))["items"]) == 1


async def test_exports_tell_removed_from_empty(api: Api) -> None:
    run_id = await measure(api, RIGHT)
    await prune_all(api)
    export = await api.client.get(f"/api/v1/runs/{run_id}/export?format=csv")
    [row] = csv.DictReader(io.StringIO(export.text))
    assert row["response"] == ""
    assert datetime.fromisoformat(row["response_removed_at"]).tzinfo is not None


async def test_a_closed_pair_still_can_not_be_changed_otherwise(api: Api) -> None:
    run_id = await measure(api, RIGHT)
    for change in (
        "score = 0, response = NULL, response_removed_at = now()",
        "response = 'another', response_removed_at = now()",
        "response = NULL",
        "reason = 'another', response = NULL, response_removed_at = now()",
    ):
        async with api.desk.connection() as connection:
            with pytest.raises(RestrictViolationError):
                await connection.execute(f"UPDATE pairs SET {change} WHERE run_id = $1", run_id)


async def test_an_operator_prunes_by_a_command(database_url: str, api: Api, tmp_path: Path) -> None:
    run_id = await measure(api, RIGHT)
    terminal = Terminal(
        tmp_path, {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "DATABASE_URL": database_url}
    )
    dry = await terminal("prune", "--older-than", "90d", "--dry-run")
    assert (dry.code, "0 answers of 0 runs would go" in dry.err) == (0, True), dry.err
    done = await terminal("prune", "--older-than", "90d")
    assert (done.code, "are gone" in done.err) == (0, True), done.err
    assert await texts(api, run_id) == ["42"]
    refused = await terminal("prune", "--older-than", "soon")
    assert (refused.code, "90d" in refused.err) == (2, True)
