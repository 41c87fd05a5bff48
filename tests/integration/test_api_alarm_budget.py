"""The alarm budget over REST and from the command line: one choice, told with what it means."""

from pathlib import Path

import pytest

from shared.db.keys import Scope
from tests.integration.commands import open_terminal
from tests.integration.serving import Api
from tests.integration.submitting import refused_fields, store_suite

BUDGET = "/api/v1/alarm-budget"


async def test_without_a_choice_the_setting_holds(api: Api) -> None:
    told = (await api.client.get(BUDGET)).json()

    assert (told["nights_per_false_alarm"], told["set_by"], told["set_at"]) == (365, None, None)
    assert (told["suite"], told["questions"]) == (None, None)
    assert {one["drop_within_week"] for one in told["choices"]} == {None}


async def test_a_choice_is_told_everywhere_with_what_it_means(api: Api) -> None:
    await store_suite(api, size=100)

    told = (await api.client.put(BUDGET, json={"nights_per_false_alarm": 100})).json()
    drift = (await api.client.get("/api/v1/drift")).json()

    assert (told["nights_per_false_alarm"], told["set_by"]) == (100, "a admin key")
    assert drift["nights_per_false_alarm"] == 100
    assert (told["suite"], told["questions"]) == ("golden", 100)
    nights = [one["nights_per_false_alarm"] for one in told["choices"]]
    drops = [one["drop_within_week"] for one in told["choices"]]
    assert nights == [30, 60, 90, 100, 180, 365, 730, 1460]
    assert drops == sorted(drops)
    async with api.desk.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_log WHERE act = 'alarm_budget.set'") == 1


async def test_a_sample_is_told_as_it_is_asked(api: Api) -> None:
    await store_suite(api, size=100)
    await api.client.put("/api/v1/schedules/nightly", json={"suite": "golden", "sample": 50})

    assert (await api.client.get(BUDGET)).json()["questions"] == 50


@pytest.mark.parametrize("nights", [0, -1, "365", None, 1e7])
async def test_a_budget_that_can_not_be_is_refused(api: Api, nights: object) -> None:
    response = await api.client.put(BUDGET, json={"nights_per_false_alarm": nights})

    assert refused_fields(response) == ["nights_per_false_alarm"]


async def test_reading_needs_a_key_and_choosing_one_to_submit(api: Api) -> None:
    reader = await api.key(Scope.READ)

    assert (await api.client.get(BUDGET, headers=reader)).status_code == 200
    refused = await api.client.put(BUDGET, json={"nights_per_false_alarm": 30}, headers=reader)
    assert refused.status_code == 403
    assert (await api.client.get(f"{BUDGET}?suite=none")).status_code == 404


async def test_the_command_shows_and_sets_it(served_api: Api, tmp_path: Path) -> None:
    await store_suite(served_api, size=200)
    terminal = open_terminal(served_api, tmp_path / "work")

    before, done = await terminal("budget"), await terminal("budget", "730", "--json")
    after = await terminal("budget")
    refused = await terminal("budget", "0")

    assert "At most one false alarm in 365 nights" in before.out
    assert "the server's setting" in before.out
    assert done.json["nights_per_false_alarm"] == 730
    assert "set by a admin key" in after.out
    rows = after.out.split("\n\n")[1].splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["30", "60", "90", "180", "365", "730", "1460"]
    assert refused.code == 2
