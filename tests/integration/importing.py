"""Completed runs by import: the shortest way for a test to say who scored what, and when."""

import json
from typing import Any

import httpx

from tests.integration.serving import Api

IMPORT = "/api/v1/results:import"


def make_row(question: int = 1, **changed: Any) -> dict[str, Any]:
    """One right answer to a question of the suite "golden"."""
    row: dict[str, Any] = {
        "run_at": "2025-03-01T02:00:00Z",
        "model": "bright",
        "suite": "golden",
        "question_id": f"q-{question}",
        "input": f"What is {question} + {question}?",
        "target": str(2 * question),
        "category": "math",
        "score": 1,
    }
    return {**row, **changed}


def make_rows(right: int, wrong: int = 0, unscored: int = 0, **changed: Any) -> list[dict[str, Any]]:
    """So many answers of each kind, to different questions."""
    scores = [1] * right + [0] * wrong
    rows = [make_row(number, **changed, score=score) for number, score in enumerate(scores, start=1)]
    for number in range(len(scores) + 1, len(scores) + unscored + 1):
        rows.append(make_row(number, **{"error_kind": "timeout", **changed}, score=None))
    return rows


async def post_rows(api: Api, *rows: dict[str, Any]) -> httpx.Response:
    return await api.client.post(IMPORT, content="\n".join(map(json.dumps, rows)))


async def import_rows(api: Api, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """What came of the file's runs, oldest first."""
    response = await post_rows(api, *rows)
    assert response.is_success, response.text
    runs: list[dict[str, Any]] = response.json()["runs"]
    return runs
