"""Every page in a real browser: light, dark and narrow, by axe's rules, with nothing in the console.

Screenshots go to the folder DRIFTWARDEN_SCREENSHOTS, if there is one.
"""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, Error, Page, async_playwright

from services.worker.finalize import finalize_run
from shared.db import pairs
from shared.domain.runs import RunId
from tests.databases import Databases
from tests.factories import make_suite, plan_run
from tests.integration.anchoring import store_anchors
from tests.integration.browsing import FALLEN, SOUND, live_through
from tests.integration.importing import import_rows, make_rows
from tests.integration.measuring import LATE, RIGHT, WRONG, record
from tests.integration.serving import Api, make_settings, serve_api

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PATIENCE_MS = 120_000  # Plotly is 5 MB of script, and the machine may be busy
LOOKS = {"light": ("light", 1440), "dark": ("dark", 1440), "narrow": ("light", 390), "middle": ("dark", 768)}
# Each page is loaded in its first look and seen in all: a page that is open follows the device into the dark.
WALKS = (("light", "dark"), ("middle",), ("narrow",))


@dataclass(frozen=True, slots=True)
class Stage:
    browser: Browser
    url: str
    incident: str
    first_night: str
    night: str
    running: RunId
    api: Api

    def paths(self) -> dict[str, str]:
        return {
            "home": "/",
            "incidents": "/incidents?status=all",
            "incident": f"/incidents/{self.incident}",
            "act": f"/incidents/{self.incident}/accept-baseline",
            "model": f"/models/view?model={FALLEN}",
            "runs": "/runs",
            "run": f"/runs/{self.night}",
            "running": f"/runs/{self.running}",
            "prompts": "/prompts",
            "compare": "/compare",
            "compare-priced": "/compare?suite=priced",
            "two-runs": f"/compare?baseline={self.first_night}&candidate={self.night}",
            "submit": "/submit",
            "schedules": "/schedules",
            "schedule": "/schedules/nightly",
            "schedule-terms": "/schedules/nightly/terms",
            "set-aside": "/schedules/nightly/nights/2026-01-12",
            "suites": "/suites",
            "suite": "/suites/golden",
            "anchors": "/anchors",
            "label": "/anchors/label?suite=judged&said=1",
            "fault": "/incidents/unknown",
        }


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        try:
            found = await playwright.chromium.launch(executable_path=chromium, args=QUIET)
        except Error as error:
            if os.environ.get("CI") == "1":
                raise
            pytest.skip(f"there is no Chromium to look at pages with: {error.message.splitlines()[0]}")
        yield found
        await found.close()


@pytest.fixture(scope="module")
async def still_stage(
    databases: Databases, valkey_url: str, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """For those who only look."""
    async with databases.lend() as database_url:
        settings = make_settings(database_url, valkey_url, tmp_path_factory.mktemp("stage"), auth="off")
        async with serve_api(settings) as api:
            yield await set_stage(api, browser)


@pytest.fixture
async def stage(database_url: str, redis_url: str, browser: Browser, tmp_path: Path) -> AsyncIterator[Stage]:
    """For those who change something."""
    async with serve_api(make_settings(database_url, redis_url, tmp_path, auth="off")) as api:
        yield await set_stage(api, browser)


async def set_stage(api: Api, browser: Browser) -> Stage:
    past = await live_through(api, 14)
    incident = next(one for one in await past.incidents() if one.model == FALLEN)
    first_night = (await api.client.get("/api/v1/runs")).json()["items"][-1]["id"]
    await import_rows(api, *priced_rows())
    await store_anchors(api)
    keys = await plan_run(api.desk.pool, content=make_suite(30), models=(SOUND, FALLEN))
    running = await record(api, keys, *[RIGHT, WRONG] * 20, LATE)
    url = str(api.client.base_url).rstrip("/")
    return Stage(browser, url, str(incident.id), first_night, str(incident.opened_run), running, api)


def priced_rows() -> list[dict[str, Any]]:
    """A suite of which the costs are known: ten models, some of one price, one that is free."""
    return [
        row
        for at in range(10)
        for row in make_rows(
            95 - 4 * at, 5 + 4 * at, model=f"vendor/model-{at}", suite="priced",
            cost_usd=0.02 / 3 ** (at // 2) if at < 9 else 0, latency_seconds=4 / (at + 1),
        )
    ]  # fmt: skip


async def open_page(stage: Stage, look: str, path: str, *, script: bool = True) -> tuple[Page, list[str]]:
    """Look at a page as a new visitor, and hear what the browser complains of."""
    context = await stage.browser.new_context(java_script_enabled=script)
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await change_look(page, look)
    complaints: list[str] = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith(stage.url) else complaints.append(asked.url)
    )
    await page.goto(stage.url + path)
    return page, complaints


async def change_look(page: Page, look: str) -> None:
    scheme, width = LOOKS[look]
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size({"width": width, "height": 900})


async def find_troubles(page: Page, look: str) -> list[str]:
    await page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    width = await page.evaluate("document.documentElement.scrollWidth")
    too_wide = [f"is {width} px wide"] if width > LOOKS[look][1] else []
    return too_wide + await find_violations(page)


async def find_violations(page: Page) -> list[str]:
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("looks", WALKS, ids="-".join)
async def test_pages_are_sound_in_every_look(still_stage: Stage, looks: tuple[str, ...]) -> None:
    page, complaints = await open_page(still_stage, looks[0], "/")
    folder = os.environ.get("DRIFTWARDEN_SCREENSHOTS")
    troubles: dict[str, list[str]] = {}
    for name, path in still_stage.paths().items():
        complaints.clear()
        await change_look(page, looks[0])
        await page.goto(still_stage.url + path)
        await page.evaluate(AXE_FILE_PATH.read_text())
        for look in looks:
            await change_look(page, look)
            troubles[f"{name}, {look}"] = await find_troubles(page, look)
            if folder:
                await page.screenshot(path=Path(folder) / f"{name}-{look}.png", full_page=True)
        troubles[name] = [one for one in complaints if not ("unknown" in path and "404" in one)]
    await page.context.close()

    assert {where: what for where, what in troubles.items() if what} == {}


@pytest.mark.slow
async def test_pages_tell_everything_without_script(stage: Stage) -> None:
    page, _ = await open_page(stage, "light", f"/models/view?model={FALLEN}", script=False)
    drawn = await page.locator("figure svg.wide path.line").count()
    await page.goto(f"{stage.url}/incidents/{stage.incident}")
    await page.get_by_role("button", name="Acknowledge").click()

    assert drawn >= 1
    assert "Acknowledged by anonymous." in await page.locator("main").inner_text()
    await page.context.close()


@pytest.mark.slow
async def test_large_charts_are_drawn_by_plotly_where_scripts_run(still_stage: Stage) -> None:
    page, complaints = await open_page(still_stage, "light", f"/models/view?model={FALLEN}")

    await page.locator("figure.drawn .main-svg").first.wait_for(state="attached")
    await page.goto(f"{still_stage.url}/compare?suite=priced")
    await page.locator("figure.drawn .scatterlayer .point").first.wait_for(state="attached")

    assert complaints == []
    await page.context.close()


@pytest.mark.slow
async def test_the_keyboard_reaches_the_content_first(still_stage: Stage) -> None:
    page, _ = await open_page(still_stage, "light", "/")
    await page.keyboard.press("Tab")

    assert await page.evaluate("document.activeElement.textContent") == "Skip to content"
    await page.context.close()


@pytest.mark.slow
async def test_an_answer_opens_without_script_and_is_sound_when_open(still_stage: Stage) -> None:
    for script in (False, True):
        page, _ = await open_page(
            still_stage, "light", f"/runs/{still_stage.night}?outcome=failed", script=script
        )
        opened = page.get_by_text("Reference", exact=True)
        assert not await opened.first.is_visible()
        await page.locator(".answers summary").first.click()
        assert await opened.first.is_visible()
        if script:
            await page.evaluate(AXE_FILE_PATH.read_text())
            assert await find_violations(page) == []
        await page.context.close()


@pytest.mark.slow
async def test_a_running_run_is_followed_to_its_end(stage: Stage) -> None:
    page, complaints = await open_page(stage, "light", f"/runs/{stage.running}")
    async with stage.api.desk.connection() as connection:
        left = await pairs.list_open_pairs(connection, stage.running)

    await record(stage.api, left[:9], *[RIGHT] * 9)
    await page.locator("#live").get_by_text("50 of 60 pairs are done", exact=True).wait_for()
    await record(stage.api, left[9:], *[RIGHT] * 10)
    await finalize_run(stage.api.desk.pool, stage.running)
    await page.get_by_role("heading", name="What each model came to").wait_for()

    assert await page.locator("#live").count() == 0
    assert complaints == []
    await page.context.close()


@pytest.mark.slow
async def test_the_slider_tells_at_once_what_a_budget_means(stage: Stage) -> None:
    page, complaints = await open_page(stage, "light", "/schedules")
    slider = page.get_by_role("slider")
    before = await page.locator("[data-of=alarms]").inner_text()

    await slider.press("End")
    after = await page.locator("[data-of=alarms]").inner_text()
    await page.get_by_role("button", name="Save budget").click()
    await page.get_by_text("Set by anonymous").wait_for()

    assert (before, after) == ("≤ 1.0", "≤ 0.25")
    assert await slider.get_attribute("aria-valuetext") == "1\N{NARROW NO-BREAK SPACE}460 nights"
    assert complaints == []
    await page.context.close()


@pytest.mark.slow
async def test_what_a_run_takes_is_told_while_its_form_is_filled_in(still_stage: Stage) -> None:
    page, complaints = await open_page(still_stage, "light", "/submit")
    told = page.locator("#told strong")
    await told.filter(has_text="pairs").wait_for()
    before = await told.inner_text()

    await page.get_by_label("Repeats").fill("3")
    await told.filter(has_not_text=before).wait_for()
    await page.get_by_label("Repeats").fill("three")
    await page.get_by_text("Repeats: Write a whole number").wait_for()

    assert complaints == []
    await page.context.close()


@pytest.mark.slow
async def test_a_card_is_labelled_by_a_key_and_by_a_button_without_script(stage: Stage) -> None:
    page, complaints = await open_page(stage, "light", "/anchors/label?suite=judged")
    await page.keyboard.press("1")
    await page.get_by_text("You said pass").wait_for()
    counted = await page.locator(".kick").inner_text()
    await page.context.close()

    bare, _ = await open_page(stage, "light", "/anchors/label?suite=judged", script=False)
    await bare.get_by_role("button", name="Fail").click()

    assert counted == "3 of 24 labelled"
    assert "You said fail" in await bare.locator("main").inner_text()
    assert complaints == []
    await bare.context.close()


@pytest.mark.slow
async def test_what_is_wrong_with_a_form_takes_the_focus(still_stage: Stage) -> None:
    page, _ = await open_page(still_stage, "light", "/submit", script=False)
    await page.get_by_label("Stop at cost, USD").fill("two")
    await page.get_by_role("button", name="Start the run").click()

    focused = await page.locator(":focus").inner_text()

    assert "1\N{NO-BREAK SPACE}field can't be used as written." in focused
    assert await page.get_by_label("Stop at cost, USD").input_value() == "two"
    await page.context.close()
