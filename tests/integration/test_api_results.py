"""Reading a run's results: in pages, filtered, and as a file of any length."""

import asyncio
import csv
import io
import json
import resource
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.db import pairs, results
from shared.db.pairs import PairStep
from shared.db.results import ResultFilter
from shared.domain.answers.scoring import Verdict
from shared.domain.runs import PairState, RunId
from tests.factories import make_answer, make_suite, plan_run
from tests.integration.serving import Api, finish, finished_run

MANY = 100_000


def path(run_id: RunId, what: str = "results") -> str:
    return f"/api/v1/runs/{run_id}/{what}"


async def pages(api: Api, run_id: RunId, **wanted: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while cursor or not items:
        params = {**wanted, **({"cursor": cursor} if cursor else {})}
        page = (await api.client.get(path(run_id), params=params)).json()
        items += page["items"]
        cursor = page["next_cursor"]
    return items


async def test_results_come_by_model_question_and_repeat(api: Api) -> None:
    run_id = await finished_run(api, content=make_suite(12), models=("dim", "bright"), repeats=2)
    expected = [
        (model, f"q-{number}", repeat)
        for model in ("bright", "dim")
        for number in range(1, 13)
        for repeat in (1, 2)
    ]
    for limit in (5, 48, 500):
        items = await pages(api, run_id, limit=limit)
        assert [(item["model"], item["question"], item["repeat"]) for item in items] == expected


async def test_a_result_tells_what_was_measured_and_what_was_not(api: Api) -> None:
    run_id = await finished_run(api)
    scored, *_, failed = await pages(api, run_id)
    assert (scored["state"], scored["score"], scored["passed"], scored["response"]) == (
        "scored",
        1.0,
        True,
        "42",
    )
    assert scored["scorer"] == {"name": "numeric"}
    assert scored["cost_usd"] == pytest.approx(0.001)
    assert (failed["state"], failed["score"], failed["cost_usd"]) == ("failed", None, None)
    assert failed["error_kind"] == "timeout"


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ({"model": "dim"}, 6),
        ({"model": "nobody"}, 0),
        ({"category": "math"}, 12),
        ({"category": "prose"}, 0),
        ({"state": "failed"}, 1),
        ({"question": "q-2"}, 4),
        ({"passed": "true"}, 6),
        ({"passed": "false"}, 5),
        ({"text": "WHAT IS 2 +"}, 4),
        ({"text": "the numbers agree"}, 11),
        ({"text": "100%_"}, 0),
        ({"model": "bright", "passed": "true", "question": "q-1"}, 1),
    ],
)
async def test_results_are_filtered(api: Api, wanted: dict[str, str], number: int) -> None:
    run_id = await finished_run(api, models=("bright", "dim"), repeats=2)
    page = (await api.client.get(path(run_id), params=wanted)).json()
    assert len(page["items"]) == number
    lines = (await api.client.get(path(run_id, "export"), params=wanted)).text.splitlines()
    assert [json.loads(line) for line in lines] == page["items"]


@pytest.mark.parametrize(
    "wanted", [{"passed": "yes"}, {"state": "lost"}, {"text": "\u0000"}, {"question_id": "1"}]
)
async def test_a_wrong_filter_is_refused(api: Api, wanted: dict[str, str]) -> None:
    run_id = await finished_run(api)
    for what in ("results", "export"):
        assert (await api.client.get(path(run_id, what), params=wanted)).status_code == 422


async def test_every_format_tells_the_same(api: Api) -> None:
    run_id = await finished_run(api, content=make_suite(1200))
    told = await pages(api, run_id, limit=500)
    files = {
        form: await api.client.get(path(run_id, "export"), params={"format": form})
        for form in ("csv", "json", "jsonl")
    }
    assert json.loads(files["json"].text) == told
    assert [json.loads(line) for line in files["jsonl"].text.splitlines()] == told
    rows = list(csv.DictReader(io.StringIO(files["csv"].text)))
    assert [row["question"] for row in rows] == [item["question"] for item in told]
    assert (rows[0]["score"], rows[0]["passed"], rows[-1]["score"]) == ("1.0", "true", "")
    assert json.loads(rows[0]["scorer"]) == {"name": "numeric"}
    assert datetime.fromisoformat(rows[0]["closed_at"]) == datetime.fromisoformat(told[0]["closed_at"])
    assert files["csv"].headers["content-disposition"] == f'attachment; filename="run-{run_id}.csv"'


async def test_refusals_and_failures_of_form_are_told_in_every_format(api: Api) -> None:
    keys = await plan_run(api.desk.pool, content=make_suite(3))
    facts = [(True, False), (False, True), (None, None)]
    steps = [
        PairStep(
            key,
            PairState.PENDING,
            PairState.SCORED,
            answer=make_answer(),
            outcome=Verdict(0.0, False, ""),
            refused=refused,
            format_failed=format_failed,
        )
        for key, (refused, format_failed) in zip(keys, facts, strict=True)
    ]
    async with api.desk.connection() as connection:
        await pairs.record_steps(connection, steps)
    items = await pages(api, keys[0].run_id)
    assert [(item["refused"], item["format_failed"]) for item in items] == facts
    text = (await api.client.get(path(keys[0].run_id, "export"), params={"format": "csv"})).text
    rows = [(row["refused"], row["format_failed"]) for row in csv.DictReader(io.StringIO(text))]
    assert rows == [("true", "false"), ("false", "true"), ("", "")]


@pytest.mark.parametrize(("form", "nothing"), [("json", []), ("jsonl", "")])
async def test_an_export_of_nothing_is_well_formed(api: Api, form: str, nothing: object) -> None:
    run_id = await finished_run(api)
    response = await api.client.get(path(run_id, "export"), params={"format": form, "model": "nobody"})
    assert (response.json() if form == "json" else response.text) == nothing


@pytest.mark.parametrize("answer", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
async def test_a_cell_that_a_spreadsheet_would_run_is_defused(api: Api, answer: str) -> None:
    run_id = await finish(api, await plan_run(api.desk.pool), response=answer)
    text = (await api.client.get(path(run_id, "export"), params={"format": "csv"})).text
    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert row["response"] == f"'{answer}"


async def run_of_many(api: Api) -> RunId:
    """A run with MANY answered pairs, about a kilobyte each."""
    keys = await plan_run(api.desk.pool, content=make_suite(MANY // 100), repeats=100)
    async with api.desk.connection() as connection:
        await connection.execute(
            "UPDATE pairs SET state = 'scored', score = 1, passed = true, closed_at = now(),"
            " response = repeat(model || question_id || repeat, 100)"
        )
    return keys[0].run_id


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells its memory otherwise than Linux")
async def test_a_hundred_thousand_results_are_exported_in_constant_memory(served_api: Api) -> None:
    run_id = await run_of_many(served_api)
    lines = size = 0
    before = most = resident_bytes()
    async with served_api.client.stream("GET", path(run_id, "export")) as response:
        async for chunk in response.aiter_bytes():
            lines, size = lines + chunk.count(b"\n"), size + len(chunk)
            most = max(most, resident_bytes())
    assert lines == MANY
    assert size > 100_000_000
    assert most - before < size / 5


@pytest.mark.slow
async def test_an_abandoned_export_gives_its_connection_back(served_api: Api) -> None:
    run_id = await run_of_many(served_api)
    turns = served_api.desk.exports
    for _ in range(served_api.desk.settings.database_connections + 1):
        async with served_api.client.stream("GET", path(run_id, "export")) as response:
            await anext(response.aiter_bytes())
    async with asyncio.timeout(10):
        for _ in range(served_api.desk.settings.database_connections // 2):
            await turns.acquire()
    assert (await served_api.client.get(path(run_id))).status_code == 200


async def test_a_late_page_reads_no_more_than_an_early_one(api: Api) -> None:
    keys = await plan_run(api.desk.pool, content=make_suite(500), repeats=20)
    query, values = results._select(keys[0].run_id, ResultFilter(), ("bright", keys[-1].question_id, 1))
    async with api.desk.connection() as connection:
        await connection.execute("ANALYZE")
        plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query} LIMIT 50", *values)
    assert '"Sort"' not in plan
    read = [node["Actual Rows"] for node in nodes(json.loads(plan)[0]["Plan"]) if "Relation Name" in node]
    assert max(read) <= 50


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]
