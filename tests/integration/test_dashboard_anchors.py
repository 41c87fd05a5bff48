"""Anchors are chosen and labelled card by card, with the judge's word hidden until a person has spoken."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.db import anchor_sets
from shared.db.anchor_sets import Anchor
from tests.integration.anchoring import Nights, open_nights
from tests.integration.browsing import Browser, Page, browse
from tests.integration.submitting import store_suite

CARD = "/anchors/label?suite=golden"


@pytest.fixture
async def nights(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Nights]:
    async with open_nights(database_url, redis_url, tmp_path) as nights:
        yield nights


@pytest.fixture
async def browser(
    nights: Nights, database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[Browser]:
    """In front of an installation where one night was judged."""
    await nights.run()
    (tmp_path / "api").mkdir()
    async with browse(database_url, redis_url, tmp_path / "api") as browser:
        yield browser


async def choose(browser: Browser, **changed: str) -> Page:
    form = (await browser.open("/anchors")).form("/anchors")
    return Page(await browser.send(form, **{"borderline": "12", "clear": "12", **changed}))


async def anchors(browser: Browser) -> list[Anchor]:
    async with browser.api.desk.connection() as connection:
        active = await anchor_sets.find_active_set(connection, "golden")
        assert active is not None
        return await anchor_sets.list_anchors(connection, active.id, limit=500)


async def say(browser: Browser, verdict: str, card: str = CARD) -> str:
    """Label the card at this address; the address of the next one."""
    form = (await browser.open(card)).form("/label")
    response = await browser.send(form, verdict=verdict)
    assert response.status_code == 303
    return str(response.headers["location"])


async def test_anchors_are_chosen_from_the_page(browser: Browser) -> None:
    page = await choose(browser)

    assert page.status == 303
    assert len(await anchors(browser)) == 24
    told = await browser.open("/anchors")
    assert "all 0 of 24" in told.text
    assert "Nobody has labelled an answer yet" in told.text


async def test_the_judges_word_is_told_only_after_ones_own(browser: Browser) -> None:
    await choose(browser)
    [first, second, *_] = await anchors(browser)

    card = await browser.open(CARD)
    after = await browser.open(await say(browser, "fail"))

    assert first.question in card.text
    assert first.response in card.text
    assert f"{first.score:.2f}" not in card.text
    assert first.model not in card.text
    assert first.stratum not in card.text
    assert (
        f"You said fail, the judge {'pass' if first.score >= 0.5 else 'fail'} ({first.score:.2f})"
        in after.text
    )
    assert f"{first.model} wrote it" in after.text
    assert second.question in after.text
    assert (await anchors(browser))[0].label == 0
    assert (await anchors(browser))[0].labelled_by == "anonymous"


async def test_unsure_stores_nothing_and_the_card_comes_again(browser: Browser) -> None:
    await choose(browser)
    [first, *others] = await anchors(browser)

    card = await say(browser, "unsure")
    for _ in others:
        card = await say(browser, "pass", card)
    again = await browser.open(card)
    done = await browser.open(await say(browser, "pass", card))

    assert first.question in again.text
    assert "23 of 24 labelled" in again.text
    assert done.title == "Every answer is labelled"


async def test_a_word_can_be_changed(browser: Browser) -> None:
    await choose(browser)
    after = await browser.open(await say(browser, "fail"))

    await say(browser, "pass", next(link for link in after.links if "anchor=" in link))

    assert (await anchors(browser))[0].label == 1


async def test_agreement_is_told_with_kappa_and_its_interval(browser: Browser) -> None:
    await choose(browser)
    card = CARD
    for anchor in await anchors(browser):
        card = await say(browser, "pass" if anchor.score >= 0.5 else "fail", card)

    page = await browser.open("/anchors")

    assert (
        "Judge and people agree on 100.0 % of 24 answers. Beyond chance: κ 1.00, 95 % interval 0."
        in page.text
    )
    assert "all 24 of 24 100.0 1.00" in page.text


async def test_too_few_answers_and_unreadable_numbers_are_told(browser: Browser) -> None:
    few = await choose(browser, borderline="20", clear="0")
    small = await choose(browser, borderline="1", clear="1")
    unreadable = await choose(browser, runs="many")

    assert few.status == small.status == unreadable.status == 422
    assert "None were chosen." in few.text
    assert "20 are needed in all" in few.text
    assert "2 anchors, which tell nothing" in small.errors["borderline"]
    assert unreadable.errors["runs"].startswith("Write a whole number")


async def test_cards_of_another_set_and_forms_from_elsewhere_store_nothing(browser: Browser) -> None:
    await choose(browser)
    form = (await browser.open(CARD)).form("/label")

    forged = await browser.send(form, verdict="pass", form_token="0")
    mute = await browser.send(form)
    await choose(browser)
    gone = Page(await browser.send(form, verdict="pass"))

    assert (forged.status_code, mute.status_code, gone.status) == (403, 422, 404)
    assert "chosen anew" in gone.text
    assert all(anchor.label is None for anchor in await anchors(browser))


async def test_without_anchors_the_pages_say_what_to_do(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with browse(database_url, redis_url, tmp_path) as browser:
        await store_suite(browser.api)

        page, card = await browser.open("/anchors"), await browser.open(CARD)

        assert "No suite has anchors yet." in page.text
        assert "No stored suite asks a judge" in page.text
        assert card.status == 404
        assert "/anchors" in card.links
