"""Importing results: all or nothing, once, and as facts like any other run's."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.db import suites
from shared.db.keys import Scope
from shared.domain.questions.suites import Question, Scorer, SuiteContent
from shared.settings import Settings
from tests.factories import make_suite
from tests.integration.importing import IMPORT, import_rows, make_row, make_rows, post_rows
from tests.integration.serving import Api, serve_api

RUNS = "/api/v1/runs"
SUITES = "/api/v1/suites"


async def store_suite(api: Api, content: SuiteContent, name: str = "golden") -> None:
    async with api.desk.connection() as connection, connection.transaction():
        await suites.store_suite(connection, name, content)


async def show_suite(api: Api, name: str = "golden") -> dict[str, Any]:
    suite: dict[str, Any] = (await api.client.get(f"{SUITES}/{name}")).json()
    return suite


async def read_questions(api: Api) -> dict[str, Question]:
    """The questions of the newest version of the suite "golden", by id."""
    async with api.desk.connection() as connection:
        newest = await suites.find_suite(connection, "golden")
        assert newest is not None
        stored = await suites.read_questions(connection, newest.id)
    return {each.question.id: each.question for each in stored}


async def count(api: Api, table: str) -> int:
    async with api.desk.connection() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


def leave_out(*fields: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in fields} for row in rows]


def bare(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that tell nothing of their questions but the id."""
    return leave_out("input", "target", "category", rows=list(rows))


async def test_an_imported_run_reads_like_any_other(api: Api) -> None:
    measured = {
        "latency_seconds": 0.5,
        "input_tokens": 12,
        "output_tokens": 3,
        "cost_usd": 0.000012,
        "served_model": "bright-2025",
        "evaluator": "numeric v3",
        "response": "It is 2.",
    }
    (created,) = await import_rows(
        api,
        make_row(1, run_id="night-1", repeat=1, score=0.25, passed=True, **measured),
        make_row(1, run_id="night-1", repeat=2, score=0.75, **measured),
        make_row(2, run_id="night-1", model="dim", score=None, error_kind="timeout"),
    )
    assert (created["source"], created["state"], created["rows"]) == ("night-1", "created", 3)
    run = (await api.client.get(f"{RUNS}/{created['run_id']}")).json()
    assert [
        run[field]
        for field in ("kind", "state", "suite", "suite_version", "models", "repeats", "planned_pairs")
    ] == [*("imported", "completed", "golden", 1, ["bright", "dim"], 2, 3)]
    assert run["created_at"] == run["finished_at"] == "2025-03-01T02:00:00Z"
    assert run["spent_usd"] == pytest.approx(0.000024)
    assert (run["judge"], run["labels"]) == (None, {"source": "night-1"})
    bright, dim = (each for each in run["aggregates"] if each["category"] == "all")
    assert (bright["accuracy"], bright["pass_rate"], bright["latency_mean_seconds"]) == (0.5, 1.0, 0.5)
    assert (dim["accuracy"], dim["answered"], dim["errors"]) == (None, 0, {"timeout": 1})

    first, _, last = (await api.client.get(f"{RUNS}/{created['run_id']}/results")).json()["items"]
    assert {name: first[name] for name in measured if name != "evaluator"} == {
        name: value for name, value in measured.items() if name != "evaluator"
    }
    assert (first["state"], first["score"], first["passed"], first["question"]) == (
        "scored",
        0.25,
        True,
        "q-1",
    )
    assert (last["state"], last["score"], last["error_kind"]) == ("failed", None, "timeout")


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"error_kind": "timeout"}, "failed"),
        ({"error_kind": "truncated"}, "unscored"),
        ({"error_kind": "judge_unparsable", "response": "hm"}, "unscored"),
        ({"error_kind": "timeout", "response": "half an answer"}, "unscored"),
        ({"error_kind": "cancelled"}, "skipped"),
        ({"error_kind": "budget", "response": "answered in time"}, "unscored"),
        ({}, "unscored"),
    ],
)
async def test_what_has_no_score_ends_as_it_would_have_here(
    api: Api, row: dict[str, Any], state: str
) -> None:
    (run,) = await import_rows(api, make_row(score=None, **row))
    (item,) = (await api.client.get(f"{RUNS}/{run['run_id']}/results")).json()["items"]
    assert (item["state"], item["score"]) == (state, None)


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ({"response": "It is 2."}, False),
        ({"response": "I'm sorry, but I can't help with that.", "score": 0}, True),
        ({"response": "I can't help with that.", "score": None, "error_kind": "truncated"}, True),
        ({"response": " "}, None),
        ({}, None),
    ],
)
async def test_a_recorded_response_tells_whether_it_is_a_refusal(
    api: Api, row: dict[str, Any], refused: bool | None
) -> None:
    (run,) = await import_rows(api, make_row(**row))
    (item,) = (await api.client.get(f"{RUNS}/{run['run_id']}/results")).json()["items"]
    assert (item["refused"], item["format_failed"]) == (refused, None)


async def test_the_same_file_again_adds_nothing(api: Api) -> None:
    rows = [*make_rows(3, 1), *make_rows(2, run_at="2025-03-02T02:00:00Z")]
    first = await post_rows(api, *rows)
    again = await post_rows(api, *reversed(rows))
    assert (first.status_code, again.status_code) == (201, 200)
    assert [run["state"] for run in first.json()["runs"]] == ["created", "created"]
    assert [run["state"] for run in again.json()["runs"]] == ["already_there", "already_there"]
    for run, twin in zip(first.json()["runs"], again.json()["runs"], strict=True):
        assert {**run, "state": ""} == {**twin, "state": ""}
    assert (first.json()["rows"], await count(api, "runs"), await count(api, "pairs")) == (6, 2, 6)


async def test_a_longer_file_adds_what_is_new(api: Api) -> None:
    old, new = make_rows(2), make_rows(2, run_at="2025-03-02T02:00:00Z")
    await import_rows(api, *old)
    response = await post_rows(api, *old, *new)
    assert response.status_code == 201
    assert [run["state"] for run in response.json()["runs"]] == ["already_there", "created"]


@pytest.mark.parametrize(
    "changed", [{"score": 0}, {"response": "another"}, {"run_at": "2025-03-05T00:00:00Z"}]
)
async def test_other_results_under_a_known_name_are_refused(api: Api, changed: dict[str, Any]) -> None:
    (known,) = await import_rows(api, make_row(run_id="night-1"))
    new = make_row(run_id="night-0", run_at="2025-02-01T00:00:00Z")
    response = await post_rows(api, new, make_row(run_id="night-1", **changed))
    problem = response.json()
    assert (response.status_code, problem["title"]) == (409, "Results differ")
    assert known["run_id"] in problem["detail"]
    assert "another run_id" in problem["detail"]
    assert await count(api, "runs") == 1


async def test_a_name_belongs_to_its_suite(api: Api) -> None:
    for suite in ("golden", "other"):
        (run,) = await import_rows(api, make_row(run_id="night-1", suite=suite))
        assert run["state"] == "created"


async def test_one_bad_row_stores_nothing(api: Api) -> None:
    response = await post_rows(api, *make_rows(2), make_row(3, score=2, run_at="2025-04-01T00:00:00Z"))
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == "body, line 3, score"
    assert [await count(api, table) for table in ("runs", "suites", "pairs")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "body"),
        (b"\n \n", "body"),
        (b"[1]", "body, line 1, row"),
        (b"\xff", "body, line 1, encoding"),
        (json.dumps(make_row(model="two words")).encode(), "body, line 1, model"),
        (json.dumps(make_row(suite="golden/1")).encode(), "body, line 1, suite"),
        (json.dumps(make_row(category="all")).encode(), "body, line 1, category"),
    ],
)
async def test_a_body_that_holds_no_results_is_refused(api: Api, content: bytes, field: str) -> None:
    response = await api.client.post(IMPORT, content=content)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_results_of_the_future_are_refused(api: Api) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    response = await post_rows(api, make_row(run_at=tomorrow))
    assert [error["field"] for error in response.json()["errors"]] == ["run_at"]


async def test_an_unknown_suite_is_made_from_the_rows(api: Api) -> None:
    await import_rows(api, make_row(2, category="prose"), make_row(1))
    suite = await show_suite(api)
    assert (suite["version"], suite["questions"], suite["is_runnable"]) == (1, 2, True)
    expected = Question("q-2", "prose", "What is 2 + 2?", "4", Scorer("llm-rubric"))
    assert (await read_questions(api))["q-2"] == expected


@pytest.mark.parametrize("unknown", ["input", "target"])
async def test_a_suite_that_is_not_known_in_full_can_not_be_run(api: Api, unknown: str) -> None:
    await import_rows(api, make_row(1), *leave_out(unknown, rows=[make_row(2)]))
    assert not (await show_suite(api))["is_runnable"]
    for path in (RUNS, "/api/v1/runs:estimate"):
        response = await api.client.post(path, json={"suite": "golden", "models": ["bright"]})
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == ["suite"]


async def test_a_stored_suite_keeps_its_questions(api: Api) -> None:
    await store_suite(api, make_suite(3))
    (run,) = await import_rows(api, *bare(make_row(1), make_row(2)))
    assert run["suite_version"] == 1
    (run,) = await import_rows(api, *make_rows(3, run_at="2025-03-02T02:00:00Z"))
    assert run["suite_version"] == 1
    assert (await read_questions(api))["q-1"].scorer == Scorer("numeric")


async def test_results_belong_to_the_newest_version_that_holds_them(api: Api) -> None:
    await store_suite(api, make_suite(3))
    await store_suite(api, make_suite(2, input="Rewritten."))
    (run,) = await import_rows(api, *make_rows(3))
    assert run["suite_version"] == 1
    (run,) = await import_rows(api, *bare(*make_rows(2, run_at="2025-03-02T02:00:00Z")))
    assert run["suite_version"] == 2


@pytest.mark.parametrize("row", [make_row(9), make_row(1, input="Rewritten."), make_row(1, category="prose")])
async def test_history_does_not_change_what_a_stored_suite_asks(api: Api, row: dict[str, Any]) -> None:
    await store_suite(api, make_suite(3))
    response = await post_rows(api, row)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["field"], row["question_id"] in error["problem"]) == ("suite", True)
    assert "Name another suite" in error["remedy"]
    assert (await show_suite(api))["version"] == 1


async def test_an_imported_suite_learns_from_later_results(api: Api) -> None:
    days = [f"2025-03-0{day}T02:00:00Z" for day in (1, 2, 3, 4)]
    runs = await import_rows(
        api,
        *bare(make_row(1, run_at=days[0]), make_row(2, run_at=days[0])),
        make_row(1, run_at=days[1]),
        *bare(make_row(1, run_at=days[2])),
        make_row(3, run_at=days[3]),
    )
    assert [run["suite_version"] for run in runs] == [1, 2, 2, 3]
    inputs = {key: question.input for key, question in (await read_questions(api)).items()}
    assert inputs == {
        "q-1": "What is 1 + 1?",
        "q-2": "",
        "q-3": "What is 3 + 3?",
    }


async def test_two_imports_of_one_file_at_once_store_it_once(
    api_settings: Settings,
) -> None:
    rows = make_rows(50)
    async with serve_api(api_settings) as one, serve_api(api_settings) as other:
        responses = await asyncio.gather(
            post_rows(one, *rows), post_rows(other, *rows), post_rows(one, *rows)
        )
        assert sorted(response.status_code for response in responses) == [200, 200, 201]
        assert await count(one, "pairs") == 50


async def test_importing_needs_more_than_reading(api: Api) -> None:
    response = await api.client.post(IMPORT, content=b"", headers=await api.key(Scope.READ))
    assert response.status_code == 403


@pytest.mark.slow
async def test_a_hundred_thousand_rows_are_imported_in_seconds(api: Api) -> None:
    rows = [
        make_row(number, model=f"model-{model}", response="x" * 200, latency_seconds=0.5)
        for model in range(10)
        for number in range(10_000)
    ]
    async with asyncio.timeout(30):
        (run,) = await import_rows(api, *rows)
    assert run["rows"] == 100_000
