"""A run is submitted by its form: told what it takes, stopped where a field can't be used, started once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.db.keys import Scope
from shared.db.runs import Run, list_runs
from shared.domain.questions.suites import Scorer
from tests.factories import make_suite, plan_run
from tests.integration.browsing import Browser, Page, browse
from tests.integration.serving import finish
from tests.integration.submitting import store_suite


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def send(browser: Browser, **changed: Any) -> Page:
    """The form, sent with these fields; the page that answers."""
    form = (await browser.open("/submit")).form("/submit")
    return Page(await browser.send(form, **changed))


async def stored(browser: Browser) -> list[Run]:
    async with browser.api.desk.connection() as connection:
        return await list_runs(connection, limit=10)


async def test_a_run_is_started_as_the_form_says(browser: Browser) -> None:
    await store_suite(browser.api, size=5)
    form = (await browser.open("/submit")).form("/submit")

    response = await browser.send(
        form, models=["bright"], more_models="openai/gpt-4o", repeats="2", sample="3", max_cost_usd="2.50",
        labels="branch=main\n  owner = ada ",
    )  # fmt: skip

    [run] = await stored(browser)
    assert response.status_code == 303
    assert response.headers["location"] == f"/runs/{run.id}"
    assert list(run.models) == ["bright", "openai/gpt-4o"]
    assert (run.repeats, run.sample, float(run.max_cost_usd or 0)) == (2, 3, 2.5)
    assert run.labels == {"branch": "main", "owner": "ada"}


async def test_all_of_models_yaml_but_judge_and_controls_is_ticked_at_first(browser: Browser) -> None:
    await store_suite(browser.api)

    form = (await browser.open("/submit")).form("/submit")

    assert form.fields["models"] == ["bright", "dim", "also-bright"]


async def test_other_pages_fill_in_the_form(browser: Browser) -> None:
    await store_suite(browser.api, "other")
    await store_suite(browser.api)

    form = (await browser.open("/submit?suite=other&model=dim")).form("/submit")

    assert (form.fields["suite"], form.fields["models"]) == ("other", ["dim"])


async def test_what_a_run_takes_is_told_before_it_is_started(browser: Browser) -> None:
    await store_suite(browser.api, size=100)

    page = await send(browser, models=["bright", "dim"], act="estimate")

    assert page.status == 200
    assert "200 pairs, cost not known (no price for bright, dim), time not known" in page.text
    assert "Can detect 14.2 points between two such runs" in page.text
    assert "Start the run" in page.text
    assert await stored(browser) == []


async def test_time_is_told_once_the_models_were_measured(browser: Browser) -> None:
    await store_suite(browser.api, size=200)
    measured = await plan_run(browser.api.desk.pool, models=("bright",), content=make_suite(2))
    await finish(browser.api, measured, latency_seconds=3.0)

    page = await send(browser, models=["bright"], act="estimate")

    assert "about 12 s." in page.text  # four rounds of 50 at once


async def test_the_script_is_told_the_same_as_a_part_of_the_page(browser: Browser) -> None:
    await store_suite(browser.api, size=100)
    form = (await browser.open("/submit")).form("/submit")

    told = await browser.api.client.post("/submit/told", data={**form.fields, "models": ["dim"]})
    without = await browser.api.client.post("/submit/told", data={**form.fields, "models": []})

    assert "100\N{NO-BREAK SPACE}pairs" in told.text
    assert "<html" not in told.text
    assert "Models: Tick a model, or write one below." in Page(without).text


@pytest.mark.parametrize(
    ("field", "written", "told"),
    [
        ("suite", "unknown", "'unknown' is not stored here."),
        ("models", [], "Tick a model, or write one below."),
        ("models", ["bright", "bright"], "'bright' is named twice."),
        ("more_models", "atlas", "'atlas' is not in models.yaml."),
        ("judge", "nobody", "'nobody' is not in models.yaml."),
        ("prompt", "no such!", "Write the name of a stored prompt"),
        ("prompt", "support", "'support' is not stored here."),
        ("repeats", "two", "Write a whole number, such as 3."),
        ("repeats", "0", "Input should be greater than or equal to 1."),
        ("repeats", "9" * 4000, "Write a whole number, such as 3."),
        ("sample", "1.5", "Write a whole number, such as 3."),
        ("max_cost_usd", "two", "Write a number, such as 2.50."),
        ("max_cost_usd", "nan", "Write a number, such as 2.50."),
        ("max_cost_usd", "-1", "Input should be greater than or equal to"),
        ("labels", "main", "Write one label a line, such as branch=main."),
        ("labels", "a=1\na=2", "'a' is there twice."),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_at_its_field_and_nothing_is_lost(
    browser: Browser, field: str, written: Any, told: str
) -> None:
    await store_suite(browser.api, scorer=Scorer())

    page = await send(browser, **{"labels": "owner=ada", field: written})

    assert page.status == 422
    assert page.errors[field].startswith(told)
    assert f"#{field}" in page.links, "the summary leads there"
    assert await stored(browser) == []
    if isinstance(written, str) and field not in ("suite", "judge"):
        assert page.form("/submit").fields[field] == written


async def test_a_judge_under_test_needs_leave(browser: Browser) -> None:
    await store_suite(browser.api, scorer=Scorer())

    refused = await send(browser, models=["sim-judge"])
    allowed = await send(browser, models=["sim-judge"], allow_self_judging="yes")

    assert "which is one of the models under test" in refused.errors["judge"]
    assert "tick that it may" in refused.errors["judge"]
    assert allowed.status == 303


async def test_the_same_form_sent_twice_is_one_run_and_changed_it_is_another(browser: Browser) -> None:
    await store_suite(browser.api)
    form = (await browser.open("/submit")).form("/submit")

    first, again = await browser.send(form), await browser.send(form)
    changed = await browser.send(form, repeats="3")

    assert first.headers["location"] == again.headers["location"] != changed.headers["location"]
    assert len(await stored(browser)) == 2


async def test_without_a_suite_the_page_leads_to_one(browser: Browser) -> None:
    page = await browser.open("/submit")

    assert page.forms == []
    assert "/suites" in page.links


async def test_a_form_from_elsewhere_starts_nothing(browser: Browser) -> None:
    await store_suite(browser.api)
    form = (await browser.open("/submit")).form("/submit")

    forged = await browser.send(form, form_token="0" * 64)
    told = await browser.api.client.post("/submit/told", data={**form.fields, "form_token": ""})

    assert (forged.status_code, told.status_code) == (403, 403)
    assert await stored(browser) == []


async def test_who_may_only_read_is_told_so_and_starts_nothing(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with browse(database_url, redis_url, tmp_path, auth="on") as browser:
        await store_suite(browser.api)
        await browser.sign_in(Scope.READ)

        page = await browser.open("/submit")
        refused = await browser.send(page.form("/submit"))

        assert "This needs a key of scope submit." in page.text
        assert refused.status_code == 403
        assert await stored(browser) == []
