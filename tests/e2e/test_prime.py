"""A drift that happened: is this number prime? GPT-4 and GPT-3.5 in March and June 2023, as recorded.

The recordings are LLMDrift's (L. Chen, M. Zaharia, J. Zou, arXiv 2307.09009); they are not part of this
repository but may lie beside it.
"""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from tests.integration.serving import Api, make_settings, serve_api

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "llmdrift_prime_sensitive.jsonl.gz"
CATEGORIES = {"yes": "primes", "No": "composites"}
MARCH, JUNE = "2023-03", "2023-06"

pytestmark = pytest.mark.skipif(
    not RECORDINGS.exists(), reason="the LLMDrift recordings are not in ../shared/data"
)


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, redis_url, tmp_path)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with serve_api(settings) as api:
        yield api


def rows(snapshot: str) -> Iterator[dict[str, Any]]:
    with gzip.open(RECORDINGS, "rt") as recordings:
        recorded = [json.loads(line) for line in recordings]
    for answer in recorded:
        if answer["dataset"].startswith("prime") and answer["snapshot_date"] == snapshot:
            yield {
                "run_id": f"primes {snapshot}",
                "run_at": f"{snapshot}-15T00:00:00Z",
                "model": answer["model"],
                "suite": "primes",
                "question_id": answer["question_id"],
                "input": answer["question"],
                "target": answer["reference"],
                "category": CATEGORIES[answer["reference"]],
                "score": int(answer["correct"]),
                "latency_seconds": answer["latency_s"],
                "cost_usd": answer["cost_usd"],
                "output_tokens": answer["output_tokens"],
                "served_model": answer["api_model"],
                "response": answer["response"],
            }


async def import_snapshot(api: Api, snapshot: str) -> str:
    lines = "\n".join(json.dumps(row) for row in rows(snapshot))
    response = await api.client.post("/api/v1/results:import", content=lines.encode())
    assert response.status_code == 201, response.text
    (run,) = response.json()["runs"]
    assert (run["state"], run["rows"]) == ("created", 2000)
    return str(run["run_id"])


def percent(compared: dict[str, Any]) -> tuple[float, float]:
    return round(100 * compared["baseline_accuracy"], 1), round(100 * compared["candidate_accuracy"], 1)


async def test_the_drift_of_2023_is_seen(api: Api) -> None:
    march, june = await import_snapshot(api, MARCH), await import_snapshot(api, JUNE)
    query = {"baseline": march, "candidate": june}
    response = await api.client.get("/api/v1/compare", params=query)
    assert response.status_code == 200, response.text
    comparison = response.json()
    assert comparison["verdict"] == "fail"

    models = {each["candidate_model"]: each for each in comparison["models"]}
    gpt_4, gpt_35 = models["gpt-4"], models["gpt-3.5"]
    assert (percent(gpt_4), gpt_4["verdict"]) == ((84.0, 51.1), "fail")
    assert (percent(gpt_35), gpt_35["verdict"]) == ((49.6, 76.2), "pass")

    by_category = {each["category"]: each for each in gpt_4["categories"]}
    assert percent(by_category["primes"]) == (97.6, 2.4)
    assert percent(by_category["composites"]) == (70.4, 99.8)
    assert by_category["primes"]["is_worse"]
    assert not by_category["composites"]["is_worse"]


async def test_the_flipped_questions_are_shown_with_both_answers(api: Api) -> None:
    march, june = await import_snapshot(api, MARCH), await import_snapshot(api, JUNE)
    query = {"baseline": march, "candidate": june, "model": "gpt-4"}
    comparison = (await api.client.get("/api/v1/compare", params=query)).json()
    flips = comparison["flips"]
    assert (flips["broke"], flips["fixed"]) == (
        comparison["models"][0]["broke"],
        comparison["models"][0]["fixed"],
    )
    assert flips["broke"] - flips["fixed"] == 1000 * 0.840 - 1000 * 0.511
    assert len(flips["items"]) == 200
    for flip in flips["items"]:
        before, after = flip["answer_before"].lower(), flip["answer_after"].lower()
        assert before != after
        if flip["category"] == "primes" and flip["score_after"] == 0:
            assert "no" in after


async def test_the_models_rank_by_their_newest_run(api: Api) -> None:
    for snapshot in (MARCH, JUNE):
        await import_snapshot(api, snapshot)
    board = (await api.client.get("/api/v1/models")).json()
    ranked = [(each["model"], each["rank_best"], round(each["accuracy"], 3)) for each in board["items"]]
    assert (board["suite"], ranked) == ("primes", [("gpt-3.5", 1, 0.762), ("gpt-4", 2, 0.511)])
    past = (await api.client.get("/api/v1/models/history", params={"model": "gpt-4"})).json()
    assert [round(each["accuracy"], 3) for each in past["items"]] == [0.511, 0.84]
