"""Home says in words whether anything drifts, and shows nothing that was not measured as if it were."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.queue import note_worker
from tests.integration.browsing import CALM, FALL, FALLEN, GONE, SOUND, Browser, browse, live_through
from tests.integration.serving import finished_run
from tests.integration.watching import Story


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def test_an_empty_installation_tells_how_to_begin(browser: Browser) -> None:
    page = await browser.open("/")

    assert page.status == 200
    assert "first night" in page.title
    assert "After night 14" in page.text
    assert "svg" in page.tags
    assert "Evidence" not in page.text


async def test_the_worst_news_is_the_headline(browser: Browser) -> None:
    past = await live_through(browser.api, 13)
    incident = next(one for one in await past.incidents() if one.model == FALLEN)

    page = await browser.open("/")

    assert page.title == f"{FALLEN} has answered worse since 10 January"
    assert f"/incidents/{incident.id}" in page.links
    assert "1 drifting" in page.text
    assert "Past the alarm line" in page.text
    assert "The provider changed the model it serves" in page.text


async def test_what_gave_no_answer_is_not_measured_and_not_zero(browser: Browser) -> None:
    await live_through(browser.api, 12)

    page = await browser.open("/")

    assert "1 not measured" in page.text
    assert "No scored answer: 60 × timeout on 12 Jan" in page.text
    assert "is kept and not carried forward" in page.text
    assert f"{GONE} 0.0" not in page.text


async def test_home_says_which_parts_are_alive(browser: Browser) -> None:
    await live_through(browser.api, 2, CALM)

    alone = await browser.open("/")
    await note_worker(browser.api.desk.redis, "worker-1", 30)
    staffed = await browser.open("/")

    assert "Workers away none has been heard of: what is queued waits for one" in alone.text
    assert "Workers work 1 heard of just now" in staffed.text
    assert "Scheduler away not heard of: no night begins, and nothing is watched" in staffed.text


async def test_where_nothing_drifts_home_says_what_it_could_have_missed(browser: Browser) -> None:
    await live_through(browser.api, 6, CALM)

    page = await browser.open("/")

    assert page.title == "Nothing is drifting"
    assert "The smallest drop that one more night would show is" in page.text
    assert "No change found" in page.text


async def test_one_night_is_too_early_to_speak_of_drift(browser: Browser) -> None:
    await live_through(browser.api, 1, CALM)

    page = await browser.open("/")

    assert page.title == "Too early to speak of drift"
    assert "Drift needs at least 2" in page.text


async def test_a_category_has_its_own_numbers(browser: Browser) -> None:
    await live_through(browser.api, 3, CALM)

    page = await browser.open("/?category=cat-1")

    assert page.status == 200
    assert "of the category cat-1" in page.text
    assert "60 of 60 pairs" in page.text


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/?suite=nope", 404, "There is no suite 'nope'."),
        ("/?category=nope", 404, "has no category 'nope'"),
        ("/?schedule=nope", 404, "There is no schedule 'nope'."),
        ("/?period=2y", 422, "Not understood: period."),
    ],
)
async def test_a_wrong_address_is_answered_with_a_page(
    browser: Browser, path: str, status: int, told: str
) -> None:
    await live_through(browser.api, 1, CALM)

    page = await browser.open(path)

    assert page.status == status
    assert told in page.text
    assert "/" in page.links


async def test_what_is_not_there_is_a_page_to_people_and_a_document_to_programs(browser: Browser) -> None:
    person = await browser.open("/nowhere/at-all", headers={"Accept": "text/html,*/*;q=0.8"})
    programs = [
        await browser.api.client.get(path, headers={"Accept": accept})
        for path, accept in (("/nowhere", "application/json"), ("/api/v1/nowhere", "text/html"))
    ]
    assert (person.status, person.title) == (404, "Not Found")
    assert "/" in person.links
    assert [one.headers["content-type"] for one in programs] == ["application/problem+json"] * 2
    assert [one.status_code for one in programs] == [404, 404]


async def test_a_suite_that_nobody_watches_shows_its_newest_measurements(browser: Browser) -> None:
    await finished_run(browser.api, models=[SOUND, FALLEN], repeats=2)

    page = await browser.open("/")

    assert page.title.startswith("Nobody watches")
    assert SOUND in page.text
    assert "nothing can be said about drift" in page.text


async def test_hostile_names_are_text(browser: Browser) -> None:
    hostile = '"><script>alert(1)</script>'
    await live_through(browser.api, 2, Story(lambda model, night: 0.9), models=(hostile, SOUND))

    page = await browser.open("/")

    assert hostile in page.text
    assert "script" not in page.tags


async def test_the_page_of_a_model_tells_who_answered(browser: Browser) -> None:
    await live_through(browser.api, 12, FALL)

    page = await browser.open(f"/models/view?model={FALLEN}")

    assert page.title == FALLEN
    assert f"Served model : {FALLEN}-1 , then {FALLEN}-2" in page.text
    assert "Baseline" in page.text
    assert "has answered worse" not in page.title
    assert "all, weighted" in page.text


async def test_a_model_that_no_schedule_asks_shows_its_runs(browser: Browser) -> None:
    await finished_run(browser.api, models=[SOUND])

    watched = await browser.open(f"/models/view?model={SOUND}")
    unknown = await browser.open("/models/view?model=nobody")

    assert "No schedule asks it" in watched.text
    assert unknown.status == 404
    assert "No run has measured nobody" in unknown.title
