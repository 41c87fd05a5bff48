"""The watch over histories that happened: GPT-4 and GPT-3.5 in 2023, and GPT-4o asked the same five times.

The recordings are LLMDrift's (L. Chen, M. Zaharia, J. Zou, arXiv 2307.09009) and those of B. Baldwin's
llm-stability; they are not part of this repository but may lie beside it.
"""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from shared.domain.drift.budget import Budget
from shared.domain.drift.sequence import Asked, Entry, Measured
from shared.domain.runs import RunId
from shared.domain.telling.backtest import backtest
from shared.domain.telling.records import Record
from shared.settings import Settings
from tests.e2e.test_prime import JUNE, MARCH, RECORDINGS, import_snapshot, rows
from tests.integration.serving import Api, make_settings, serve_api

REPEATED = RECORDINGS.with_name("gpt4o_repeat5_three_tasks.jsonl.gz")
RESAMPLES, RESAMPLED_QUESTIONS = 100, 50

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RECORDINGS.exists(), reason="the LLMDrift recordings are not in ../shared/data"),
]
repeated = pytest.mark.skipif(
    not REPEATED.exists(), reason="the recordings of five equal runs are not in ../shared/data"
)


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, redis_url, tmp_path)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with serve_api(settings) as api:
        yield api


async def look_back(api: Api, **asked: Any) -> dict[str, Any]:
    response = await api.client.post("/api/v1/backtest", json=asked)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def look_back_at_primes(api: Api, model: str) -> dict[str, Any]:
    for snapshot in (MARCH, JUNE):
        await import_snapshot(api, snapshot)
    [record] = (await look_back(api, suite="primes", models=[model]))["items"]
    assert record["entries"] == 2
    return dict(record)


async def test_gpt_4_is_an_alarm_dated_to_june_that_names_the_primes(api: Api) -> None:
    record = await look_back_at_primes(api, "gpt-4")
    [event] = record["events"]
    assert (event["kind"], event["severity"]) == ("opened", "critical")
    assert event["cause"] == "undetermined"  # the import does not tell whether a judge scored these answers
    assert (event["night"], event["since"]) == ("2023-06-15", "2023-06-15")
    assert {"accuracy", "weighted", "category:primes"} <= set(event["streams"])
    assert [each["category"] for each in event["categories"] if each["is_worse"]] == ["primes"]
    assert "primes fell by 95.2 points" in event["headline"]
    assert "over the whole suite it fell by 32.9 points" in event["headline"]


async def test_gpt_35_got_better_and_its_composites_worse(api: Api) -> None:
    record = await look_back_at_primes(api, "gpt-3.5")
    [event], [better] = record["events"], record["improvements"]
    assert event["streams"] == ["category:composites"]
    assert [each["category"] for each in event["categories"] if each["is_worse"]] == ["composites"]
    assert "composites fell by 18.8 points" in event["headline"]
    assert "over the whole suite it rose by 26.6 points" in event["headline"]
    assert {"accuracy", "weighted", "category:primes"} == set(better["streams"])


@pytest.mark.parametrize(("model", "least", "most"), [("gpt-4", 0.90, 1.0), ("gpt-3.5", 0.0, 0.05)])
def test_fifty_of_the_questions_tell_as_much(model: str, least: float, most: float) -> None:
    """100 draws of 50 questions: the drop of GPT-4 is large enough to be seen, that of GPT-3.5 is not."""
    nights = [list(of_model(model, snapshot)) for snapshot in (MARCH, JUNE)]
    alarmed = [record for seed in range(RESAMPLES) if (record := resample(model, nights, seed)).opened]
    assert least <= len(alarmed) / RESAMPLES <= most
    for record in alarmed:
        told = record.opened[0].findings
        assert told.since == date(2023, 6, 15)
        assert [each.category for each in told.categories if each.is_worse] == ["primes"]


@repeated
async def test_five_equal_runs_of_gpt_4o_are_silent(api: Api) -> None:
    lines = "\n".join(json.dumps(row) for row in repeated_rows())
    response = await api.client.post("/api/v1/results:import", content=lines.encode())
    assert response.status_code == 201, response.text
    found = await look_back(api, suite="three-tasks")
    [record] = found["items"]
    assert (record["entries"], record["state"]) == (5, "ok")
    assert (record["events"], record["improvements"], record["quarantined_nights"]) == ([], [], [])
    assert found["summary"]["quiet_models"] == ["gpt-4o"]


def of_model(model: str, snapshot: str) -> Iterator[dict[str, Any]]:
    return iter(sorted((r for r in rows(snapshot) if r["model"] == model), key=lambda r: r["question_id"]))


def resample(model: str, nights: list[list[dict[str, Any]]], seed: int) -> Record:
    """The two snapshots on 50 questions drawn by chance, with two models watched as in the import."""
    picked = np.random.default_rng([2023, seed]).choice(len(nights[0]), RESAMPLED_QUESTIONS, replace=False)
    entries = [
        as_entry(number, [night[place] for place in picked]) for number, night in enumerate(nights, start=1)
    ]
    return backtest(entries).of(model)


def as_entry(number: int, answers: list[dict[str, Any]]) -> Entry:
    def of(name: str) -> Any:
        return np.array([[answer[name] for answer in answers]], dtype=float)

    questions = tuple(Asked(each["question_id"], each["question_id"], each["category"]) for each in answers)
    everything, nothing = np.ones((1, len(answers))), np.full((1, len(answers)), np.nan)
    measured = Measured(
        of("score"), everything, everything, nothing, nothing, of("latency_seconds"), of("output_tokens"),
        of("cost_usd"), np.ones(1),
    )  # fmt: skip
    night = date.fromisoformat(answers[0]["run_at"][:10])
    return Entry(
        RunId(UUID(int=number)), night, None, Budget(2), (str(answers[0]["model"]),), questions, measured
    )


def repeated_rows() -> Iterator[dict[str, Any]]:
    with gzip.open(REPEATED, "rt") as recordings:
        for answer in map(json.loads, recordings):
            yield {
                "run_id": f"run {answer['run']}",
                "run_at": f"2025-03-0{answer['run'] + 1}T00:00:00Z",
                "model": "gpt-4o",
                "suite": "three-tasks",
                "question_id": answer["question_id"],
                "input": answer["question"],
                "target": answer["reference"],
                "category": answer["task"],
                "score": int(answer["correct"]),
                "response": answer["response"],
            }
