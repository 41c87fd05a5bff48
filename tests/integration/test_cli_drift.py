"""Drift from the command line: read by people who know the product and not the statistics."""

import json
from pathlib import Path

import pytest

from tests.integration.commands import Terminal, open_terminal
from tests.integration.serving import Api
from tests.integration.test_linked_imports import DECEMBER, make_history
from tests.integration.watched_api import begin_watch, dropping, get
from tests.integration.watching import Past


@pytest.fixture
async def past(served_api: Api) -> Past:
    return await begin_watch(served_api)


@pytest.fixture
async def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    return open_terminal(served_api, tmp_path / "work")


async def test_an_alert_is_told_in_plain_words(terminal: Terminal, served_api: Api, past: Past) -> None:
    await past.live(14, dropping("dim", 11, 0.5))
    [incident] = (await get(served_api, "incidents"))["items"]
    short = incident["id"][:8]
    drift = await terminal("drift")
    listed = await terminal("incidents", "--status", "open")
    story = await terminal("incidents", short)
    assert drift.out.startswith("Schedule nightly\n")
    assert f"See `driftwarden incidents {short}`." in drift.out
    assert "Chance alone raises at most one alarm in 365 nights, over all 3 watched models." in drift.out
    assert listed.rows[0][:3] == [short, "open", "critical"]
    assert story.out.startswith("dim: accuracy fell by ")
    told = " ".join(story.out.split())
    for sentence in (
        "since 2026-01-11; no other night fits nearly as well",
        "How sure is that? On the night of the alarm the evidence was ",
        "times what an alarm takes. Chance alone raises at most one alarm in 365 nights,"
        " over all 2 watched models.",
        "Who did it? Probably the model itself.",
        "What changed on your side? Nothing that we know of, at that time.",
        "Questions that flipped (3 of ",
        "because not as expected",
        f"driftwarden incidents accept-baseline {short} this is the new normal",
    ):
        assert sentence in told, sentence
    assert "nan" not in told
    assert "None" not in told


async def test_people_act_by_the_beginning_of_an_id(terminal: Terminal, served_api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.5))
    [incident] = (await get(served_api, "incidents"))["items"]
    short = incident["id"][:6]
    noted = await terminal("incidents", "acknowledge", short, "--note", "I look into it.")
    accepted = await terminal("incidents", "accept-baseline", short)
    late = await terminal("incidents", "dismiss", short)
    story = await terminal("incidents", incident["id"])
    assert noted.err == "It is yours now; nobody is reminded of it any more.\n"
    assert accepted.err == "It is closed. From 2026-01-11 on, the model's answers are its new normal.\n"
    assert late.code == 2
    assert "The incident is closed already: a admin key accepted a new baseline on " in late.err
    assert "closed, baseline accepted" in story.out
    assert "I look into it." in story.out
    assert "What you can do" not in story.out


async def test_every_answer_can_be_had_as_json(terminal: Terminal, served_api: Api, past: Past) -> None:
    await past.live(12, dropping("dim", 11, 0.5))
    [incident] = (await get(served_api, "incidents"))["items"]
    whole = await get(served_api, f"incidents/{incident['id']}")
    assert (await terminal("drift", "--json")).json == await get(served_api, "drift")
    history = (await terminal("drift", "--model", "dim", "--history", "--limit", "3", "--json")).json
    assert [item["night"] for item in history["items"]] == ["2026-01-12", "2026-01-11", "2026-01-10"]
    assert (await terminal("incidents", "--json")).json["items"] == [incident]
    assert (await terminal("incidents", incident["id"][:8], "--json")).json == whole
    assert (await terminal("incidents", "--json", incident["id"][:8])).json == whole
    assert (await terminal("baselines", "list", "--json")).json["items"] == []
    done = await terminal("incidents", "resolve", incident["id"][:8], "--json")
    assert done.json["status"] == "closed"


async def test_history_reads_forward_and_says_where_a_series_ends(terminal: Terminal, past: Past) -> None:
    await past.live(3)
    past.parameters = {"temperature": 1}
    await past.live(2)
    shown = await terminal("drift", "--model", "dim", "--history")
    lines = shown.out.splitlines()
    assert lines[0] == "dim in nightly: accuracy, night by night."
    assert [line[:10] for line in lines[3:]] == [f"2026-01-0{day}" for day in range(1, 6)]
    assert "A new series: not to be compared with the nights before." in lines[6]
    assert "You changed the parameters: temperature 0 -> 1." in lines[6]
    assert sum("A new series" in line for line in lines) == 1


async def test_what_is_not_measured_is_no_zero(terminal: Terminal, past: Past) -> None:
    await past.live(3, dropping("dim", 3, None))
    shown = await terminal("drift")
    [row] = [line for line in shown.out.splitlines() if line.startswith("dim ")][:1]
    assert row.split()[1:3] == ["no", "data"]
    assert row.split()[5:7] == ["–", "–"]
    assert "Not measured on 2026-01-03." in shown.out


async def test_a_baseline_is_pinned(terminal: Terminal, past: Past) -> None:
    await past.live(8)
    place = ("--schedule", "nightly", "--model", "dim", "--first", "2026-01-01")
    done = await terminal("baselines", "set", *place, "--last", "2026-01-08")
    few = await terminal("baselines", "set", *place, "--last", "2026-01-03")
    listed = await terminal("baselines", "list")
    assert done.rows == listed.rows
    assert listed.rows[0][:4] == ["nightly", "dim", "2026-01-01", "2026-01-08"]
    assert few.code == 2
    assert "first_night: only 3 entries from 2026-01-01 to 2026-01-03 have measured 'dim'." in few.err


async def test_a_gate_takes_the_last_pinned_night_as_its_baseline(terminal: Terminal, past: Past) -> None:
    await past.live(9)
    place = ("--schedule", "nightly", "--model", "dim", "--first", "2026-01-01")
    await terminal("baselines", "set", *place, "--last", "2026-01-08")
    candidate = str(await past.measure())
    done = await terminal(
        "gate", "--baseline", "pinned", "--candidate", candidate, "--model", "dim", "--json"
    )  # fmt: skip
    assert json.loads(done.out)["baseline"]["night"] == "2026-01-08", done.err


async def test_history_of_another_tool_is_continued(terminal: Terminal, past: Past) -> None:
    file = terminal.write("history.jsonl", *map(json.dumps, make_history(DECEMBER[:2])))
    done = await terminal("import-results", str(file), "--continues", "nightly")
    again = await terminal("import-results", str(file), "--continues", "nightly")
    assert done.out.endswith("Now history of nightly: 2 runs.\n")
    assert again.out.endswith("Now history of nightly: 0 runs. 2 runs had been before.\n")
    shown = await terminal("drift", "--model", "dim", "--history")
    assert "Imported." in shown.out


async def test_runs_are_named_by_the_beginning_of_their_id(terminal: Terminal, past: Past) -> None:
    first, second = str(await past.measure()), str(await past.measure())
    shown = await terminal("show", first[:8])
    exported = await terminal("export", first[:8], "--format", "jsonl", "--model", "dim")
    compared = await terminal("compare", first[:8], second[:8], "--json")
    unknown = await terminal("show", "ffff0000")
    assert first in shown.out
    assert len(exported.out.splitlines()) == 120
    assert compared.code == 0, compared.err
    assert (unknown.code, unknown.err) == (2, "driftwarden: There is no run whose id begins with ffff0000.\n")


async def test_before_the_first_night_the_next_step_is_told(terminal: Terminal, past: Past) -> None:
    drift, incidents = await terminal("drift"), await terminal("incidents")
    baselines, history = await terminal("baselines", "list"), await terminal("drift", "--history")
    assert "Nothing is watched yet" in drift.out
    assert incidents.out == "There is no such incident.\n"
    assert "None is pinned" in baselines.out
    assert (history.code, history.err) == (
        2, "driftwarden: --history: is about one model. Name it with --model.\n",
    )  # fmt: skip


async def test_a_night_is_set_aside_and_counts_again(terminal: Terminal, served_api: Api, past: Past) -> None:
    await past.live(3)
    command = ("schedules", "set-aside", "nightly", "2026-01-02", "--model", "dim")

    async def is_counted() -> bool:
        nights = (await get(served_api, "drift/history", schedule="nightly", model="dim"))["items"]
        return all(night["outcome"] != "set_aside" for night in nights)

    done = await terminal(*command, "--note", "Maintenance.")
    assert done.err == "The night of 2026-01-02 is set aside for dim. --undo lets it count again.\n"
    assert not await is_counted()
    undone = await terminal(*command, "--undo")
    assert undone.err == "The night of 2026-01-02 counts for dim.\n"
    assert await is_counted()
    assert "has no completed run" in (await terminal(*command[:3], "2026-02-01", "--model", "dim")).err
