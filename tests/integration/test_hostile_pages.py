"""Names, questions, answers and notes that are script: every page shows them, and none runs them."""

import csv
import io
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from services.api.export import COLUMNS
from shared.db import prompts
from shared.db.keys import create_key
from shared.domain.answers.judging import Judge
from shared.domain.answers.scoring import Verdict
from shared.domain.questions.prompts import Message as Turn
from shared.domain.questions.prompts import Prompt
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.telling.email_message import build_email
from shared.domain.telling.message import Link, Message, Passage, Quote
from shared.domain.telling.slack_message import build_slack
from tests.factories import make_question, plan_run
from tests.integration.anchoring import store_anchors
from tests.integration.browsing import FALL, Browser, browse, live_through
from tests.integration.importing import import_rows, make_row
from tests.integration.measuring import HALF, LATE, RIGHT, WRONG, measure, record
from tests.integration.test_authorisation import PAGES

SCRIPT = "</textarea></title></script><script>alert(1)</script>"
IMAGE = "\"'><img/src=x/onerror=alert(1)>"
SQL = "'; DROP TABLE runs; -- \" ) OR 1=1 \\"
HOSTILE = f"{SCRIPT}{IMAGE}<svg onload=alert(1)><a href='javascript:alert(1)'>{{{{7*7}}}}{{% raw %}}{SQL}&lt;"
MODEL = "m</script><script>alert(2)</script>\"'><img/src=x/onerror=alert(2)>--{{7*7}}"
FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    '=HYPERLINK("http://x")',
    " =1",
    "＝1+1",
)
# What pages are made of; scripts are looked at more closely.
MAY_LOAD = ("script", "link", "img")
FOLLOWED = 90


class Hunter(HTMLParser):
    """Finds what would run: scripts that are not ours, handlers, addresses that are code, foreign files."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        source = given.get("src", given.get("href", "")) if tag in MAY_LOAD else ""
        if source and not source.startswith(("/static/", "data:image/")):
            self.found.append(f"<{tag}> of {source[:60]}")
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.found.append("a script in the page")
        if tag in ("iframe", "object", "embed", "base") or "http-equiv" in given:
            self.found.append(f"<{tag}>")
        self.found += [f"{name} of <{tag}>" for name in given if name.startswith("on")]
        for name in ("href", "src", "action", "formaction", "xlink:href"):
            if re.match(r"\s*(?:javascript|vbscript|data:text)", given.get(name, ""), re.IGNORECASE):
                self.found.append(f"{name} of <{tag}> is code")
        if tag == "a" and given.get("href", "").startswith("/"):
            self.links.append(given["href"])


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with browse(database_url, redis_url, tmp_path) as browser:
        yield browser


async def fill(browser: Browser) -> list[str]:
    """Put the corpus wherever text can stand; pages to begin with."""
    api = browser.api
    content = SuiteContent(
        tuple(
            make_question(n, id=f"{n}{IMAGE}", input=HOSTILE, target=HOSTILE, category=HOSTILE[:150])
            for n in range(1, 41)
        )
    )
    past = await live_through(api, 14, FALL, models=("bright", "dim", MODEL), questions=40)
    async with api.desk.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # what is stored is a fact
        await connection.execute("UPDATE questions SET input = $1, target = $1, key = key || $1", HOSTILE)
        await connection.execute("UPDATE pairs SET response = $1, reason = $1, served_model = $1", HOSTILE)
    judge = Judge(HOSTILE[:100], MODEL, HOSTILE, {"note": HOSTILE})
    judged = SuiteContent(
        tuple(
            make_question(n, input=HOSTILE, target=HOSTILE, scorer=Scorer("llm-rubric", {"value": HOSTILE}))
            for n in (1, 2, 3)
        )
    )  # fmt: skip
    outcomes = (Verdict(0.0, False, HOSTILE), Verdict(1.0, True, HOSTILE), HALF)
    labels = {HOSTILE[:100]: HOSTILE}
    run = await measure(
        api, *outcomes, content=judged, judge=judge, answer=HOSTILE, labels=labels, models=(MODEL,)
    )
    keys = await plan_run(api.desk.pool, content=content, models=(MODEL, "dim"), labels=labels)
    running = await record(api, keys, RIGHT, WRONG, LATE, response=HOSTILE)
    await import_rows(
        api,
        *(
            make_row(
                number,
                suite="elsewhere",
                model=MODEL,
                **dict.fromkeys(("input", "target", "response"), HOSTILE),
                **dict.fromkeys(("category", "served_model", "evaluator", "run_id"), HOSTILE[:150]),
            )
            for number in range(1, 4)
        ),
    )
    await store_anchors(api)
    async with api.desk.connection() as connection:
        turns = (Turn("system", SCRIPT + IMAGE), Turn("user", "{{note}} {{input}}"))
        await prompts.store_prompt(connection, Prompt("support", turns, {"note": HOSTILE}))
        await create_key(connection, HOSTILE[:100], "read")  # type: ignore[arg-type]
    (incident, *_) = await past.incidents()
    path = f"/api/v1/incidents/{incident.id}/acknowledge"
    assert (await api.client.post(path, json={"note": HOSTILE})).is_success
    return [
        "/", "/runs", f"/runs/{run}", f"/runs/{running}", f"/incidents/{incident.id}",
        "/incidents?status=all",
        f"/incidents/{incident.id}/accept-baseline", "/schedules/nightly", "/schedules/nightly/terms",
        "/schedules/nightly/nights/2026-01-12", "/new-schedule", "/anchors",
        "/anchors/label?suite=judged&said=1",
        "/prompts", "/submit", "/suites", "/suites/golden", "/compare", "/models", "/sign-in", "/theme/dark",
    ]  # fmt: skip


def name_route(path: str) -> str:
    """The route that answers a path, as PAGES names it."""
    for _, template in PAGES:
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), urlsplit(path).path):
            return template
    return path


async def test_every_page_shows_hostile_text_and_runs_none_of_it(browser: Browser) -> None:
    waiting, seen, shown = await fill(browser), set[str](), set[str]()
    visits: dict[str, int] = {}
    while waiting and len(seen) < FOLLOWED:
        path = waiting.pop(0)
        route = name_route(path)
        if (
            path in seen
            or visits.get(route, 0) >= 6
            or "/export" in path
            or path.startswith(("/docs", "/api"))
        ):
            continue
        seen.add(path)
        visits[route] = visits.get(route, 0) + 1
        response = await browser.api.client.get(path)
        assert response.status_code in (200, 303, 307, 404, 422), (path, response.status_code)
        if "html" not in response.headers.get("content-type", ""):
            continue
        hunter = Hunter(response.text)
        assert hunter.found == [], path
        policy = response.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "script-src" not in policy, "default-src counts: no script but from our files"
        assert "49{%" not in response.text, "{{7*7}} was worked out"
        if "alert(" in response.text:
            shown.add(route)
        waiting += hunter.links
    wanted = {path for method, path in PAGES if method == "GET"} - {
        "/runs/{run_id}/events",
        "/runs/{run_id}/export",
    }
    assert {name_route(path) for path in seen} >= wanted
    assert len(shown) >= 12, shown


ADDRESSES = (
    f"/runs/{SCRIPT}", f"/suites/{IMAGE}", f"/incidents/{SCRIPT}", f"/schedules/{IMAGE}", f"/{SCRIPT}",
    f"/models/view?model={SCRIPT}", f"/runs?model={IMAGE}", f"/runs?kind={SCRIPT}",
    f"/compare?suite={SCRIPT}",
    f"/sign-in?next={IMAGE}", f"/suites/x?category={IMAGE}", f"/anchors/label?suite={SCRIPT}",
    f"/theme/{SCRIPT}", f"/runs/{uuid4()}?text={IMAGE}", "/static/../../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/%2e%2e/site.py", "/static/..%2f..%2fsite.py", "/static/%2fetc/passwd",
    "/static/style.css%00.png", "/suites/..%2f..%2fetc%2fpasswd", "/docs/assets/../../../etc/passwd",
)  # fmt: skip


async def test_an_address_that_is_script_or_leads_elsewhere_is_shown_or_refused(
    browser: Browser,
) -> None:
    for path in ADDRESSES:
        response = await browser.api.client.get(path)
        assert response.status_code < 500, path
        assert "root:" not in response.text
        assert "from pathlib" not in response.text
        if "html" in response.headers.get("content-type", ""):
            assert Hunter(response.text).found == [], path


async def test_progress_that_is_streamed_is_escaped_too(browser: Browser) -> None:
    content = SuiteContent((make_question(1, input=HOSTILE),))
    run = await measure(browser.api, RIGHT, content=content, models=(MODEL,))
    for path in (f"/runs/{run}/events", f"/api/v1/runs/{run}/events"):
        text = (await browser.api.client.get(path)).text
        assert "event: finished" in text
        if path.startswith("/runs"):
            assert Hunter(text).found == []


SOUGHT = (SQL, "%' OR '%'='", "\\", "%", "_", "$1", "\x1a", "'::int", "*/--")
SEEKING = ("/api/v1/runs", "/runs", "/api/v1/models/history", "/compare")


async def test_sql_in_what_is_sought_finds_nothing_and_harms_nothing(browser: Browser) -> None:
    run = await measure(browser.api, RIGHT, WRONG)
    for text in SOUGHT:
        for field in ("text", "model", "category", "question"):
            for path in (f"/runs/{run}", f"/api/v1/runs/{run}/results"):
                response = await browser.api.client.get(path, params={field: text})
                assert response.status_code in (200, 422), (path, field, text)
        for path in SEEKING:
            wanted = {"model": text, "suite": text, "label": f"a={text}"}
            response = await browser.api.client.get(path, params=wanted)
            assert response.status_code in (200, 404, 422), (path, text)
    assert len((await browser.api.client.get(f"/api/v1/runs/{run}/results")).json()["items"]) == 2


async def test_no_cell_of_an_export_is_a_formula_and_numbers_stay_numbers(browser: Browser) -> None:
    """Every column that holds text, not the answer alone."""
    for formula in FORMULAS:
        question = make_question(
            1, id=f"{formula}1", input=formula, target=formula, category=formula.strip() or "x"
        )
        run = await measure(
            browser.api,
            Verdict(0.25, False, formula),
            content=SuiteContent((question,)),
            answer=formula,
            models=(formula.replace(" ", ""),),
        )
        for path in (f"/runs/{run}/export?format=csv", f"/api/v1/runs/{run}/export?format=csv"):
            response = await browser.api.client.get(path)
            (row,) = csv.DictReader(io.StringIO(response.text, newline=""))
            assert set(row) == set(COLUMNS)
            for name, cell in row.items():
                assert not re.match(r"\s*[=+\-@＝＋－＠]", cell), (name, cell)
            assert float(row["score"]) == 0.25
            assert row["response"].removeprefix("'") == formula
            disposition = response.headers["content-disposition"]
            assert re.fullmatch(r'attachment; filename="run-[0-9a-f-]{36}\.csv"', disposition)


def test_a_message_takes_no_line_and_no_markup_from_what_it_quotes() -> None:
    evil = f"x\r\nBcc: all@example.com\r\n\r\n{HOSTILE} <!channel> <@U1> <http://evil|click> *b* _i_ `c`"
    message = Message(
        evil, evil, (Passage(evil, (evil,), (Quote(evil, ((evil, evil),)),)),), (Link(evil, "http://x/y"),)
    )
    email, slack = build_email(message, aside=evil), build_slack(message, aside=evil)
    assert email.subject.isprintable()
    assert Hunter(email.html).found == []
    marked = [text for block in slack.blocks for text in find_texts(block) if text["type"] == "mrkdwn"]
    assert marked
    for text in (*(one["text"] for one in marked), slack.text):
        assert "<" not in text.replace("&lt;", "")
        assert "<!channel>" not in text


def find_texts(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, dict):
        own = [part] if part.get("type") in ("mrkdwn", "plain_text") else []
        return own + [text for value in part.values() for text in find_texts(value)]
    return [text for value in part for text in find_texts(value)] if isinstance(part, list | tuple) else []
