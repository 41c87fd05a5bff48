"""What a run would take, told before it is submitted."""

from pathlib import Path
from typing import Any

import pytest

from shared.db import suites
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.settings import Settings
from tests.factories import make_question, make_suite
from tests.integration.serving import Api, make_settings

ESTIMATE = "/api/v1/runs:estimate"
PRICED = "input_cost_per_token: 1.0e-6, output_cost_per_token: 2.0e-6"
MODELS = f"""
model_list:
  - model_name: paid
    litellm_params: {{model: openai/paid-x, api_base: "http://127.0.0.1:9/v1", {PRICED}}}
  - model_name: unpriced
    litellm_params: {{model: openai/unpriced-x, api_base: "http://127.0.0.1:9/v1"}}
  - model_name: sim-judge
    litellm_params: {{model: openai/sim-judge, api_base: "http://127.0.0.1:9/v1", {PRICED}}}
judge: {{model: sim-judge}}
"""


@pytest.fixture
def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    (tmp_path / "models.yaml").write_text(MODELS)
    return make_settings(database_url, redis_url, tmp_path)


async def store(api: Api, content: SuiteContent) -> None:
    async with api.desk.connection() as connection, connection.transaction():
        await suites.store_suite(connection, "golden", content)


async def estimate(api: Api, **changed: Any) -> dict[str, Any]:
    response = await api.client.post(ESTIMATE, json={"suite": "golden", **changed})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def test_a_run_is_priced_by_model(api: Api) -> None:
    await store(api, make_suite(3))
    told = await estimate(api, models=["paid"], repeats=2)
    (paid,) = told["models"]
    tokens_in, tokens_out = 6 * (4 + 8), 6 * (1 + 200)
    assert (told["pairs"], paid["pairs"], paid["input_tokens"], paid["output_tokens"]) == (
        *(6, 6),
        tokens_in,
        tokens_out,
    )
    assert paid["cost_usd"] == {
        "low": pytest.approx(1e-6 * tokens_in + 2e-6 * 6),
        "expected": pytest.approx(1e-6 * tokens_in + 2e-6 * tokens_out),
    }
    assert (told["total_usd"], told["judge"], paid["note"]) == (paid["cost_usd"], None, None)
    assert told["assumptions"]


async def test_an_unknown_price_is_told_as_such(api: Api) -> None:
    await store(api, make_suite(3))
    told = await estimate(api)
    assert [(each["model"], each["cost_usd"] is None) for each in told["models"]] == [
        ("paid", False),
        ("unpriced", True),
    ]
    assert "input_cost_per_token" in told["models"][1]["note"]
    assert told["total_usd"] is None


async def test_the_judge_is_counted_for_the_questions_that_ask_one(api: Api) -> None:
    judged = make_question(2, scorer=Scorer("llm-rubric"))
    await store(api, SuiteContent((make_question(1), judged)))
    told = await estimate(api, models=["paid"], repeats=3)
    assert (told["judge"]["model"], told["judge"]["pairs"]) == ("sim-judge", 3)
    assert told["total_usd"]["low"] == pytest.approx(
        told["models"][0]["cost_usd"]["low"] + told["judge"]["cost_usd"]["low"]
    )


async def test_a_sample_is_estimated_as_it_would_be_asked(api: Api) -> None:
    await store(api, make_suite(50))
    assert (await estimate(api, models=["paid"], sample=10))["pairs"] == 10


async def test_an_estimate_stores_nothing(api: Api) -> None:
    await store(api, make_suite(3, scorer=Scorer("llm-rubric")))
    await estimate(api, models=["paid"])
    async with api.desk.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM runs") == 0
        assert await connection.fetchval("SELECT count(*) FROM judges") == 0


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"suite": "unknown"}, "suite"),
        ({"models": ["nobody"]}, "models[0]"),
        ({"judge": "nobody"}, "judge"),
        ({"models": ["sim-judge"]}, "judge"),
        ({"repeats": 0}, "repeats"),
        ({"dry_run": True}, "dry_run"),
    ],
)
async def test_what_can_not_be_run_is_not_estimated(api: Api, changed: dict[str, Any], field: str) -> None:
    await store(api, make_suite(3, scorer=Scorer("llm-rubric")))
    response = await api.client.post(ESTIMATE, json={"suite": "golden", **changed})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
