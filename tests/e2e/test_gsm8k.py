"""Real input, whole path: 1,319 recorded questions, four recorded models, replayed over HTTP."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.standalone import import_suite, run_standalone, run_to_end

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"
PUBLISHED = {
    "6b_finetuning": 21.68, "6b_verification": 39.04, "175b_finetuning": 34.72, "175b_verification": 56.25,
}  # fmt: skip


def read_rows(name: str) -> list[dict[str, Any]]:
    file = RECORDED / name
    if not file.exists():
        pytest.skip(f"The recorded data {name} is not beside this checkout.")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_lines(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.slow
async def test_recorded_solutions_reproduce_the_published_accuracies(tmp_path: Path) -> None:
    questions, solutions = read_rows("gsm8k_test.jsonl.gz"), read_rows("gsm8k_solutions.jsonl.gz")
    suite = write_lines(
        tmp_path / "gsm8k.jsonl",
        [
            {"id": q["question_id"], "input": q["question"], "target": q["reference"], "scorer": "numeric"}
            for q in questions
        ],
    )
    write_lines(
        tmp_path / "recorded.jsonl",
        [{"model": s["model"], "input": s["question"], "response": s["response"]} for s in solutions],
    )
    simulator = {"replay": "recorded.jsonl", "models": {model: {"kind": "replay"} for model in PUBLISHED}}

    async with run_standalone(tmp_path, simulator) as client:
        await import_suite(client, suite, "gsm8k")
        run = await run_to_end(client, suite="gsm8k", models=list(PUBLISHED))
        export = await client.get(f"/runs/{run['id']}/export", params={"format": "jsonl"})

    assert (run["state"], run["planned_pairs"]) == ("completed", 5276)
    measured = {each["model"]: each for each in run["aggregates"] if each["category"] == "all"}
    for model, published in PUBLISHED.items():
        assert measured[model]["coverage"] == 1.0
        assert round(100 * measured[model]["accuracy"], 2) == published

    results = [json.loads(line) for line in export.text.splitlines()]
    once = Counter((row["model"], row["question"], row["repeat"]) for row in results)
    assert len(once) == 5276
    assert set(once.values()) == {1}
    labels = {(s["model"], s["question_id"]): s["correct"] for s in solutions}
    assert {(row["model"], row["question"]): row["passed"] for row in results} == labels
