"""Schedules are settled, paused and triggered from their pages, and the watch's budget by one slider."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.db import schedules
from shared.db.budget import read_alarm_budget
from shared.db.keys import Scope
from shared.db.schedules import Budget, Schedule
from shared.domain.drift import budget as domain
from shared.domain.figures.power import power_of
from tests.integration.browsing import CALM, FALLEN, SOUND, Browser, Page, browse, live_through
from tests.integration.submitting import store_suite

TODAY = datetime.now(UTC).date()


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def settle(browser: Browser, **changed: Any) -> Page:
    form = (await browser.open("/new-schedule")).form("/new-schedule")
    return Page(await browser.send(form, **changed))


async def find(browser: Browser, name: str = "nightly") -> Schedule:
    async with browser.api.desk.connection() as connection:
        found = await schedules.find_schedule(connection, name)
    assert found is not None
    return found


async def facts(browser: Browser, act: str) -> list[dict[str, Any]]:
    async with browser.api.desk.connection() as connection:
        rows = await connection.fetch("SELECT actor, subject, facts FROM audit_log WHERE act = $1", act)
    return [dict(row) for row in rows]


async def test_a_schedule_is_settled_with_sensible_terms_by_one_press(browser: Browser) -> None:
    await store_suite(browser.api)

    page = await settle(browser)

    settled = await find(browser)
    assert page.status == 303
    assert (settled.suite, settled.models, settled.cron, settled.time_zone) == (
        "golden",
        None,
        "0 2 * * *",
        "UTC",
    )
    assert (settled.repeats, settled.confirmations, settled.renotify_days) == (1, 2, 7)
    [fact] = await facts(browser, "schedule.created")
    assert (fact["actor"], fact["subject"]) == ("anonymous", "nightly")


async def test_the_list_tells_what_runs_when_and_how_it_went(browser: Browser) -> None:
    await store_suite(browser.api)
    await settle(browser, name="weekly", cron="30 4 * * SUN", time_zone="Europe/Berlin")
    await settle(browser, name="monthly", cron="0 4 1 * *", all_models=[], models=["bright", "dim"])
    schedule = await find(browser, "monthly")
    async with browser.api.desk.connection() as connection:
        yesterday, at = TODAY - timedelta(days=1), datetime.now(UTC) - timedelta(days=1)
        await schedules.store_night(
            connection, schedule.id, yesterday, at, Budget(2, 365), missed_because="It rained."
        )

    page = await browser.open("/schedules")

    assert "weekly Sundays 04:30, Europe/Berlin golden all of models.yaml none yet in" in page.text
    assert "monthly 1st of the month 04:00 golden 2: bright, dim missed," in page.text
    assert "It rained." in (await browser.open("/schedules/monthly")).text


async def test_terms_are_changed_in_a_form_that_holds_them(browser: Browser) -> None:
    await store_suite(browser.api)
    await settle(
        browser, all_models=[], models=["dim"], more_models="openai/gpt-4o", max_cost_usd="12.50", sample="2"
    )
    await browser.send((await browser.open("/schedules/nightly")).form("/pause"))
    form = (await browser.open("/schedules/nightly/terms")).form("/terms")

    response = await browser.send(form, repeats="3")

    changed = await find(browser)
    assert response.headers["location"] == "/schedules/nightly"
    assert form.fields["models"] == ["dim"]
    assert form.fields["max_cost_usd"] == "12.5"
    assert (list(changed.models or ()), changed.repeats, changed.sample) == (["dim", "openai/gpt-4o"], 3, 2)
    assert changed.is_paused, "changing its terms does not resume it"


@pytest.mark.parametrize(
    ("field", "written", "told"),
    [
        ("name", "", "Begin with a letter or a digit"),
        ("name", "my nights", "Begin with a letter or a digit"),
        ("suite", "unknown", "'unknown' is not stored here."),
        ("all_models", [], "Tick this, or choose models."),
        ("cron", "often", "'often' can't be used"),
        ("cron", "0 * * * *", "'0 * * * *' comes due 24 times a day"),
        ("cron", "0 0 30 2 *", "'0 0 30 2 *' can't be used"),
        ("time_zone", "Mars/Base", "'Mars/Base' is no time zone."),
        ("repeats", "many", "Write a whole number, such as 3."),
        ("sample", "0", "Input should be greater than or equal to 1."),
        ("max_cost_usd", "1e9", "Input should be less than or equal to"),
        ("confirmations", "3", "Input should be less than or equal to 2."),
        ("renotify_days", "0", "Input should be greater than or equal to 1."),
    ],
)
async def test_terms_that_can_not_be_are_told_at_their_field(
    browser: Browser, field: str, written: Any, told: str
) -> None:
    await store_suite(browser.api)

    page = await settle(browser, **{"max_cost_usd": "7", field: written})

    assert page.status == 422
    assert page.errors[field].startswith(told)
    assert f"#{field}" in page.links
    async with browser.api.desk.connection() as connection:
        assert await schedules.list_schedules(connection) == []


async def test_a_new_schedule_does_not_overwrite_one_of_its_name(browser: Browser) -> None:
    await store_suite(browser.api)
    await settle(browser, repeats="2")

    page = await settle(browser, repeats="3")

    assert page.errors["name"].startswith("'nightly' is there already.")
    assert (await find(browser)).repeats == 2


async def test_a_schedule_is_paused_and_goes_on(browser: Browser) -> None:
    await store_suite(browser.api)
    await settle(browser)

    await browser.send((await browser.open("/schedules/nightly")).form("/pause"))
    paused = await browser.open("/schedules")
    was_paused = (await find(browser)).is_paused
    await browser.send((await browser.open("/schedules/nightly")).form("/resume"))

    assert was_paused
    assert "none yet paused" in paused.text
    assert not (await find(browser)).is_paused
    assert len(await facts(browser, "schedule.paused")) == len(await facts(browser, "schedule.resumed")) == 1


async def test_a_night_is_opened_by_hand_and_then_confirmed_twice_at_most(browser: Browser) -> None:
    await store_suite(browser.api)
    await settle(browser)
    form = (await browser.open("/schedules")).form("/trigger")

    opened = [await browser.send(form) for _ in range(3)]
    refused = Page(await browser.send(form))
    page = await browser.open("/schedules/nightly")

    assert {response.status_code for response in opened} == {303}
    assert len({response.headers["location"] for response in opened}) == 3
    assert opened[0].headers["location"] in page.links
    assert "2nd confirmation" in page.text
    assert refused.status == 409
    assert "was confirmed 2 times" in refused.text


async def test_nights_are_told_newest_first_and_page_by_page(browser: Browser) -> None:
    await live_through(browser.api, 32, CALM, models=(SOUND,), questions=20)

    page = await browser.open("/schedules/nightly")
    older = next(link for link in page.links if "before=" in link)

    assert page.text.index("1 Feb 2026") < page.text.index("31 Jan 2026")
    assert "the night of 2 Jan" not in page.text
    assert "the night of 2 Jan" in (await browser.open(older)).text


async def test_a_night_is_set_aside_with_a_reason(browser: Browser) -> None:
    await live_through(browser.api, 12)
    form = (await browser.open("/schedules/nightly/nights/2026-01-05")).form("/nights/2026-01-05")

    without = Page(await browser.send(form, model=FALLEN))
    unknown = Page(await browser.send(form, model="nobody", note="Maintenance."))
    done = await browser.send(form, model=FALLEN, note="Maintenance.")

    assert without.errors["note"].startswith("Write why")
    assert "'nobody' was not asked on 2026-01-05." in unknown.errors["model"]
    assert done.status_code == 303
    assert f"{FALLEN} set aside by anonymous. Maintenance." in (await browser.open("/schedules/nightly")).text


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/schedules/none", "All schedules"),
        ("/schedules/none/terms", "All schedules"),
        ("/schedules/nightly/nights/2031-01-01", "Its nights"),
    ],
)
async def test_what_is_not_there_leads_on(browser: Browser, path: str, way: str) -> None:
    await store_suite(browser.api)
    await settle(browser)

    page = await browser.open(path)

    assert page.status == 404
    assert way in page.text


async def test_the_slider_tells_what_each_budget_means_for_the_suite(browser: Browser) -> None:
    await store_suite(browser.api, size=200)
    await settle(browser)

    page = await browser.open("/schedules")

    power = power_of(200, domain.Budget(3, 365))
    assert power is not None
    assert power.drop is not None
    assert page.choices["nights_per_false_alarm"] == ["30", "60", "90", "180", "365", "730", "1460"]
    assert page.forms[-1].fields["nights_per_false_alarm"] == "365"
    assert f"365 holds now ≤ 1.0 {100 * power.drop:.1f} points {power.nights} nights" in page.text
    assert "over 3 watched models" in page.text


async def test_a_budget_that_people_choose_holds_from_the_next_night_on(browser: Browser) -> None:
    await store_suite(browser.api)
    await settle(browser)
    form = (await browser.open("/schedules")).form("/alarm-budget")
    trigger = (await browser.open("/schedules")).form("/trigger")

    done = await browser.send(form, nights_per_false_alarm="730")
    await browser.send(trigger)

    async with browser.api.desk.connection() as connection:
        chosen = await read_alarm_budget(connection, browser.api.desk.settings)
        night = await connection.fetchval("SELECT nights_per_false_alarm FROM nights")
    assert done.headers["location"] == "/schedules#sensitivity"
    assert (chosen.nights_per_false_alarm, chosen.set_by, night) == (730, "anonymous", 730)
    [fact] = await facts(browser, "alarm_budget.set")
    assert fact["facts"] == {"nights_per_false_alarm": 730}
    assert "Set by anonymous on" in (await browser.open("/schedules")).text


@pytest.mark.parametrize("written", ["", "0", "often", "1e9", "nan"])
async def test_a_budget_that_can_not_be_changes_nothing(browser: Browser, written: str) -> None:
    form = (await browser.open("/schedules")).form("/alarm-budget")

    page = Page(await browser.send(form, nights_per_false_alarm=written))

    assert page.status == 422
    assert "The budget is as it was." in page.text
    assert await facts(browser, "alarm_budget.set") == []


async def test_a_suite_too_small_is_not_told_what_was_never_measured(browser: Browser) -> None:
    await store_suite(browser.api, size=24)

    page = await browser.open("/schedules")

    assert "365 holds now ≤ 1.0 not measured not measured" in page.text


async def test_forms_from_elsewhere_change_nothing(browser: Browser) -> None:
    await store_suite(browser.api)
    await settle(browser)
    acts = [
        "/new-schedule", "/alarm-budget", "/schedules/nightly/terms", "/schedules/nightly/pause",
        "/schedules/nightly/resume", "/schedules/nightly/trigger", "/schedules/nightly/nights/2026-01-01",
    ]  # fmt: skip

    answers = [(await browser.api.client.post(act, data={"form_token": "0"})).status_code for act in acts]

    assert set(answers) == {403}
    assert not (await find(browser)).is_paused


async def test_who_may_only_read_changes_nothing(database_url: str, redis_url: str, tmp_path: Path) -> None:
    async with browse(database_url, redis_url, tmp_path, auth="on") as browser:
        await store_suite(browser.api)
        await browser.sign_in(Scope.READ)

        page = await browser.open("/schedules")
        refused = await browser.send(page.form("/alarm-budget"), nights_per_false_alarm="30")

        assert "This needs a key of scope submit." in page.text
        assert refused.status_code == 403
