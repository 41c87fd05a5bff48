"""The page of prompts: stored in versions, refused at the field, and never read as markup."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.browsing import Browser, Page, browse


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def test_a_prompt_is_stored_in_versions(browser: Browser) -> None:
    form = (await browser.open("/prompts")).form("/prompts")
    brief = {"name": "support", "system": "Be {{tone}}.", "user": "{{input}}", "variables": "tone=brief"}
    first = await browser.send(form, **brief)
    second = await browser.send(form, name="support", system="<b>Be kind.</b>", user="{{input}}")
    assert [first.status_code, second.status_code] == [303, 303]
    page = await browser.open("/prompts")
    assert page.text.index("support v2") < page.text.index("support v1")
    assert "<b>Be kind.</b>" in page.text, "as words, not as markup"
    assert "tone : brief" in page.text


async def test_what_is_wrong_is_told_at_its_field(browser: Browser) -> None:
    form = (await browser.open("/prompts")).form("/prompts")
    refused = Page(await browser.send(form, name="a b", user="Hello", variables="tone"))
    assert refused.status == 422
    assert refused.errors.keys() == {"name", "variables"}
    deaf = Page(await browser.send(form, name="deaf", user="Hello"))
    assert "Write {{input}} where the question goes." in deaf.errors["user"]
    assert "Hello" in deaf.text, "what was written is kept"
