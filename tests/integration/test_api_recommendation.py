"""Recommendation and places over REST: from the newest runs, and only of what was measured alike."""

from typing import Any
from uuid import UUID

import pytest

from services.api.rankings import RankingShelf
from shared.db import measurements, sheets
from shared.domain.answers.judging import Judge
from shared.domain.figures.ranking import Rank
from shared.domain.questions.suites import Scorer
from tests.factories import make_suite
from tests.integration.importing import import_rows, make_row, make_rows
from tests.integration.serving import Api, finished_run

RECOMMENDATION = "/api/v1/recommendation"


async def advise(api: Api, **query: str) -> dict[str, Any]:
    response = await api.client.get(RECOMMENDATION, params=query)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def test_without_a_run_nothing_is_recommended(api: Api) -> None:
    assert await advise(api) == {
        "suite": None, "category": "all", "loss": 0.03, "items": [], "warnings": [],
    }  # fmt: skip


async def test_every_need_is_answered_with_its_numbers(api: Api) -> None:
    await import_rows(
        api,
        *make_rows(95, 5, model="best", cost_usd=0.02, latency_seconds=4),
        *make_rows(40, 60, model="cheap", cost_usd=0.001, latency_seconds=1),
    )

    told = await advise(api, suite="golden", loss="0.7")

    best, value, fastest, cheapest = told["items"]
    assert [one["need"] for one in told["items"]] == ["best", "value", "fastest", "cheapest_within_loss"]
    assert [one["model"] for one in told["items"]] == ["best", "best", "cheap", "cheap"]
    assert (best["accuracy"], best["against_best"], best["tied_with"]) == (0.95, None, [])
    assert (value["cost_usd_per_answer"], fastest["latency_p50_seconds"]) == (0.02, 1)
    assert cheapest["against_best"]["questions"] == 100
    assert cheapest["against_best"]["value"] == pytest.approx(-0.55)
    assert -0.7 < cheapest["against_best"]["lower"] < -0.55 < cheapest["against_best"]["upper"] < 0


async def test_a_category_is_judged_by_its_own_questions(api: Api) -> None:
    await import_rows(
        api,
        *make_rows(50, model="a"), *make_rows(0, 50, model="b"),
        *(make_row(n, model="a", category="words", score=0) for n in range(60, 90)),
        *(make_row(n, model="b", category="words", score=1) for n in range(60, 90)),
    )  # fmt: skip

    assert (await advise(api))["items"][0]["model"] == "a"
    assert (await advise(api, category="words"))["items"][0]["model"] == "b"


async def test_what_was_not_measured_is_warned_of(api: Api) -> None:
    await import_rows(api, *make_rows(3, model="a"), *make_rows(0, unscored=3, model="silent"))

    cautions = {one["caution"]: one["models"] for one in (await advise(api))["warnings"]}

    assert cautions == {"not_measured": ["silent"], "price_unknown": ["a"]}


async def test_models_under_different_judges_keep_all_places(api: Api) -> None:
    judged = make_suite(30, scorer=Scorer("llm-rubric"))
    run_id = await finished_run(api, content=judged, judge=Judge("strict", "openai/judge"), models=("here",))
    suite = (await api.client.get(f"/api/v1/runs/{run_id}")).json()["suite"]
    elsewhere = {"run_at": "2025-03-01T02:00:00Z", "suite": suite, "score": 0, "model": "elsewhere"}
    await import_rows(api, *({**elsewhere, "question_id": f"q-{number}"} for number in range(1, 31)))

    board = (await api.client.get("/api/v1/models", params={"suite": suite})).json()["items"]
    advice = await advise(api, suite=suite)

    assert [(one["model"], one["rank_best"], one["rank_worst"]) for one in board] == [
        ("here", 1, 2), ("elsewhere", 1, 2),
    ]  # fmt: skip
    assert {one["caution"] for one in advice["warnings"]} >= {"not_compared"}


async def test_a_ranking_is_computed_once(api: Api) -> None:
    await import_rows(api, *make_rows(95, 5, model="a"), *make_rows(5, 95, model="b"))
    shelf = RankingShelf()
    async with api.desk.connection() as connection:
        measured = await measurements.read_newest(connection, "golden", "all")
        facts = [(one.run_id, one.model) for one in measured]
        first = await shelf.read(connection, facts, ["all", "math"])
        again = await shelf.read(connection, facts[::-1], ["math"])

    assert first["all"].places() == {"a": Rank(1, 1), "b": Rank(2, 2)}
    assert again["math"] is first["math"]


@pytest.mark.parametrize(
    ("query", "status"),
    [({"suite": "unknown"}, 404), ({"loss": "0"}, 422), ({"loss": "nan"}, 422), ({"run": "1"}, 422)],
)
async def test_what_can_not_be_answered_is_refused(api: Api, query: dict[str, str], status: int) -> None:
    assert (await api.client.get(RECOMMENDATION, params=query)).status_code == status


async def test_the_scores_of_a_model_are_found_by_index(api: Api) -> None:
    (run,) = await import_rows(api, *make_rows(5))
    async with api.desk.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(f"EXPLAIN {sheets.SCORES}", [UUID(run["run_id"])], ["bright"])
    told = "\n".join(row[0] for row in plan)
    assert "Index Cond: ((run_id = w.run_id) AND (model = w.model)" in told, told
