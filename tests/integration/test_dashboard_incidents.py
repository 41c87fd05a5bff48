"""The page of an incident tells its story and lets people act, with a token and a reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.db import incidents
from shared.db.incidents import Incident
from tests.integration.browsing import CALM, FALLEN, Browser, browse, live_through


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


@pytest.fixture
async def incident(browser: Browser) -> Incident:
    past = await live_through(browser.api, 12)
    return next(one for one in await past.incidents() if one.model == FALLEN)


async def find(browser: Browser, incident: Incident) -> Incident:
    async with browser.api.desk.connection() as connection:
        found = await incidents.find_incident(connection, incident.id)
    assert found is not None
    return found


async def test_the_page_argues_from_size_to_suspects_to_answers(browser: Browser, incident: Incident) -> None:
    page = await browser.open(f"/incidents/{incident.id}")

    assert page.title == f"{FALLEN} has answered worse since 10 January"
    order = [page.text.index(part) for part in (
        "Size so far", "Who moved?", "Evidence against the alarm line", "What moved, by category",
        "side by side", "Decide", "What happened",
    )]  # fmt: skip
    assert order == sorted(order)
    assert "95 % interval −" in page.text
    assert "No judge takes part" in page.text
    assert "No control model is asked" in page.text
    assert "passed, 1.00" in page.text
    assert "failed, 0.00" in page.text


async def test_acknowledging_is_one_press(browser: Browser, incident: Incident) -> None:
    page = await browser.open(f"/incidents/{incident.id}")

    response = await browser.send(page.form("/acknowledge"))
    after = await browser.open(response.headers["location"])

    assert response.status_code == 303
    assert (await find(browser, incident)).status == "acknowledged"
    assert "Acknowledged by anonymous." in after.text
    assert not [form for form in after.forms if form.action.endswith("/acknowledge")]


async def test_closing_asks_for_a_reason(browser: Browser, incident: Incident) -> None:
    asked = await browser.open(f"/incidents/{incident.id}/dismiss")

    without = await browser.send(asked.form("/dismiss"), note="  ")
    still = await find(browser, incident)
    done = await browser.send(asked.form("/dismiss"), note="The questions were wrong.")

    assert without.status_code == 422
    assert "Write why" in without.text
    assert still.status == "open"
    assert done.status_code == 303
    assert (await find(browser, incident)).resolution == "dismissed"
    assert "The questions were wrong." in (await browser.open(f"/incidents/{incident.id}")).text


async def test_a_new_baseline_begins_with_a_night_that_was_measured(
    browser: Browser, incident: Incident
) -> None:
    asked = await browser.open(f"/incidents/{incident.id}/accept-baseline")
    form = asked.form("/accept-baseline")

    wrong = await browser.send(form, note="A new version.", night="2031-01-01")
    unreadable = await browser.send(form, note="A new version.", night="soon")
    done = await browser.send(form, note="A new version.")

    assert form.fields["night"] == "2026-01-10"
    assert (wrong.status_code, unreadable.status_code) == (422, 422)
    assert "A new version." in wrong.text
    assert done.status_code == 303
    assert (await find(browser, incident)).resolution == "baseline_accepted"


async def test_a_closed_incident_can_not_be_closed_again(browser: Browser, incident: Incident) -> None:
    form = (await browser.open(f"/incidents/{incident.id}/resolve")).form("/resolve")
    await browser.send(form, note="Fixed.")

    again = await browser.send(form, note="Fixed twice.")

    assert again.status_code == 422
    assert "closed already" in again.text


async def test_a_form_from_elsewhere_changes_nothing(browser: Browser, incident: Incident) -> None:
    form = (await browser.open(f"/incidents/{incident.id}")).form("/acknowledge")

    forged = await browser.send(form, form_token="0" * 64)
    bare = await browser.api.client.post(form.action)

    assert (forged.status_code, bare.status_code) == (403, 403)
    assert "from elsewhere" in forged.text
    assert (await find(browser, incident)).status == "open"


async def test_hostile_answers_are_text(browser: Browser, incident: Incident) -> None:
    hostile = '</pre><img src=x onerror="alert(1)">'
    async with browser.api.desk.connection() as connection:
        await connection.execute(
            "UPDATE incidents SET findings ="
            " jsonb_set(findings, '{answers,0,after,response}', to_jsonb($2::text)) WHERE id = $1",
            incident.id,
            hostile,
        )

    page = await browser.open(f"/incidents/{incident.id}")

    assert "img" not in page.tags
    assert "onerror" in page.text


@pytest.mark.parametrize("address", ["abc", "00000000-0000-0000-0000-000000000000"])
async def test_an_unknown_incident_is_a_page_with_a_way_on(browser: Browser, address: str) -> None:
    page = await browser.open(f"/incidents/{address}")

    assert page.status == 404
    assert page.title == f"There is no incident {address}"
    assert "/incidents" in page.links


async def test_incidents_are_listed_by_status(browser: Browser, incident: Incident) -> None:
    form = (await browser.open(f"/incidents/{incident.id}/resolve")).form("/resolve")
    await browser.send(form, note="Fixed.")

    is_open, closed = await browser.open("/incidents"), await browser.open("/incidents?status=closed")

    assert f"/incidents/{incident.id}" not in is_open.links
    assert f"/incidents/{incident.id}" in closed.links
    assert "Closed, resolved" in closed.text


async def test_where_no_incident_is_open_the_list_says_so(browser: Browser) -> None:
    await live_through(browser.api, 2, CALM)

    assert "Nothing is drifting." in (await browser.open("/incidents")).text
