"""Schedules from the command line: settled, looked at, triggered, paused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.db import schedules
from shared.db.schedules import Budget
from tests.integration.commands import Terminal, open_terminal
from tests.integration.serving import Api
from tests.integration.submitting import store_suite

TODAY = datetime.now(UTC).date()


@pytest.fixture
async def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    await store_suite(served_api)
    return open_terminal(served_api, tmp_path / "work")


async def test_a_schedule_is_settled_and_told_in_words(terminal: Terminal) -> None:
    empty = await terminal("schedules")
    done = await terminal(
        "schedules", "set", "weekly", "--suite", "golden", "--model", "dim", "--cron", "30 4 * * SUN",
        "--time-zone", "Europe/Berlin", "--repeats", "3", "--max-cost-usd", "2.5", "--confirmations", "1",
    )  # fmt: skip
    assert "There is no schedule yet." in empty.out
    assert done.code == 0, done.err
    told = {line.split("  ")[0]: " ".join(line.split()[1:]) for line in done.out.splitlines()}
    assert told["when"] == "At 04:30 on Sunday, Europe/Berlin time (30 4 * * SUN)"
    assert (told["models"], told["stops at"]) == ("dim", "at 2.50 USD")
    assert told["confirms"] == "1 time at most"
    assert done.err.startswith("Its next night comes due at 2")


async def test_the_list_tells_when_and_how_the_last_night_went(terminal: Terminal, served_api: Api) -> None:
    for name in ("nightly", "quiet"):
        await terminal("schedules", "set", name, "--suite", "golden")
    await terminal("schedules", "trigger", "nightly", "--night", str(TODAY))
    paused = await terminal("schedules", "pause", "quiet")
    listed = await terminal("schedules")
    assert paused.err == "It is paused. Let it go on with `driftwarden schedules resume quiet`.\n"
    nightly, quiet = listed.rows
    assert nightly[:9] == ["nightly", "golden", "0", "2", "*", "*", "*", "UTC", str(TODAY)]
    assert nightly[9] == "submitted"
    assert quiet[-2:] == ["–", "paused"]
    for command in (("schedules", "--json"), ("schedules", "list", "--json")):
        assert [each["name"] for each in (await terminal(*command)).json["items"]] == ["nightly", "quiet"]


async def test_settling_a_paused_schedule_does_not_resume_it(terminal: Terminal) -> None:
    await terminal("schedules", "set", "nightly", "--suite", "golden")
    await terminal("schedules", "pause", "nightly")
    done = await terminal("schedules", "set", "nightly", "--suite", "golden", "--repeats", "2", "--json")
    resumed = await terminal("schedules", "resume", "nightly", "--json")
    assert (done.json["is_paused"], done.json["repeats"]) == (True, 2)
    assert resumed.json["is_paused"] is False


async def test_a_schedule_is_shown_with_its_nights(terminal: Terminal, served_api: Api) -> None:
    await terminal("schedules", "set", "nightly", "--suite", "golden")
    async with served_api.desk.connection() as connection:
        schedule = await schedules.find_schedule(connection, "nightly")
        assert schedule is not None
        yesterday, at = TODAY - timedelta(days=1), datetime.now(UTC) - timedelta(days=1)
        await schedules.store_night(
            connection, schedule.id, yesterday, at, Budget(3, 365), missed_because="It rained."
        )
    runs = [
        (await terminal("schedules", "trigger", "nightly", "--night", str(TODAY), "--json")).json["id"]
        for _ in range(2)
    ]
    shown = await terminal("schedules", "show", "nightly")
    facts, nights = shown.out.split("\n\n")
    assert "missed    1 night" in facts
    assert [line.split() for line in nights.splitlines()[1:]] == [
        [str(TODAY), "submitted", runs[0]],
        [str(TODAY), "submitted", runs[1], "1st", "confirmation"],
        [str(yesterday), "missed", "–", "It", "rained."],
    ]
    told = (await terminal("schedules", "show", "nightly", "--limit", "1", "--json")).json
    assert (told["schedule"]["nights_missed"], len(told["nights"]["items"])) == (1, 1)
    listed = await terminal("runs")
    place = ["nightly,", str(TODAY)]
    assert [row[2:-2] for row in listed.rows] == [[*place, "(1st", "confirmation)"], place]


async def test_a_triggered_night_says_what_it_is(terminal: Terminal) -> None:
    await terminal("schedules", "set", "nightly", "--suite", "golden")
    first = await terminal("schedules", "trigger", "nightly", "--night", str(TODAY))
    second = await terminal("schedules", "trigger", "nightly", "--night", str(TODAY))
    refused = await terminal("schedules", "trigger", "nightly", "--night", str(TODAY - timedelta(days=1)))
    assert first.err.startswith(f"This is the night of {TODAY}.\nThe run is accepted.")
    assert second.err.startswith(f"This is the 1st confirmation of the night of {TODAY}.\n")
    shown = await terminal("show", second.out.strip())
    assert f"nightly, {TODAY} (1st confirmation)" in shown.out
    assert refused.code == 2
    assert f"The schedule has come to the night of {TODAY}" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "nightly", "--suite", "golden", "--cron", "0 2 * *"), "cron: '0 2 * *' can't be used"),
        (
            ("set", "nightly", "--suite", "golden", "--time-zone", "Mars"),
            "time_zone: 'Mars' is no time zone.",
        ),
        (("set", "nightly", "--suite", "unknown"), "suite: 'unknown' is not stored here."),
        (("show", "unknown"), "There is no schedule 'unknown'."),
        (("trigger", "unknown", "--night", "soon"), "night: "),
    ],
)
async def test_what_can_not_be_done_is_said_by_field(
    terminal: Terminal, arguments: tuple[str, ...], said: str
) -> None:
    done = await terminal("schedules", *arguments)
    assert done.code == 2
    assert done.err.startswith(f"driftwarden: {said}")
