"""The pages of runs: what each is, what it came to, and what it must not be taken for."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from services.worker.finalize import finalize_run
from services.worker.stop import stop_run
from shared.db import runs
from shared.db.keys import Scope
from shared.domain.answers.judging import DEFAULT_JUDGE_PROMPT, Judge
from shared.domain.questions.suites import SuiteContent
from shared.domain.runs import RunKind, RunState
from tests.factories import make_question, make_suite, plan_run, submit_run
from tests.integration.browsing import CALM, Browser, browse, live_through
from tests.integration.importing import import_rows, make_row
from tests.integration.measuring import HALF, LATE, RIGHT, WRONG, in_order, measure, open_run, record

JUDGE = Judge("strict", "sim-judge", DEFAULT_JUDGE_PROMPT, {"temperature": 0})


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def test_a_finished_run_leads_with_its_result_and_what_is_missing(browser: Browser) -> None:
    run_id = await measure(browser.api, RIGHT, RIGHT, HALF, LATE, max_cost_usd=Decimal(5))

    page = await open_run(browser, run_id)

    assert page.title.endswith("v1 on bright")
    assert "Mean score 83.3 %" in page.text
    assert "95 % interval, 3 questions" in page.text
    assert "Measured 75 % 3 of 4 pairs" in page.text
    assert "of 5.00 allowed" in page.text
    assert "3 of 4 pairs have a score. The others are not counted as wrong: 1 × timeout." in page.text
    assert "What each model came to" in page.text
    assert "Stop this run" not in page.text


async def test_what_was_not_measured_is_never_zero(browser: Browser) -> None:
    keys = await plan_run(browser.api.desk.pool, content=make_suite(2), models=("bright", "dim"))
    keys.sort(key=lambda key: key.model)
    run_id = await record(browser.api, keys, RIGHT, RIGHT, LATE, LATE)
    await finalize_run(browser.api.desk.pool, run_id)

    page, listed = await open_run(browser, run_id), await browser.open("/runs")

    assert "dim not measured: 2 × timeout" in page.text
    assert "lowest to highest of 1 of 2 models" in page.text
    assert "1 of 2 models measured" in listed.text
    assert " 0.0 " not in page.text


async def test_models_and_categories_are_shown_crosswise(browser: Browser) -> None:
    questions = [make_question(number, category=f"cat-{number % 2}") for number in range(4)]
    content = SuiteContent(tuple(questions))
    run_id = await measure(
        browser.api,
        RIGHT,
        WRONG,
        RIGHT,
        RIGHT,
        WRONG,
        WRONG,
        LATE,
        RIGHT,
        content=content,
        models=("bright", "dim"),
    )

    page = await open_run(browser, run_id)
    one = await open_run(browser, run_id, "?model=dim")

    assert "About 2 questions a cell" in page.text
    assert f"/runs/{run_id}?model=dim&category=cat-1#answers" in page.links
    assert "dim, each category by itself." in one.text


@pytest.mark.parametrize(
    ("path", "status", "told_then"),
    [
        ("/runs/9999", 404, "There is no run 9999"),
        ("/runs/00000000-0000-0000-0000-000000000000", 404, "It was never started here"),
        ("/runs/9999/events", 404, "There is no run 9999"),
        ("/runs/9999/export", 404, "There is no run 9999"),
        ("/runs?kind=monthly", 422, "'monthly' is none of them. Known: adhoc, nightly"),
        ("/runs?cursor=x", 422, "is not one of this list"),
        ("/runs?suite=%00", 422, "suite"),
    ],
)
async def test_a_wrong_address_is_answered_with_a_page(
    browser: Browser, path: str, status: int, told_then: str
) -> None:
    page = await browser.open(path)

    assert page.status == status
    assert told_then in page.text


async def test_an_empty_list_tells_how_runs_begin(browser: Browser) -> None:
    page = await browser.open("/runs")

    assert "No run yet." in page.text
    assert "driftwarden import-results FILE" in page.text


async def test_runs_are_listed_newest_first_and_narrowed_down(browser: Browser) -> None:
    gate = await measure(browser.api, RIGHT, kind=RunKind.GATE, models=("dim",))
    plain = await measure(browser.api, HALF)
    open_one = (await plan_run(browser.api.desk.pool, models=("dim",)))[0].run_id

    page = await browser.open("/runs")
    narrowed = await browser.open("/runs?kind=gate&state=completed&suite=&model=dim")
    nothing = await browser.open("/runs?kind=imported")

    assert in_order(page, str(open_one)[:8], str(plain)[:8], str(gate)[:8])
    assert "running, 0 %" in page.text
    assert "50.0" in page.text
    assert [link for link in narrowed.links if str(gate) in link]
    assert not [link for link in narrowed.links if str(plain) in link or str(open_one) in link]
    assert "No such run." in nothing.text


async def test_a_long_list_goes_on_and_back(browser: Browser) -> None:
    async with browser.api.desk.connection() as connection:
        for _ in range(51):
            await submit_run(connection, models=("bright",))

    first = await browser.open("/runs?model=bright")
    second = await browser.open(next(link for link in first.links if "cursor=" in link))

    assert len({link for link in first.links if link.startswith("/runs/")}) == 50
    assert len({link for link in second.links if link.startswith("/runs/")}) == 1
    assert "/runs?model=bright" in second.links


async def test_runs_say_what_they_are_and_lead_to_where_they_come_from(browser: Browser) -> None:
    past = await live_through(browser.api, 2, CALM)
    confirmation = await past.confirm(2)
    async with browser.api.desk.connection() as connection:
        nights = await connection.fetch("SELECT id FROM runs WHERE kind = 'nightly' ORDER BY night")
    first, second = (row["id"] for row in nights)

    nightly, confirming = await open_run(browser, second), await open_run(browser, confirmation)

    assert nightly.title == "Night of 2 January 2026, golden v1"
    assert f"/schedules/{past.schedule.name}" in nightly.links
    assert f"/runs/{confirmation}" in nightly.links
    assert f"/compare?baseline={first}&candidate={second}" in nightly.links
    assert confirming.title.startswith("Confirmation 1 of the night of 2 January 2026")
    assert f"/runs/{second}" in confirming.links
    assert f"/compare?baseline={second}&candidate={confirmation}" in confirming.links


async def test_a_judged_run_and_its_rejudged_copy_know_each_other(browser: Browser) -> None:
    original = await measure(browser.api, RIGHT, judge=JUDGE)
    again = await measure(browser.api, WRONG, judge=JUDGE, kind=RunKind.RERUN, rejudges=original)

    before, after = await open_run(browser, original), await open_run(browser, again)

    assert f"driftwarden rejudge {original} --judge JUDGE" in before.text
    assert "Judged again by strict v1" in before.text
    assert f"/runs/{again}" in before.links
    assert after.title.endswith("judged again by strict v1")
    assert "for the judge; the answers were paid for before" in after.text
    assert f"/compare?baseline={original}&candidate={again}" in after.links


async def test_imported_history_says_so(browser: Browser) -> None:
    browser.api.client.headers.update(await browser.api.key(Scope.ADMIN))
    row = make_row(run_id="May", run_at="2025-05-01T00:00:00Z", score=0.25)
    run_id = (await import_rows(browser.api, row))[0]["run_id"]

    page = await open_run(browser, run_id)

    assert page.title == "Imported: May"
    assert "measured 1 May 2025 00:00 UTC" in page.text
    assert "measured elsewhere" in page.text
    assert "driftwarden rejudge" not in page.text
    assert "0.25" in page.text


@pytest.mark.parametrize(
    ("reason", "told_then"),
    [
        (RunState.CANCELLED, "It was cancelled. What was measured stays, but no trend"),
        (RunState.STOPPED_BY_BUDGET, "had cost what was allowed, 0.50 USD"),
    ],
)
async def test_a_stopped_run_warns_that_it_measures_nothing(
    browser: Browser, reason: RunState, told_then: str
) -> None:
    keys = await plan_run(browser.api.desk.pool, content=make_suite(4), max_cost_usd=Decimal("0.5"))
    run_id = await record(browser.api, keys, RIGHT)
    async with browser.api.desk.connection() as connection:
        await runs.request_stop(connection, run_id, reason)
    await stop_run(browser.api.desk.pool, browser.api.desk.redis, run_id)

    page = await open_run(browser, run_id)

    assert told_then in page.text
    assert "unscored 3" in page.text


async def test_a_failed_run_tells_why(browser: Browser) -> None:
    async with browser.api.desk.connection() as connection:
        run_id = await submit_run(connection)
        await runs.fail_run(connection, run_id, "The suite was lost.")

    page, listed = await open_run(browser, run_id), await browser.open("/runs")

    assert "It failed: The suite was lost." in page.text
    assert "The suite was lost." in listed.text
