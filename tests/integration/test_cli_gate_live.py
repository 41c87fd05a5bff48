"""`driftwarden gate` measures its candidate itself: a real API, a worker, and a simulated provider."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.gating import GOLDEN, MODELS, QUESTIONS, Site, open_site

ON_MAIN = ("--label", "branch=main")


@pytest.fixture
async def site(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(database_url, redis_url, tmp_path) as site:
        yield site


async def test_a_pipeline_from_the_first_run_on_main_to_a_caught_regression(site: Site) -> None:
    on_main = ("--label", "branch=main", "--baseline-label", "branch=main", "--model", "bright")
    first = await site(*on_main, "--git-commit", "0123abc")
    assert first.code == 3, first.err
    assert "it is the next baseline" in first.out

    second = await site(*on_main, "--json")
    outcome = json.loads(second.out)
    assert second.code == 0, second.err
    assert outcome["candidate"]["kind"] == "gate"
    assert outcome["baseline"]["git_commit"] == "0123abc"
    assert outcome["comparison"]["pooled"]["questions"] == QUESTIONS

    await site.change("bright", skill=0.2)
    third = await site("--baseline-label", "branch=main", "--model", "bright", "--junit", "gate.xml")
    assert third.code == 1, third.err
    assert "GATE: REGRESSION" in third.out
    assert "<failure" in (site.terminal.folder / "gate.xml").read_text()


@pytest.mark.slow
async def test_the_quick_form_asks_ten_questions_of_three_models_and_can_pass(site: Site) -> None:
    full = await site.terminal(
        "run", "--suite", "golden.csv", "--sample", "20", "--label", "branch=main", "--wait", "--json"
    )
    assert len(full.json["models"]) == 4
    quick = await site("--quick", "--baseline-label", "branch=main", "--json")
    outcome = json.loads(quick.out)
    assert quick.code == 0, quick.err
    assert outcome["candidate"]["models"] == list(MODELS[:3])
    assert (outcome["candidate"]["sample"], outcome["comparison"]["margin"]) == (10, 0.1)

    # A quick run on main is no baseline for a larger one: it has too few of the questions.
    await site("--quick", "--baseline-label", "branch=main", "--label", "branch=main")
    again = await site("--baseline-label", "branch=main", "--model", "bright", "--sample", "20", "--json")
    assert json.loads(again.out)["baseline"]["id"] == full.json["id"]


async def test_a_run_that_its_budget_stops_is_not_measured(site: Site) -> None:
    await site.terminal("run", "--suite", "golden.csv", "--model", "bright", *ON_MAIN, "--wait")
    limits = ("--model", "bright", "--max-cost-usd", "0.01", "--markdown", "gate.md")
    done = await site("--baseline-label", "branch=main", *limits)
    assert done.code == 3, done.err
    assert "was stopped by its budget" in done.err
    assert "Raise --max-cost-usd" in (site.terminal.folder / "gate.md").read_text()


async def test_models_that_do_not_answer_are_not_measured(site: Site) -> None:
    await site.terminal("run", "--suite", "golden.csv", "--model", "bright", *ON_MAIN, "--wait")
    await site.change("bright", faults={"content_filter": 1.0})
    done = await site("--baseline-label", "branch=main", "--model", "bright", "--junit", "gate.xml")
    assert done.code == 3, done.err
    assert "GATE: NOT MEASURED" in done.out
    assert (site.terminal.folder / "gate.xml").read_text().count("<error") == QUESTIONS


@pytest.mark.slow
async def test_results_in_a_file_are_the_next_baseline(site: Site) -> None:
    files = ("--baseline-file", "main.jsonl", "--results", "main.jsonl", "--model", "bright")
    assert (await site(*files)).code == 3
    again = await site(*files)
    assert again.code == 0, again.err

    edited = [GOLDEN[0], GOLDEN[1].replace("What is 1 + 1?", "How much is 1 + 1?"), *GOLDEN[2:]]
    site.terminal.write("golden.csv", *edited)
    other = await site("--baseline-file", "main.jsonl", "--model", "bright")
    assert other.code == 0, other.err
    assert "1 question of the baseline file: text or scorer is another now" in other.out

    await site.change("bright", skill=0.2)
    worse = await site("--baseline-file", "main.jsonl", "--model", "bright")
    assert worse.code == 1, worse.err


@pytest.mark.slow
async def test_an_export_is_a_baseline_as_well(site: Site) -> None:
    run = await site.terminal("run", "--suite", "golden.csv", "--model", "bright", "--wait", "--json")
    await site.terminal("export", run.json["id"], "--format", "jsonl", "--output", "main.jsonl")
    done = await site("--baseline-file", "main.jsonl", "--model", "bright")
    assert done.code == 0, done.err
