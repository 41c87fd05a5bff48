"""Every page in a real browser: light, dark and narrow, by axe's rules, with nothing in the console.

Screenshots go to the folder DRIFTWARDEN_SCREENSHOTS, else to one of pytest's.
"""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, Error, Page, async_playwright

from shared.settings import Settings
from tests.integration.browsing import FALLEN, live_through
from tests.integration.serving import Api, make_settings, serve_api

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PATIENCE_MS = 120_000  # Plotly is 5 MB of script, and the machine may be busy
LOOKS = {"light": ("light", 1440), "dark": ("dark", 1440), "narrow": ("light", 390), "middle": ("dark", 768)}


@dataclass(frozen=True, slots=True)
class Stage:
    browser: Browser
    url: str
    incident: str
    folder: Path

    def paths(self) -> dict[str, str]:
        return {
            "home": "/",
            "incidents": "/incidents?status=all",
            "incident": f"/incidents/{self.incident}",
            "act": f"/incidents/{self.incident}/accept-baseline",
            "model": f"/models/view?model={FALLEN}",
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
    return Stage(browser, str(served.client.base_url).rstrip("/"), str(incident.id), screenshots)


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

    assert complaints == []
    await page.context.close()


@pytest.mark.slow
async def test_the_keyboard_reaches_the_content_first(stage: Stage) -> None:
    page, _ = await open_page(stage, "light", "/")
    await page.keyboard.press("Tab")

    assert await page.evaluate("document.activeElement.textContent") == "Skip to content"
    await page.context.close()
