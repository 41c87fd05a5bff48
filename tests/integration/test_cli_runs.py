"""`driftwarden run`, `runs`, `show`, `cancel`, `results` and `export`, against a server without workers."""

import asyncio
import csv
import json
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.factories import make_suite, plan_run
from tests.integration.commands import Terminal, bad_road_to, open_terminal
from tests.integration.serving import Api, finished_run

HEAD = "id,category,input,expected_output,scorer"
QUESTION = "q1,math,What is 1 + 1?,2,numeric"


@pytest.fixture
def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    terminal = open_terminal(served_api, tmp_path / "work")
    terminal.write("golden.csv", HEAD, QUESTION)
    return terminal


def make_repository(folder: Path) -> str:
    """A repository with one commit: its id."""
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "first"], check=True)
    return subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()


async def test_a_run_is_submitted_from_a_file_with_all_that_was_asked_for(terminal: Terminal) -> None:
    done = await terminal(
        "run", "--suite", "golden.csv", "--model", "bright", "--model", "openai/gpt-4o", "--repeats", "3",
        "--sample", "1", "--max-cost-usd", "2.5", "--label", "branch=main", "--label", "note=a=b",
        "--git-commit", "0123abc", "--kind", "gate", "--json",
    )  # fmt: skip
    run = done.json
    assert (run["suite"], run["suite_version"], run["state"]) == ("golden", 1, "submitted")
    assert (run["models"], run["repeats"], run["sample"]) == (["bright", "openai/gpt-4o"], 3, 1)
    assert (run["max_cost_usd"], run["labels"]) == (2.5, {"branch": "main", "note": "a=b"})
    assert (run["git_commit"], run["kind"]) == ("0123abc", "gate")
    assert "golden: version 1, 1 question" in done.err


async def test_the_output_is_the_run_alone_so_that_a_script_can_take_it(terminal: Terminal) -> None:
    await terminal("suite", "import", "golden.csv")
    done = await terminal("run", "--suite", "golden")
    shown = await terminal("show", done.out.strip())
    assert (done.code, shown.code) == (0, 0)
    assert "submitted" in shown.out


async def test_the_commit_is_head_unless_another_is_given(terminal: Terminal) -> None:
    head = await asyncio.to_thread(make_repository, terminal.folder)
    done = await terminal("run", "--suite", "golden.csv", "--json")
    assert done.json["git_commit"] == head


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--repeats", "0"), "repeats: "),
        (("--model", "nobody"), "models[0]: 'nobody'"),
        (("--model", "bright", "--model", "bright"), "models"),
        (("--label", "branch"), "--label: "),
        (("--repeats", "many"), "--repeats"),
        (("--max-cost-usd", "0"), "max_cost_usd: "),
    ],
)
async def test_a_mistake_is_told_by_field(terminal: Terminal, arguments: tuple[str, ...], told: str) -> None:
    done = await terminal("run", "--suite", "golden.csv", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


async def test_an_answer_that_gets_lost_does_not_start_a_second_run(served_api: Api, tmp_path: Path) -> None:
    async with bad_road_to(served_api) as (road, url):
        terminal = open_terminal(served_api, tmp_path / "work", url)
        terminal.write("golden.csv", HEAD, QUESTION)
        await terminal("suite", "import", "golden.csv")
        road.answers_to_lose = 2
        done = await terminal("run", "--suite", "golden", "--json")
        listed = await terminal("runs", "--json")
    assert road.answers_to_lose == 0
    assert [run["id"] for run in listed.json["items"]] == [done.json["id"]]


async def test_runs_are_listed_over_pages_up_to_the_limit(served_api: Api, terminal: Terminal) -> None:
    made = [str(await finished_run(served_api)) for _ in range(3)]
    for limit in (2, 3):
        done = await terminal("runs", "--limit", str(limit))
        assert [row[0] for row in done.rows] == made[::-1][:limit]
        assert ("There are more" in done.out) == (limit == 2)
    none = await terminal("runs", "--state", "cancelled")
    assert none.out == "No run matches.\n"


async def test_an_open_run_shows_its_progress_and_a_finished_one_its_results(
    served_api: Api, terminal: Terminal
) -> None:
    keys = await plan_run(served_api.desk.pool, models=("bright", "dim"))
    still_open = await terminal("show", str(keys[0].run_id))
    assert ["bright", "3", "0", "0", "0"] in [line.split() for line in still_open.out.splitlines()]

    finished = await terminal("show", str(await finished_run(served_api)))
    [row] = [line for line in finished.out.splitlines() if line.startswith("bright")]
    assert "1 × timeout" in row
    assert "66.7\N{NO-BREAK SPACE}%" in row  # two of three were scored


async def test_a_run_is_cancelled_once(served_api: Api, terminal: Terminal) -> None:
    [run_id, *_] = {str(key.run_id) for key in await plan_run(served_api.desk.pool)}
    first = await terminal("cancel", run_id)
    shown = await terminal("show", run_id)
    finished = await terminal("cancel", str(await finished_run(served_api)))
    assert first.code == 0
    assert "it was cancelled" in shown.out
    assert finished.code == 2
    assert "already" in finished.err


async def test_results_are_listed_with_reasons_and_filtered(served_api: Api, terminal: Terminal) -> None:
    run_id = str(await finished_run(served_api))
    everything = await terminal("results", run_id)
    failed = await terminal("results", run_id, "--state", "failed", "--json")
    assert "the numbers agree" in everything.out
    assert "No answer within 60 s." in everything.out
    assert [row["error_kind"] for row in failed.json["items"]] == ["timeout"]


async def test_a_long_list_is_read_page_by_page(served_api: Api, terminal: Terminal) -> None:
    [run_id, *_] = {str(key.run_id) for key in await plan_run(served_api.desk.pool, content=make_suite(600))}
    part = (await terminal("results", run_id, "--limit", "550", "--json")).json
    everything = (await terminal("results", run_id, "--limit", "9999", "--json")).json
    assert len({row["question"] for row in part["items"]}) == 550
    assert part["next_cursor"] is not None
    assert len({row["question"] for row in everything["items"]}) == 600
    assert everything["next_cursor"] is None


async def test_what_others_write_can_not_command_the_terminal(served_api: Api, terminal: Terminal) -> None:
    run_id = str(await finished_run(served_api, content=make_suite(2, category="math\x1b[2J[bold]")))
    run = await terminal("show", run_id, "--json")
    done = await terminal("suite", "show", run.json["suite"])
    assert "math [2J[bold]" in done.out
    assert "\x1b" not in done.out


async def test_an_export_is_written_whole_or_not_at_all(served_api: Api, terminal: Terminal) -> None:
    run_id = str(await finished_run(served_api))
    to_file = await terminal("export", run_id, "--format", "csv", "--output", "out.csv")
    lines = await terminal("export", run_id, "--format", "jsonl", "--passed")
    whole = await terminal("export", run_id, "--format", "json")
    missing = await terminal("export", str(uuid4()), "--output", "missing.csv")

    assert (to_file.code, to_file.out) == (0, "")
    with (terminal.folder / "out.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    assert len([json.loads(line) for line in lines.out.splitlines()]) == 2
    assert len(whole.json) == 3
    assert missing.code == 2
    assert sorted(path.name for path in terminal.folder.iterdir()) == ["golden.csv", "out.csv"]
