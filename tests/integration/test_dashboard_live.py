"""A run on its page while it goes on: drawn anew by the server, and stopped by those who may."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.worker.finalize import finalize_run
from services.worker.stop import stop_run
from shared.db.keys import Scope
from tests.factories import make_suite, plan_run, submit_run
from tests.integration.browsing import Browser, Page, browse
from tests.integration.measuring import LATE, RIGHT, open_run, record
from tests.integration.pipeline import install
from tests.integration.serving import make_settings, serve_api
from tests.integration.test_dashboard_access import sign_in


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def test_an_open_run_shows_how_far_it_is_and_can_be_stopped(browser: Browser) -> None:
    keys = await plan_run(browser.api.desk.pool, content=make_suite(20), max_cost_usd=Decimal(2))
    run_id = await record(browser.api, keys, *[RIGHT] * 14, LATE)

    page = await open_run(browser, run_id)
    await browser.send(page.form("/cancel"))
    stopping = await open_run(browser, run_id)
    await stop_run(browser.api.desk.pool, browser.api.desk.redis, run_id)
    too_late = await browser.send(page.form("/cancel"))
    over = await browser.open(too_late.headers["location"])

    assert "Done 75 % 15 of 20 pairs are done" in page.text
    assert "0.00 USD of 2.00 allowed" in page.text
    assert "to go at this pace" in page.text
    assert "15 of 20, 1 not measured" in page.text
    assert "open 5" in page.text
    assert "What was not asked yet is skipped, for good." in page.text
    assert "Being stopped" in stopping.text
    assert not [form for form in stopping.forms if form.action.endswith("/cancel")]
    assert "It had ended before it could be stopped." in over.text


async def test_a_run_that_is_not_planned_yet_shows_no_made_up_numbers(browser: Browser) -> None:
    async with browser.api.desk.connection() as connection:
        run_id = await submit_run(connection)

    page, listed = await open_run(browser, run_id), await browser.open("/runs")

    assert "Its pairs are being planned." in page.text
    assert "being planned" in listed.text
    assert "to go" not in page.text


async def test_stopping_needs_a_form_of_ours_and_a_key_that_may(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with browse(database_url, redis_url, tmp_path, auth="on") as browser:
        keys = await plan_run(browser.api.desk.pool)
        here = f"/runs/{keys[0].run_id}"
        for path in ("/runs", here, f"{here}/events", f"{here}/export"):
            assert (await browser.api.client.get(path)).headers["location"].startswith("/sign-in?next=")
        await sign_in(browser, Scope.READ)
        page = await browser.open(here)

        refused = await browser.send(page.form("/cancel"))
        forged = await browser.api.client.post(f"{here}/cancel", data={})
        file = await browser.api.client.get(f"{here}/export?format=jsonl")
        async with browser.api.desk.connection() as connection:
            reason = await connection.fetchval("SELECT stop_reason FROM runs")

        await record(browser.api, keys, LATE, LATE, LATE)
        await finalize_run(browser.api.desk.pool, keys[0].run_id)
        heard = await browser.api.client.get(f"{here}/events")

    assert "Your key may read, not stop." in page.text
    assert "needs a key of scope submit" in refused.text
    assert "event: finished" in heard.text
    assert forged.status_code == 403
    assert len(file.text.splitlines()) == 3
    assert reason is None


async def test_the_page_follows_a_run_that_really_runs(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    content = make_suite(12)
    models = {"bright": {"skill": 1.0, "noise": 0.0}}
    async with (
        install(database_url, redis_url, tmp_path, content, models) as installation,
        serve_api(make_settings(database_url, redis_url, tmp_path, auth="off")) as api,
    ):
        del api.client.headers["Authorization"]
        run_id = await installation.submit(content, "bright")
        page = Page(await api.client.get(f"/runs/{run_id}"))
        async with api.client.stream("GET", f"/runs/{run_id}/events") as response:
            working = asyncio.create_task(installation.work())
            heard = [(name, drawn) async for name, drawn in listen(response)]
            await working
        over = Page(await api.client.get(f"/runs/{run_id}"))

    assert "Its pairs are being planned." in page.text
    assert heard[0][0] == "progress"
    assert heard[-1][0] == "finished"
    assert "12 of 12 pairs are done." in heard[-1][1].replace("\N{NO-BREAK SPACE}", " ")
    assert "Complete" in over.text
    assert "12 of 12 pairs" in over.text
    assert "id=live" not in over.text


async def listen(response: Any) -> AsyncIterator[tuple[str, str]]:
    """The events of a stream, by name and what was drawn."""
    name, drawn = "", ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            drawn += line.removeprefix("data: ") + "\n"
        elif not line and drawn:
            yield name, drawn
            drawn = ""
