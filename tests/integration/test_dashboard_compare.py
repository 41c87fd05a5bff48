"""Compare says which model and whether the difference is real, and of two runs whether one is worse."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared.domain.answers.judging import Judge
from shared.domain.questions.suites import Scorer
from shared.domain.runs import RunKind
from tests.factories import make_suite, plan_run
from tests.integration.browsing import CALM, FALLEN, GONE, SOUND, Browser, Page, browse, live_through
from tests.integration.importing import make_row, make_rows
from tests.integration.serving import finish, finished_run

IMPORT = "/api/v1/results:import"
LATER = "2025-03-02T02:00:00Z"


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def import_rows(browser: Browser, *rows: dict[str, Any]) -> list[str]:
    """The runs of what was imported, oldest first."""
    response = await browser.api.client.post(IMPORT, content="\n".join(map(json.dumps, rows)))
    assert response.is_success, response.text
    return [run["run_id"] for run in response.json()["runs"]]


def priced(model: str, right: int, wrong: int, **changed: Any) -> list[dict[str, Any]]:
    return make_rows(right, wrong, model=model, **changed)


FLEET = (
    *priced("best", 95, 5, cost_usd=0.02, latency_seconds=4.0),
    *priced("tied", 93, 7, cost_usd=0.001, latency_seconds=2.0),
    *priced("quick", 60, 40, cost_usd=0.0005, latency_seconds=0.5),
    *priced("unpriced", 55, 45, latency_seconds=1.0),
)


async def test_an_empty_installation_tells_how_to_begin(browser: Browser) -> None:
    assert "first night" in (await browser.open("/compare")).title


async def test_a_suite_that_was_not_measured_says_how_to(browser: Browser) -> None:
    await live_through(browser.api, 0, CALM)

    page = await browser.open("/compare")

    assert page.title == "No model has a score yet"
    assert "driftwarden run --suite golden --wait" in page.text
    assert "Two finished runs are needed" in page.text


async def test_who_could_be_the_first_is_the_headline(browser: Browser) -> None:
    await import_rows(browser, *FLEET)

    page = await browser.open("/compare")

    assert page.title == "Any of 2 models could be the first on golden"
    assert "100 questions can't tell best and tied apart." in page.text
    assert re.search(r"1–2 best", page.text)
    assert re.search(r"3–4 quick", page.text)


async def test_the_page_the_api_and_the_recommendation_tell_the_same(browser: Browser) -> None:
    await import_rows(browser, *FLEET)

    page = await browser.open("/compare?loss=6")
    client = browser.api.client
    board = (await client.get("/api/v1/models?suite=golden")).json()
    advice = (await client.get("/api/v1/recommendation?suite=golden&loss=0.06")).json()

    for item in board["items"]:
        assert f"{100 * item['accuracy']:.1f} {100 * item['accuracy_lower']:.1f} to" in page.text
    assert {one["need"]: one["model"] for one in advice["items"]} == {
        "best": "best", "value": "tied", "fastest": "quick", "cheapest_within_loss": "tied",
    }  # fmt: skip
    for one in (*advice["items"], *advice["warnings"]):
        assert one.get("reason", one.get("told")) in page.text
    assert (advice["suite"], advice["category"], advice["loss"]) == ("golden", "all", 0.06)


async def test_the_reader_sets_the_loss(browser: Browser) -> None:
    await import_rows(browser, *FLEET)

    strict = await browser.open("/compare?loss=2")
    form = next(form for form in strict.forms if form.action == "/compare#advice")

    assert (form.fields["loss"], form.fields["suite"]) == ("2", "golden")
    assert "No cheaper model is sure to lose no more than 2.0 points." in strict.text


async def test_a_drifting_model_is_marked_and_warned_of(browser: Browser) -> None:
    await live_through(browser.api, 13)

    page = await browser.open("/compare")

    assert "drifting since 10 Jan" in page.text
    assert (
        f"a warning {FALLEN} Drifting since 10 January; compared here by its run of 14 January" in page.text
    )
    assert f"{GONE} openai Not measured no answer: 60 × timeout. Not ranked." in page.text
    assert f"{SOUND} is ahead of {FALLEN} on golden" == page.title


async def test_categories_have_numbers_winners_and_what_is_a_tie(browser: Browser) -> None:
    words = [make_row(number, category="words") for number in range(200, 230)]
    await import_rows(
        browser,
        *priced("best", 40, 10), *({**row, "model": "best", "score": 0} for row in words),
        *priced("other", 40, 10), *({**row, "model": "other", "score": 1} for row in words),
        *priced("third", 10, 40),
    )  # fmt: skip

    page = await browser.open("/compare")

    assert "math other, best equal 80.0" in page.text
    assert "words other 100.0 Ahead of all others." in page.text
    assert "n/m , not measured" in page.text
    assert re.search(r"a tie below, points \d+\.\d \d+\.\d", page.text)


async def test_one_category_is_a_board_of_its_own(browser: Browser) -> None:
    await live_through(browser.api, 2, CALM)

    page = await browser.open("/compare?category=cat-1")
    unknown = await browser.open("/compare?category=nope")

    assert "cat-1" in page.title or "apart" in page.title
    assert "20 questions can't tell" in page.text
    assert unknown.status == 404


async def test_without_prices_no_cost_is_drawn(browser: Browser) -> None:
    await import_rows(browser, *priced("a", 9, 1), *priced("b", 5, 5))

    page = await browser.open("/compare")

    assert "No price is known for any of these models." in page.text
    assert "No price is known, so nothing is said of value and cost." in page.text


async def test_all_models_are_told_on_compare(browser: Browser) -> None:
    response = await browser.api.client.get("/models?suite=golden")

    assert (response.status_code, response.headers["location"]) == (303, "/compare?suite=golden")


@pytest.mark.parametrize("query", ["loss=0", "loss=x", "margin=101&baseline=1"])
async def test_a_wrong_number_is_refused_by_its_name(browser: Browser, query: str) -> None:
    page = await browser.open(f"/compare?{query}")

    assert page.status == 422
    assert query.partition("=")[0] in page.text


async def compare(browser: Browser, baseline: object, candidate: object, **query: str) -> Page:
    chosen = {"baseline": str(baseline), "candidate": str(candidate), **query}
    return await browser.open("/compare", params=chosen)


async def test_two_runs_show_what_broke_and_what_was_mended(browser: Browser) -> None:
    then = make_rows(90, 10, response="It takes fourteen days.")
    now = [
        {**row, "run_at": LATER, "score": float(number >= 40), "response": "It takes thirty days."}
        for number, row in enumerate(make_rows(90, 10))
    ]
    before, after = await import_rows(browser, *then, *now)

    page = await compare(browser, before, after)

    assert page.title == "bright answers worse"
    assert "REGRESSION" in page.text
    assert "The candidate is 30.0 points lower" in page.text
    assert "Turned wrong 40" in page.text
    assert "50 answers turned over" in page.text
    assert {"del", "ins"} <= set(page.tags)
    assert "What is 1 + 1?" in page.text
    assert "Page 1 of 5" in page.text
    assert "turned right" in (await compare(browser, before, after, flips="5")).text


async def test_an_open_comparison_says_what_would_settle_it_and_for_how_much(browser: Browser) -> None:
    rows = make_rows(90, 10, cost_usd=0.01)
    before, after = await import_rows(browser, *rows, *({**row, "run_at": LATER} for row in rows))

    page = await compare(browser, before, after, margin="1")

    assert page.title == "Too few questions to tell"
    assert "The candidate scores the same" in page.text
    assert "100 questions can't settle a margin of 1.0 points." in page.text
    assert re.search(r"What would settle it: [\d ]+ questions \(about [\d. ]+ USD\), or", page.text)


async def test_runs_that_hold_are_passed(browser: Browser) -> None:
    rows = make_rows(90, 10)
    before, after = await import_rows(browser, *rows, *({**row, "run_at": LATER} for row in rows))

    page = await compare(browser, before, after, margin="10")

    assert (page.title, "PASS" in page.text) == ("Not worse by 10.0 points or more", True)
    assert "No answer went from right to wrong or back." in page.text


async def test_a_candidate_that_gains_is_called_better(browser: Browser) -> None:
    before, after = await import_rows(browser, *make_rows(50, 50), *make_rows(90, 10, run_at=LATER))

    page = await compare(browser, before, after)

    assert (page.title, "PASS" in page.text) == ("The candidate is better", True)


async def test_another_judge_is_refused_in_the_api_s_own_words(browser: Browser) -> None:
    judged = make_suite(3, scorer=Scorer("llm-rubric"))
    one, other = [
        await finished_run(browser.api, content=judged, judge=Judge(name, "openai/judge", prompt=name))
        for name in ("strict", "lenient")
    ]

    page = await compare(browser, one, other)

    assert (page.status, page.title) == (409, "These two runs can't be compared")
    assert "was graded by strict v1 in the baseline and by lenient v1" in page.text


async def test_a_run_and_its_rejudged_copy_are_two_judges(browser: Browser) -> None:
    content = make_suite(3, scorer=Scorer("llm-rubric"))
    original = await finished_run(browser.api, content=content, judge=Judge("strict", "openai/judge"))
    keys = await plan_run(
        browser.api.desk.pool,
        content=content,
        judge=Judge("mild", "openai/judge", prompt="mild"),
        rejudges=original,
        kind=RunKind.RERUN,
    )

    page = await compare(browser, original, await finish(browser.api, keys))

    assert (page.title, "TWO JUDGES" in page.text) == ("Two judges, the same answers", True)
    assert "no model is better or worse" in page.text


async def test_runs_without_a_common_model_offer_a_choice_of_models(browser: Browser) -> None:
    before, after = await import_rows(
        browser, *make_rows(30, 10, model="old"), *make_rows(38, 2, model="new", run_at=LATER)
    )

    refused = await compare(browser, before, after)
    told = await compare(browser, before, after, baseline_model="old", candidate_model="new")

    assert (refused.status, "have no model in common" in refused.text) == (409, True)
    assert "Model of the baseline" in refused.text
    assert "old → new" in told.text


async def test_of_several_models_each_can_be_told_alone(browser: Browser) -> None:
    rows = [*make_rows(50), *make_rows(25, 25, model="dim")]
    before, after = await import_rows(browser, *rows, *({**row, "run_at": LATER} for row in rows))

    page = await compare(browser, before, after)
    alone = next(link for link in page.links if "baseline_model=dim" in link)

    assert "Turned wrong 0" in (await browser.open(alone)).text


async def test_one_run_asks_for_the_other(browser: Browser) -> None:
    before, _ = await import_rows(browser, *make_rows(2), *make_rows(2, run_at=LATER))

    page = await browser.open(f"/compare?baseline={before}")

    assert page.title == "Which two runs?"
    assert f"golden v1, bright, {before[:8]}" in page.text


@pytest.mark.parametrize("run_id", ["9999", str(UUID(int=9999))])
async def test_an_unknown_run_says_where_to_go(browser: Browser, run_id: str) -> None:
    page = await compare(browser, run_id, run_id)

    assert (page.status, "/compare" in page.links) == (404, True)
    assert page.title.startswith("There is no run")


async def test_hostile_names_are_text(browser: Browser) -> None:
    hostile = "</script><script>alert(1)</script>"
    rows = [{**row, "cost_usd": 0.01, "response": hostile} for row in make_rows(3, 1, category=hostile[:60])]
    before, after = await import_rows(
        browser, *rows, *({**row, "run_at": LATER, "score": 1 - row["score"]} for row in rows)
    )

    board, two = await browser.open("/compare"), await compare(browser, before, after)

    assert hostile in two.text
    assert "alert" not in "".join(board.tags)
    assert (board.tags.count("script"), two.tags.count("script")) == (3, 0)
