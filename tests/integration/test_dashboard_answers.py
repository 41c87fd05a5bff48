"""The answers of a run, page by page: failed first, narrowed down, as files, and always as text."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.api.dashboard.views.answers import FOLDED, LONGEST, ROWS
from shared.db import results
from shared.db.results import ResultFilter, ResultOutcome
from shared.domain.answers.scoring import Verdict
from shared.domain.questions.suites import SuiteContent
from tests.factories import make_question, make_suite, plan_run
from tests.integration.browsing import Browser, browse
from tests.integration.measuring import HALF, LATE, RIGHT, WRONG, in_order, measure, open_run
from tests.integration.test_api_results import nodes


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def test_answers_come_failed_first_and_each_says_why(browser: Browser) -> None:
    run_id = await measure(browser.api, RIGHT, LATE, HALF, WRONG)

    page = await open_run(browser, run_id)

    assert in_order(
        page, "not at all", "half of it", "No answer in time. No answer within 60 s.", "as it should"
    )
    assert "all 4" in page.text
    for chip in ("failed 1", "partial 1", "unscored 1", "passed 1"):
        assert chip in page.text
    assert "open" not in page.text.split("Answers")[0]
    assert "Served by bright-v1, fingerprint fp_1, 10 tokens in, 2 out, 0.25 s, 0.0010 USD" in page.text
    assert "Scorer numeric: not at all" in page.text


async def test_filters_leave_their_rows_and_the_files_hold_the_same(browser: Browser) -> None:
    run_id = await measure(
        browser.api, WRONG, RIGHT, WRONG, HALF, models=("bright", "dim"), content=make_suite(2)
    )

    page = await open_run(browser, run_id, "?model=bright&outcome=failed&text=WHAT+IS")

    assert "failed 2 partial 0 unscored 0 passed 0" in page.text
    assert "CSV of 2 rows" in page.text
    link = next(link for link in page.links if link.endswith("format=csv"))
    response = await browser.api.client.get(link)
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [(row["model"], row["score"]) for row in rows] == [("bright", "0.0")] * 2
    assert "attachment" in response.headers["content-disposition"]
    assert response.headers["x-content-type-options"] == "nosniff"
    lines = await browser.api.client.get(link.replace("format=csv", "format=jsonl"))
    assert [json.loads(line)["question"] for line in lines.text.splitlines()] == [
        row["question"] for row in rows
    ]


async def test_the_api_knows_the_same_outcomes(browser: Browser) -> None:
    run_id = await measure(browser.api, RIGHT, LATE, HALF, WRONG)
    expected = {"passed": ["q-1"], "unscored": ["q-2"], "partial": ["q-3"], "failed": ["q-4"], "open": []}

    for outcome, questions in expected.items():
        response = await browser.api.client.get(f"/api/v1/runs/{run_id}/results", params={"outcome": outcome})
        assert [item["question"] for item in response.json()["items"]] == questions


async def test_one_question_can_be_looked_up(browser: Browser) -> None:
    run_id = await measure(browser.api, RIGHT, WRONG, RIGHT)

    page = await open_run(browser, run_id, "?question=q-2")

    assert "question q-2, show all" in page.text
    assert "CSV of 1 row" in page.text
    assert "not at all" in page.text


async def test_long_tables_come_in_pages_that_hold_every_row_once(browser: Browser) -> None:
    run_id = await measure(browser.api, *[WRONG, RIGHT] * 55, content=make_suite(110))

    seen: list[str] = []
    query = ""
    for _ in range(3):
        page = await open_run(browser, run_id, query)
        seen += [
            word for word in page.text.split("Answers, failed first")[1].split() if word.startswith("q-")
        ]
        query = next(
            (link for link in page.links if "page=" in link and f"page={len(seen) // ROWS + 1}" in link), ""
        )
        query = query.removeprefix(f"/runs/{run_id}").removesuffix("#answers")
    beyond = await open_run(browser, run_id, "?page=99")

    assert sorted(seen) == sorted(f"q-{number}" for number in range(1, 111))
    assert seen[:55] == [f"q-{number}" for number in range(1, 111, 2)]
    assert "page 3 of 3" in beyond.text


async def test_where_nothing_matches_the_page_says_what_to_clear(browser: Browser) -> None:
    run_id = await measure(browser.api, RIGHT, RIGHT)

    page = await open_run(browser, run_id, "?outcome=failed&category=math&text=refund")
    others = await open_run(browser, run_id, "?outcome=failed")

    assert "No failed answer in math contains “refund”. Clear the text or" in page.text
    assert "No failed answer. Show all outcomes (2)." in others.text


async def test_answers_are_text_whatever_they_hold(browser: Browser) -> None:
    hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>"
    content = SuiteContent(
        tuple(make_question(n, input=hostile, target=hostile, category=hostile) for n in (1, 2))
    )
    reasons = Verdict(0.0, False, hostile), Verdict(1.0, True, hostile)
    run_id = await measure(browser.api, *reasons, content=content, answer=hostile, labels={"note": hostile})

    page = await open_run(browser, run_id)

    assert page.text.count(hostile) >= 8
    assert "script" not in page.tags
    assert "img" not in page.tags


async def test_long_answers_are_folded_and_endless_ones_cut(browser: Browser) -> None:
    run_id = await measure(browser.api, WRONG, answer="word " * LONGEST)

    page = await open_run(browser, run_id)

    assert page.text.count("word") < (FOLDED + LONGEST) / len("word ") + 5
    assert "All 50 000 characters" in page.text
    link = next(link for link in page.links if "question=q-1" in link and "format=json" in link)
    assert (await browser.api.client.get(link)).json()[0]["response"] == "word " * LONGEST


@pytest.mark.slow
async def test_a_page_of_a_huge_run_reads_that_run_alone_and_once(browser: Browser) -> None:
    """Three runs of 100 000 pairs lie beside each other; how long it takes is not asked, but how."""
    models = tuple(f"model-{number}" for number in range(10))
    for _ in range(3):
        keys = await plan_run(browser.api.desk.pool, content=make_suite(1000), models=models, repeats=10)
    run_id = keys[0].run_id
    async with browser.api.desk.connection() as connection:
        await connection.execute(
            "UPDATE pairs SET state = 'scored', score = (question_id % 50 <> 0)::int,"
            " passed = question_id % 50 <> 0, response = repeat('answer ', 100), closed_at = now()"
            " WHERE run_id = $1",
            run_id,
        )
        await connection.execute("ANALYZE")
        for wanted in (
            ResultFilter(),
            ResultFilter(model="model-3"),
            ResultFilter(category="math"),
            ResultFilter(text="seven"),
            ResultFilter(outcome=ResultOutcome.FAILED),
        ):
            query, values = results._select_failed_first(run_id, wanted, 0, ROWS)
            plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *values))[0]["Plan"]
            reads = [node for node in nodes(plan) if node.get("Relation Name") == "pairs"]
            assert [node["Node Type"] for node in reads if "Seq" in node["Node Type"]] == []
            assert len(reads) == 1
    page = await open_run(browser, run_id)
    assert "page 1 of 2 000" in page.text
    assert "failed 2 000" in page.text
