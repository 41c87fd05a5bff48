"""What has been found: leaderboard, history, comparison, statistics, estimates and imports."""

import json
from pathlib import Path

import pytest

from shared.db import runs, suites
from shared.domain.runs import RunId
from tests.factories import make_suite
from tests.integration.commands import Terminal, open_terminal
from tests.integration.serving import Api, finished_run

QUESTIONS = 40


@pytest.fixture
def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    return open_terminal(served_api, tmp_path / "work")


async def suite_of(api: Api, run_id: RunId) -> str:
    async with api.desk.connection() as connection:
        run = await runs.find_run(connection, run_id)
    assert run is not None
    return run.suite


def write_history(terminal: Terminal, **scores: float) -> None:
    """Two imported runs by name, in which every question has that score."""
    rows = [
        {
            "run_at": f"2026-11-0{night}T02:00:00Z",
            "run_id": name,
            "model": "bright",
            "suite": "history",
            "question_id": f"q{number}",
            "input": f"What is {number} + {number}?",
            "target": str(2 * number),
            "score": score,
            "evaluator": "exact 1",
        }
        for night, (name, score) in enumerate(scores.items(), 1)
        for number in range(QUESTIONS)
    ]
    terminal.write("history.jsonl", *map(json.dumps, rows))


async def test_the_leaderboard_ranks_and_tells_what_is_missing(served_api: Api, terminal: Terminal) -> None:
    run_id = await finished_run(served_api, content=make_suite(6))
    board = await terminal("models")
    as_json = await terminal("models", "--run", str(run_id), "--category", "math", "--json")
    assert board.out.startswith(await suite_of(served_api, run_id))
    [row] = [line for line in board.out.splitlines() if " bright " in line]
    assert row.split()[0] == "1"
    assert "1 × timeout" in row
    assert [item["model"] for item in as_json.json["items"]] == ["bright"]


async def test_a_history_is_listed_newest_first(terminal: Terminal) -> None:
    write_history(terminal, first=1.0, second=0.0)
    await terminal("import-results", "history.jsonl")
    past = await terminal("history", "--model", "bright", "--suite", "history")
    none = await terminal("history", "--model", "nobody")
    assert [row[0] for row in past.rows] == ["2026-11-02", "2026-11-01"]
    assert none.out == "This model has no completed run.\n"


async def test_importing_again_adds_nothing_and_the_runs_can_be_compared(terminal: Terminal) -> None:
    write_history(terminal, first=1.0, second=0.0)
    first = await terminal("import-results", "history.jsonl", "--json")
    again = await terminal("import-results", "history.jsonl")
    before, after = (run["run_id"] for run in first.json["runs"])
    compared = await terminal("compare", before, after)
    assert [run["state"] for run in first.json["runs"]] == ["created", "created"]
    assert again.out.count("already there") == 2
    assert compared.code == 0
    assert compared.out.startswith("REGRESSION")
    assert "−100.0" in compared.out
    assert "driftwarden" not in compared.err


async def test_a_mistake_in_an_import_is_told_by_line(terminal: Terminal) -> None:
    write_history(terminal, first=1.0, second=2.0)
    done = await terminal("import-results", "history.jsonl")
    assert done.code == 2
    assert f"line {QUESTIONS + 1}, score" in done.err


async def test_statistics_sum_up_a_period(served_api: Api, terminal: Terminal) -> None:
    await finished_run(served_api, content=make_suite(6))
    done = await terminal("stats", "--period", "24h")
    assert "completed runs  1" in done.out
    assert "bright" in done.out
    assert (await terminal("stats", "--period", "2h")).code == 2


async def test_a_dry_run_tells_the_cost_and_starts_nothing(served_api: Api, terminal: Terminal) -> None:
    async with served_api.desk.connection() as connection:
        await suites.store_suite(connection, "golden", make_suite(3))
    done = await terminal("run", "--suite", "golden", "--model", "bright", "--repeats", "2", "--dry-run")
    listed = await terminal("runs", "--json")
    [row] = [line for line in done.out.splitlines() if line.startswith("bright")]
    assert row.split()[1] == "6"
    assert "at a cost that is not known" in done.out
    assert listed.json["items"] == []


async def test_runs_without_common_questions_are_not_compared(served_api: Api, terminal: Terminal) -> None:
    one = await finished_run(served_api, content=make_suite(2))
    other = await finished_run(served_api, content=make_suite(2, target="7"))
    done = await terminal("compare", str(one), str(other))
    assert (done.code, done.out) == (2, "")
    assert "No question has a score in both runs" in done.err


async def test_a_model_is_recommended_for_each_need(terminal: Terminal) -> None:
    nothing = await terminal("recommend")
    write_history(terminal, first=1.0)
    await terminal("import-results", "history.jsonl")

    told = await terminal("recommend", "--suite", "history", "--loss", "0.05")
    as_json = await terminal("recommend", "--json")

    assert "driftwarden run" in nothing.out
    assert "best answers" in told.out
    assert "cheapest within 5 points" in told.out
    assert "No price is known" in told.out
    assert [item["model"] for item in as_json.json["items"]] == ["bright", None, None, None]
