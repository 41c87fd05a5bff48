"""Suites are brought, looked at question by question, and told by what they can detect."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.db import suites
from shared.db.keys import Scope
from shared.domain.drift.budget import Budget
from shared.domain.figures.power import power_of
from tests.integration.browsing import Browser, Page, browse
from tests.integration.submitting import store_suite

CSV = "id,category,input,expected_output\nq-1,math,What is 2 + 2?,4\nq-2,words,Who wrote Faust?,Goethe\n"


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def bring(
    browser: Browser, content: str, filename: str = "golden.csv", **changed: str
) -> httpx.Response:
    fields = (await browser.open("/suites")).form("/suites").fields
    files = {"file": (filename, content.encode(), "text/csv")}
    return await browser.api.client.post("/suites", data={**fields, **changed}, files=files)


async def test_a_file_becomes_a_suite_of_its_name(browser: Browser) -> None:
    response = await bring(browser, CSV)

    page = await browser.open(response.headers["location"])
    assert response.status_code == 303
    assert page.title == "golden"
    assert "2 questions in 2 categories" in page.text
    assert "Who wrote Faust?" in page.text
    assert "/submit?suite=golden" in page.links


async def test_other_content_under_a_known_name_is_a_new_version(browser: Browser) -> None:
    await bring(browser, CSV, name="support")
    await bring(browser, CSV, name="support")
    await bring(browser, CSV + "q-3,math,What is 3 + 3?,6\n", name="support")

    newest, old = await browser.open("/suites/support"), await browser.open("/suites/support?version=1")

    assert "Version 2" in newest.text
    assert "3 questions" in newest.text
    assert "2 questions" in old.text
    assert "the newest is 2" in old.text
    assert "What is 3 + 3?" not in old.text


async def test_refused_rows_are_told_with_file_and_line_and_nothing_is_stored(browser: Browser) -> None:
    response = await bring(browser, CSV + "q-3,math,,6\nq-1,math,Again?,6\n")

    page = Page(response)
    assert page.status == 422
    assert "golden.csv was refused" in page.text
    assert "4 input" in page.text
    assert "5 id" in page.text
    async with browser.api.desk.connection() as connection:
        assert await suites.list_suites(connection) == []


@pytest.mark.parametrize(
    ("content", "filename", "told"),
    [
        ("", "golden.csv", "the file is empty"),
        (CSV, "golden.txt", "its name ends in none of .csv, .jsonl, .yaml, .yml."),
        ("id,category,input\n", "golden.csv", "the column expected_output is missing"),
        ("\x00", "golden.csv", "it holds a NUL byte"),
    ],
)
async def test_files_that_can_not_be_read_say_why(
    browser: Browser, content: str, filename: str, told: str
) -> None:
    page = Page(await bring(browser, content, filename))

    assert page.status == 422
    assert told in page.text
    assert f"{filename} was refused." in page.errors["file"]


async def test_a_file_and_a_usable_name_are_needed(browser: Browser) -> None:
    form = (await browser.open("/suites")).form("/suites")

    without = Page(await browser.send(form))
    misnamed = Page(await bring(browser, CSV, name="my suite"))
    unnamed = Page(await bring(browser, CSV, filename="my suite.csv"))

    assert without.errors["file"].startswith("Choose a file.")
    assert misnamed.errors["name"].startswith("Begin with a letter or a digit")
    assert unnamed.errors["name"].startswith("Begin with a letter or a digit")


async def test_what_a_suite_can_detect_is_told_for_its_size_and_smaller_ones(browser: Browser) -> None:
    await store_suite(browser.api, size=200)

    page = await browser.open("/suites/golden")

    for size in (25, 50, 100, 200):
        power = power_of(size, Budget(1, 365))
        assert power is not None
        assert power.drop is not None
        assert (
            f"{size}{' all of them' if size == 200 else ''} {100 * power.drop:.1f} {power.nights}"
            in page.text
        )


async def test_questions_are_shown_by_category_and_page_by_page(browser: Browser) -> None:
    await store_suite(browser.api, size=60)
    await bring(browser, CSV, name="two")

    first = await browser.open("/suites/golden")
    second = await browser.open(next(link for link in first.links if "after=" in link))
    words = await browser.open(
        next(link for link in (await browser.open("/suites/two")).links if "words" in link)
    )

    assert "q-50" in first.text
    assert "q-51" not in first.text
    assert "q-51" in second.text
    assert "Who wrote Faust?" in words.text
    assert "What is 2 + 2?" not in words.text


async def test_hostile_questions_are_text(browser: Browser) -> None:
    await bring(browser, CSV + 'q-3,"<b>x</b>",</pre><img src=x>,"<script>alert(1)</script>"\n')

    page = await browser.open("/suites/golden")

    assert "img" not in page.tags
    assert "</pre><img src=x>" in page.text


@pytest.mark.parametrize("path", ["/suites/none", "/suites/golden?version=9", "/suites/golden?category=none"])
async def test_what_is_not_there_is_a_page(browser: Browser, path: str) -> None:
    await store_suite(browser.api)

    assert (await browser.open(path)).status == 404


async def test_forms_from_elsewhere_and_keys_to_read_bring_nothing(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with browse(database_url, redis_url, tmp_path, auth="on") as browser:
        await browser.sign_in(Scope.READ)
        refused = await bring(browser, CSV)
        await browser.sign_in(Scope.SUBMIT)
        forged = await bring(browser, CSV, form_token="0")

        assert (refused.status_code, forged.status_code) == (403, 403)
        assert "There is no suite yet." in (await browser.open("/suites")).text
