"""Imported results as a schedule's history: the first night is compared with them already."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import httpx
import numpy as np
import pytest

from shared.db import schedules
from tests.integration.scheduling import TERMS
from tests.integration.serving import Api
from tests.integration.submitting import refused_fields
from tests.integration.watched_api import (
    V1,
    audited,
    begin_watch,
    dropping,
    get,
    is_fold_of_results_and_acts,
    post,
)
from tests.integration.watching import CHANCE, Past

QUESTIONS = 120


@pytest.fixture
async def past(api: Api) -> Past:
    return await begin_watch(api, ("dim",), questions=QUESTIONS)


def make_history(days: Sequence[date], **changed: Any) -> list[dict[str, Any]]:
    """Nights of another tool with the questions that the schedule's suite has."""
    chance = np.random.default_rng(7)
    return [
        {
            "run_at": f"{day}T02:00:00Z", "run_id": f"night-{day}", "model": "dim", "suite": "golden",
            "question_id": f"q-{number}", "input": f"What is {number} + {number}?",
            "target": str(2 * number), "score": int(chance.random() < CHANCE), **changed,
        }
        for day in days
        for number in range(1, QUESTIONS + 1)
    ]  # fmt: skip


DECEMBER = [date(2025, 12, day) for day in range(20, 30)]


async def link(api: Api, rows: Sequence[dict[str, Any]], schedule: str | None = "nightly") -> httpx.Response:
    query = {"continues": schedule} if schedule else {}
    content = "\n".join(map(json.dumps, rows))
    return await api.client.post(f"{V1}/results:import", content=content, params=query)


async def nights(api: Api) -> list[tuple[str, bool]]:
    page = await get(api, "drift/history", schedule="nightly", model="dim")
    return [(item["night"], item["is_imported"]) for item in page["items"][::-1]]


async def test_linked_history_makes_the_first_nights_tell_more(api: Api, past: Past) -> None:
    done = await link(api, make_history(DECEMBER))
    assert done.status_code == 201, done.text
    assert done.json()["continues"] == "nightly"
    assert all(run["is_newly_linked"] for run in done.json()["runs"])
    assert await is_fold_of_results_and_acts(past)
    await past.live(2, dropping("dim", 1, 0.4))
    [incident] = (await get(api, "incidents"))["items"]
    assert "since 2026-01-01" in incident["headline"]
    assert (await nights(api))[8:] == [
        ("2025-12-28", True), ("2025-12-29", True), ("2026-01-01", False), ("2026-01-02", False),
    ]  # fmt: skip
    assert await is_fold_of_results_and_acts(past)
    assert ("a admin key", "results.linked", "nightly") in await audited(api)


async def test_history_can_be_linked_behind_nights_that_were_seen(api: Api, past: Past) -> None:
    await past.live(4)
    await link(api, make_history(DECEMBER))
    assert len(await nights(api)) == 14
    assert await is_fold_of_results_and_acts(past)
    await past.live(2)
    assert await is_fold_of_results_and_acts(past)
    assert (await get(api, "incidents"))["items"] == []


async def test_linking_again_changes_nothing_and_stored_imports_can_be_linked_later(
    api: Api, past: Past
) -> None:
    rows = make_history(DECEMBER)
    stored = await link(api, rows, None)
    linked = await link(api, rows)
    again = await link(api, rows)
    assert [one.status_code for one in (stored, linked, again)] == [201, 201, 200]
    assert {run["state"] for run in linked.json()["runs"]} == {"already_there"}
    assert not any(run["is_newly_linked"] for run in again.json()["runs"])
    assert len(await nights(api)) == 10
    linked_acts = [act for _, act, _ in await audited(api) if act != "results.imported"]
    assert linked_acts == ["results.linked"]


async def test_the_budget_as_of_now_is_a_fact_of_linked_history(api: Api, past: Past) -> None:
    await link(api, make_history(DECEMBER[:1]))
    async with past.pool.acquire() as connection:
        [row] = await connection.fetch(
            "SELECT watched_models, nights_per_false_alarm, linked_by FROM linked_imports"
        )
    assert tuple(row) == (3, 365.0, "a admin key")


async def test_a_run_without_a_common_question_is_no_history(api: Api, past: Past) -> None:
    rows = make_history(DECEMBER[:1], suite="other", input="Something else?")
    refused = await link(api, rows)
    assert refused_fields(refused) == ["continues"]
    assert "run 'night-2025-12-20' shares no question with suite 'golden'" in refused.json()["detail"]
    assert (await get(api, "runs", suite="other"))["items"] == [], "nothing was imported"


async def test_a_run_after_the_first_night_is_no_history(api: Api, past: Past) -> None:
    await past.live(1)
    refused = await link(api, make_history([*DECEMBER[:1], date(2026, 1, 1)]))
    assert refused_fields(refused) == ["continues"]
    assert "is of 2026-01-01, and the first night of 'nightly' is 2026-01-01" in refused.json()["detail"]
    assert await nights(api) == [("2026-01-01", False)]


async def test_history_belongs_to_one_schedule_that_exists(api: Api, past: Past) -> None:
    rows = make_history(DECEMBER[:1])
    await link(api, rows)
    unknown = await link(api, rows, "nowhere")
    async with past.pool.acquire() as connection:
        terms = {name: getattr(TERMS, name) for name in TERMS.__slots__} | {"name": "weekly"}
        await schedules.store_schedule(
            connection, schedules.ScheduleTerms(**terms), datetime.now().astimezone()
        )
    elsewhere = await link(api, rows, "weekly")
    assert refused_fields(unknown) == ["continues"]
    assert (elsewhere.status_code, elsewhere.json()["title"]) == (409, "Linked elsewhere")
    assert "is the history of 'nightly' already" in elsewhere.json()["detail"]


async def test_a_linked_night_can_be_set_aside(api: Api, past: Past) -> None:
    await link(api, make_history(DECEMBER))
    done = await post(api, "schedules/nightly/nights/2025-12-25/quarantine", {"model": "dim"})
    assert done.status_code == 200, done.text
    assert await is_fold_of_results_and_acts(past)
