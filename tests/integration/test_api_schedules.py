"""Schedules over REST: settled or refused, triggered by hand, paused and resumed, all on record."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.api.schemas.schedules import EXAMPLE
from shared.db import schedules
from shared.db.keys import Scope
from shared.db.schedules import Budget
from shared.domain.calendar import next_due
from shared.domain.questions.suites import Scorer
from shared.settings import Settings
from tests.integration.serving import Api, make_settings, open_api
from tests.integration.submitting import queued, refused_fields, store_suite, submit

SCHEDULES = "/api/v1/schedules"
TODAY = datetime.now(UTC).date()


async def put(api: Api, name: str = "nightly", **changed: Any) -> httpx.Response:
    return await api.client.put(f"{SCHEDULES}/{name}", json={"suite": "golden", **changed})


async def trigger(api: Api, night: date | str | None = None, name: str = "nightly") -> httpx.Response:
    body = None if night is None else {"night": str(night)}
    return await api.client.post(f"{SCHEDULES}/{name}/trigger", json=body)


async def show(api: Api, path: str = "nightly") -> Any:
    response = await api.client.get(f"{SCHEDULES}/{path}")
    assert response.status_code == 200, response.text
    return response.json()


async def audited(api: Api) -> list[tuple[str, str, str]]:
    async with api.desk.connection() as connection:
        rows = await connection.fetch("SELECT actor, act, subject FROM audit_log ORDER BY id")
    return [tuple(row) for row in rows]


@pytest.fixture
async def golden(api: Api) -> Api:
    """The API with a suite to schedule."""
    await store_suite(api)
    return api


async def test_a_schedule_is_settled_with_its_defaults(golden: Api) -> None:
    response = await put(golden)
    assert response.status_code == 201, response.text
    due = next_due("0 2 * * *", "UTC", datetime.now(UTC))
    assert due is not None
    assert response.json() == {
        "name": "nightly",
        "suite": "golden",
        "models": None,
        "judge": None,
        "prompt": None,
        "cron": "0 2 * * *",
        "time_zone": "UTC",
        "repeats": 1,
        "sample": None,
        "max_cost_usd": None,
        "confirmations": 2,
        "renotify_days": 7,
        "is_paused": False,
        "next_due_at": f"{due.due_at:%Y-%m-%dT%H:%M:%SZ}",
        "last_night": None,
        "nights_missed": 0,
    }
    assert await show(golden) == response.json()


async def test_settling_it_again_replaces_all_its_terms(golden: Api) -> None:
    await put(golden, repeats=5, max_cost_usd=2.5, models=["dim"])
    changed = await put(golden, cron="30 4 * * SUN", time_zone="Asia/Tokyo", sample=2)
    assert changed.status_code == 200
    told = changed.json()
    assert (told["repeats"], told["max_cost_usd"], told["models"], told["sample"]) == (1, None, None, 2)
    assert told["next_due_at"].endswith("T19:30:00Z")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cron", "0 2 * *"),
        ("cron", "0 */2 * * *"),
        ("cron", ""),
        ("time_zone", "Europe/Atlantis"),
        ("suite", "unknown"),
        ("suite", "no such name"),
        ("models", []),
        ("models", ["echo"]),
        ("models[1]", ["dim", "unknown"]),
        ("models[1]", ["dim", "dim"]),
        ("judge", "unknown"),
        ("repeats", 0),
        ("repeats", 500_000),
        ("sample", 0),
        ("max_cost_usd", 0),
        ("max_cost_usd", "2.50"),
        ("confirmations", 3),
        ("renotify_days", 0),
        ("is_paused", "no"),
        ("allow_self_judging", True),
    ],
)
async def test_terms_that_can_not_be_kept_are_refused_by_name(golden: Api, field: str, value: Any) -> None:
    response = await put(golden, **{field.removesuffix("[1]"): value})
    assert refused_fields(response) == [field]
    assert (await golden.client.get(SCHEDULES)).json()["items"] == []


async def test_a_judge_does_not_judge_itself_night_after_night(api: Api) -> None:
    await store_suite(api, scorer=Scorer())
    refused = await put(api, models=["dim", "sim-judge"])
    assert refused_fields(refused) == ["judge"]
    assert refused.json()["errors"][0]["remedy"] == "Name another judge."


async def test_the_example_of_the_docs_is_taken(golden: Api, api_settings: Settings) -> None:
    catalogue = api_settings.models_file
    assert catalogue is not None
    response = await put(golden, **{**EXAMPLE, "models": ["dim", "openai/gpt-4o-mini"]})
    assert response.status_code == 201, response.text


async def test_tonight_is_opened_by_hand_in_the_schedules_own_time_zone(golden: Api) -> None:
    await put(golden, models=["dim"], time_zone="Pacific/Kiritimati")
    before = datetime.now(UTC)
    response = await trigger(golden)
    assert response.status_code == 202, response.text
    run = response.json()
    assert response.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert (run["kind"], run["schedule"], run["attempt"]) == ("nightly", "nightly", 0)
    assert run["night"] in {
        str((moment + timedelta(hours=14)).date()) for moment in (before, datetime.now(UTC))
    }
    assert run["models"] == ["dim", "echo"]
    assert await queued(golden, "plan_run", run["id"])
    told = await show(golden)
    assert told["last_night"] == {
        "night": run["night"],
        "state": "ran",
        "run_id": run["id"],
        "run_state": "submitted",
        "reason": None,
    }
    assert told["next_due_at"] > f"{run['night']}T"


async def test_a_night_that_ran_is_confirmed_twice_and_then_done(golden: Api) -> None:
    await put(golden)
    entries = [(await trigger(golden, TODAY)).json() for _ in range(3)]
    assert [(run["kind"], run["attempt"]) for run in entries] == [
        ("nightly", 0),
        ("confirmation", 1),
        ("confirmation", 2),
    ]
    assert {tuple(run["models"]) for run in entries} == {("bright", "dim", "also-bright", "echo")}
    refused = await trigger(golden, TODAY)
    assert (refused.status_code, refused.json()["title"]) == (409, "Night taken")
    assert "confirmed 2 times" in refused.json()["detail"]


async def test_nights_are_made_up_one_after_another_and_never_backwards(golden: Api) -> None:
    await put(golden)
    days = [TODAY + timedelta(days=number) for number in (0, 1, 2, 5)]
    for night in days:
        assert (await trigger(golden, night)).json()["night"] == str(night)
    refused = await trigger(golden, TODAY + timedelta(days=3))
    assert refused.status_code == 409
    assert f"has come to the night of {days[-1]}" in refused.json()["detail"]
    assert (await show(golden))["next_due_at"][:10] == str(days[-1] + timedelta(days=1))
    page = await show(golden, "nightly/nights?limit=3")
    rest = await show(golden, f"nightly/nights?cursor={page['next_cursor']}")
    assert [night["night"] for night in page["items"] + rest["items"]] == [str(night) for night in days[::-1]]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("night", ["soon", "1999-12-31", "2200-01-01", 20261121, "2026-02-30", ""])
async def test_a_night_that_is_no_date_is_refused(golden: Api, night: Any) -> None:
    await put(golden)
    response = await golden.client.post(f"{SCHEDULES}/nightly/trigger", json={"night": night})
    assert refused_fields(response) == ["night"]


async def test_a_trigger_that_can_not_be_run_says_why_and_leaves_no_night(golden: Api) -> None:
    await put(golden)
    async with golden.desk.connection() as connection:
        await connection.execute("UPDATE suite_versions SET is_runnable = false")
    assert refused_fields(await trigger(golden)) == ["suite"]
    assert (await show(golden, "nightly/nights"))["items"] == []


async def test_a_missed_night_is_told_with_its_reason(golden: Api) -> None:
    await put(golden)
    async with golden.desk.connection() as connection:
        schedule = await schedules.find_schedule(connection, "nightly")
        assert schedule is not None
        for days in (2, 1):
            night, due_at = TODAY - timedelta(days=days), datetime.now(UTC) - timedelta(days=days)
            await schedules.store_night(
                connection, schedule.id, night, due_at, Budget(3, 365), missed_because="It rained."
            )
    told = await show(golden)
    assert told["nights_missed"] == 2
    assert (told["last_night"]["state"], told["last_night"]["reason"]) == ("missed", "It rained.")
    assert told["last_night"]["run_id"] is None
    newest = (await show(golden, "nightly/nights"))["items"][0]
    assert (newest["night"], newest["reason"], newest["runs"]) == (str(night), "It rained.", [])


async def test_pausing_and_resuming_are_told_and_safe_to_repeat(golden: Api) -> None:
    await put(golden)
    for _ in range(2):
        paused = (await golden.client.post(f"{SCHEDULES}/nightly/pause")).json()
        assert (paused["is_paused"], paused["next_due_at"]) == (True, None)
    assert (await trigger(golden)).status_code == 202, "a person may open a night all the same"
    for _ in range(2):
        resumed = (await golden.client.post(f"{SCHEDULES}/nightly/resume")).json()
        assert resumed["is_paused"] is False
        assert resumed["next_due_at"] is not None


async def test_schedules_are_listed_by_name_in_pages(golden: Api) -> None:
    for name in ("weekly", "nightly", "smoke"):
        await put(golden, name)
    first = (await golden.client.get(SCHEDULES, params={"limit": 2})).json()
    rest = (await golden.client.get(SCHEDULES, params={"cursor": first["next_cursor"]})).json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ["nightly", "smoke", "weekly"]
    assert first["items"][0] == await show(golden)


async def test_what_is_not_there_is_not_found(golden: Api) -> None:
    for method, path in [
        ("GET", "none"), ("GET", "none/nights"), ("POST", "none/trigger"), ("POST", "none/pause"),
        ("POST", "none/resume"),
    ]:  # fmt: skip
        response = await golden.client.request(method, f"{SCHEDULES}/{path}")
        assert (response.status_code, response.json()["detail"]) == (404, "There is no schedule 'none'.")


async def test_reading_schedules_takes_a_key_and_changing_them_a_greater_one(golden: Api) -> None:
    await put(golden)
    reader = await golden.key(Scope.READ)
    for path in ("", "/nightly", "/nightly/nights"):
        assert (await golden.client.get(SCHEDULES + path, headers=reader)).status_code == 200
    refused = [
        await golden.client.put(f"{SCHEDULES}/nightly", json={"suite": "golden"}, headers=reader),
        *[
            await golden.client.post(f"{SCHEDULES}/nightly/{act}", headers=reader)
            for act in ("trigger", "pause", "resume")
        ],
    ]
    assert [response.status_code for response in refused] == [403] * 4
    assert await audited(golden) == [("a admin key", "schedule.created", "nightly")]


async def test_every_act_of_a_person_is_on_record(golden: Api) -> None:
    golden.client.headers.update(await golden.key(Scope.SUBMIT))
    await put(golden)
    await put(golden, repeats=2)
    run = (await trigger(golden, TODAY)).json()
    await golden.client.post(f"{SCHEDULES}/nightly/pause")
    await golden.client.post(f"{SCHEDULES}/nightly/resume")
    acts = ["created", "changed", "triggered", "paused", "resumed"]
    assert await audited(golden) == [("a submit key", f"schedule.{act}", "nightly") for act in acts]
    async with golden.desk.connection() as connection:
        facts = await connection.fetch("SELECT facts FROM audit_log ORDER BY id")
    assert facts[1]["facts"]["repeats"] == 2
    assert facts[2]["facts"] == {"night": str(TODAY), "attempt": 0, "run": run["id"]}


async def test_without_keys_acts_are_nobodys(database_url: str, redis_url: str, tmp_path: Path) -> None:
    async with open_api(make_settings(database_url, redis_url, tmp_path, auth="off")) as api:
        await store_suite(api)
        await put(api)
        assert await audited(api) == [("anonymous", "schedule.created", "nightly")]


async def test_runs_tell_their_place_in_a_schedule(golden: Api) -> None:
    await put(golden)
    nightly, adhoc = (await trigger(golden, TODAY)).json(), (await submit(golden)).json()
    listed = (await golden.client.get("/api/v1/runs")).json()["items"]
    assert [(run["id"], run["kind"], run["schedule"], run["night"], run["attempt"]) for run in listed] == [
        (adhoc["id"], "adhoc", None, None, None),
        (nightly["id"], "nightly", "nightly", str(TODAY), 0),
    ]
