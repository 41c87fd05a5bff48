"""Every page in a real browser: light, dark and narrow, by axe's rules, with nothing in the console.

Screenshots go to the folder DRIFTWARDEN_SCREENSHOTS, else to one of pytest's.
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
from shared.settings import Settings
from tests.factories import make_suite, plan_run
from tests.integration.anchoring import store_anchors
from tests.integration.browsing import FALLEN, SOUND, live_through
from tests.integration.importing import import_rows, make_rows
from tests.integration.measuring import LATE, RIGHT, WRONG, record
from tests.integration.serving import Api, make_settings, serve_api

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PATIENCE_MS = 120_000  # Plotly is 5 MB of script, and the machine may be busy
LOOKS = {"light": ("light", 1440), "dark": ("dark", 1440), "narrow": ("light", 390), "middle": ("dark", 768)}


@dataclass(frozen=True, slots=True)
class Stage:
    browser: Browser
    url: str
    incident: str
    first_night: str
    night: str
    running: RunId
    api: Api
    folder: Path

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


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    named = os.environ.get("DRIFTWARDEN_SCREENSHOTS")
    folder = Path(named) if named else tmp_path / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
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


@pytest.fixture
async def served(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    settings: Settings = make_settings(database_url, redis_url, tmp_path, auth="off")
    async with serve_api(settings) as api:
        yield api


@pytest.fixture
async def stage(served: Api, browser: Browser, screenshots: Path) -> Stage:
    past = await live_through(served, 14)
    incident = next(one for one in await past.incidents() if one.model == FALLEN)
    first_night = (await served.client.get("/api/v1/runs")).json()["items"][-1]["id"]
    await import_rows(served, *priced_rows())
    await store_anchors(served)
    keys = await plan_run(served.desk.pool, content=make_suite(30), models=(SOUND, FALLEN))
    running = await record(served, keys, *[RIGHT, WRONG] * 20, LATE)
    url = str(served.client.base_url).rstrip("/")
    night = str(incident.opened_run)
    return Stage(browser, url, str(incident.id), first_night, night, running, served, screenshots)


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
    scheme, width = LOOKS[look]
    context = await stage.browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith(stage.url) else complaints.append(asked.url)
    )
    await page.goto(stage.url + path)
    return page, [one for one in complaints if "404" not in one] if "unknown" in path else complaints


async def find_violations(page: Page) -> list[str]:
    await page.evaluate(AXE_FILE_PATH.read_text())
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
async def test_pages_are_sound_in_every_look(stage: Stage, look: str) -> None:
    troubles: dict[str, list[str]] = {}
    for name, path in stage.paths().items():
        page, complaints = await open_page(stage, look, path)
        width = await page.evaluate("document.documentElement.scrollWidth")
        if width > LOOKS[look][1]:
            complaints.append(f"is {width} px wide")
        await page.screenshot(path=stage.folder / f"{name}-{look}.png", full_page=True)
        complaints += await find_violations(page)
        if complaints:
            troubles[name] = complaints
        await page.context.close()

    assert troubles == {}


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
async def test_large_charts_are_drawn_by_plotly_where_scripts_run(stage: Stage) -> None:
    page, complaints = await open_page(stage, "light", f"/models/view?model={FALLEN}")

    await page.locator("figure.drawn .main-svg").first.wait_for(state="attached")
    await page.goto(f"{stage.url}/compare?suite=priced")
    await page.locator("figure.drawn .scatterlayer .point").first.wait_for(state="attached")

    assert complaints == []
    await page.context.close()


@pytest.mark.slow
async def test_the_keyboard_reaches_the_content_first(stage: Stage) -> None:
    page, _ = await open_page(stage, "light", "/")
    await page.keyboard.press("Tab")

    assert await page.evaluate("document.activeElement.textContent") == "Skip to content"
    await page.context.close()


@pytest.mark.slow
async def test_an_answer_opens_without_script_and_is_sound_when_open(stage: Stage) -> None:
    for script in (False, True):
        page, _ = await open_page(stage, "light", f"/runs/{stage.night}?outcome=failed", script=script)
        opened = page.get_by_text("Reference", exact=True)
        assert not await opened.first.is_visible()
        await page.locator(".answers summary").first.click()
        assert await opened.first.is_visible()
        if script:
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
async def test_what_a_run_takes_is_told_while_its_form_is_filled_in(stage: Stage) -> None:
    page, complaints = await open_page(stage, "light", "/submit")
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
async def test_what_is_wrong_with_a_form_takes_the_focus(stage: Stage) -> None:
    page, _ = await open_page(stage, "light", "/submit", script=False)
    await page.get_by_label("Stop at cost, USD").fill("two")
    await page.get_by_role("button", name="Start the run").click()

    focused = await page.locator(":focus").inner_text()

    assert "1\N{NO-BREAK SPACE}field can't be used as written." in focused
    assert await page.get_by_label("Stop at cost, USD").input_value() == "two"
    await page.context.close()
