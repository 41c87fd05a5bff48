"""What a gate is asked to do is checked before anything is spent, and a mistake names its option."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.failures import Refused
from services.cli.gate.candidate import name_options
from services.cli.gate.results_file import describe_row, fit_rows, read_file, write_lines
from services.cli.gate.terms import (
    Criteria,
    FileBaseline,
    LabelledBaseline,
    PinnedBaseline,
    Reports,
    RunBaseline,
    choose_baseline,
    refuse_choices,
)

RUN = {"id": "1a2b", "suite": "golden", "finished_at": "2026-11-21T10:00:00Z"}
NUMERIC, RUBRIC = {"name": "numeric"}, {"name": "llm-rubric"}
JUDGE = {"name": "strict", "model": "m", "prompt": "Judge.", "parameters": {"temperature": 0}}


def test_a_baseline_is_a_run_a_pin_a_label_or_a_file() -> None:
    assert choose_baseline("1a2b", {}, None) == RunBaseline("1a2b")
    assert choose_baseline("pinned", {}, None) == PinnedBaseline()
    assert choose_baseline(None, {"branch": "main"}, None) == LabelledBaseline({"branch": "main"})
    assert choose_baseline(None, {}, Path("main.jsonl")) == FileBaseline(Path("main.jsonl"))


@pytest.mark.parametrize("labels", [{}, {"branch": "main"}])
def test_one_baseline_is_needed_and_one_only(labels: dict[str, str]) -> None:
    with pytest.raises(Refused, match=r"--baseline: .*Name one: --baseline RUN"):
        choose_baseline("1a2b" if labels else None, labels, None)


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.01, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["margin", "min_accuracy"])
def test_a_share_lies_between_0_and_1(name: str, limit: float) -> None:
    with pytest.raises(Refused, match=f"--{name.replace('_', '-')}: .*Write 0.03"):
        Criteria(**{name: limit}).check()


@pytest.mark.parametrize("name", ["max_cost_usd", "max_latency_ratio"])
def test_what_nothing_would_keep_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=f"--{name.replace('_', '-')}: 0 is not above 0"):
        Criteria(**{name: 0.0}).check()


def test_usual_limits_are_taken() -> None:
    Criteria(0.03, min_accuracy=0.8, max_cost_usd=2.5, max_latency_ratio=1.5).check()


def test_a_report_that_can_not_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    Reports(markdown=tmp_path / "gate.md").check()
    with pytest.raises(Refused, match="--junit: "):
        Reports(junit=tmp_path / "no" / "gate.xml").check()
    with pytest.raises(Refused, match="--results: "):
        Reports(results=tmp_path).check()


def test_a_run_that_exists_can_not_be_shaped() -> None:
    refuse_choices(suite=None, sample=None, quick=False, label=None)
    with pytest.raises(Refused, match="--max-things: is for a run that this command starts"):
        refuse_choices(suite=None, max_things=3)


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("models[0]: 'x' is unknown.", "--model: 'x' is unknown."),
        ("max_cost_usd: must be above 0.", "--max-cost-usd: must be above 0."),
        ("labels.branch: is too long.\nsample: no.", "--label: is too long.\n--sample: no."),
        ("There is no such key.", "There is no such key."),
    ],
)
def test_the_servers_fields_are_told_as_options(field: str, option: str) -> None:
    assert name_options(field) == option


def make_result(number: int = 1, scorer: dict[str, Any] = NUMERIC, **changed: Any) -> dict[str, Any]:
    return {
        "model": "bright", "question": f"q-{number}", "repeat": 1, "input": "2 + 2?", "target": "4",
        "scorer": scorer, "score": 1.0, "passed": True, "latency_seconds": 0.5, "input_tokens": 3,
        "output_tokens": 1, "cost_usd": 0.01, "served_model": "bright-1", "response": "4",
        "error_kind": None, "closed_at": f"2026-11-21T09:00:0{number}Z", **changed,
    }  # fmt: skip


def make_questions(*results: dict[str, Any]) -> dict[str, Any]:
    return {each["question"]: each for each in results}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_results_come_back_from_the_file_as_they_were(tmp_path_factory: Any, response: str) -> None:
    file = tmp_path_factory.mktemp("results") / "main.jsonl"
    row = describe_row(make_result(response=response), RUN, None)
    file.write_bytes(b"".join(write_lines([row])))
    assert read_file(file) == [row]


def test_an_export_is_read_as_one_run_of_its_last_answer(tmp_path: Path) -> None:
    file = tmp_path / "exported.jsonl"
    file.write_text("".join(json.dumps(make_result(number)) + "\n" for number in (1, 2)))
    rows = read_file(file)
    assert [(row["question_id"], row["run_at"]) for row in rows] == [
        ("q-1", "2026-11-21T09:00:02Z"),
        ("q-2", "2026-11-21T09:00:02Z"),
    ]


@pytest.mark.parametrize("content", ["", "[]\n", "{}\n", "nonsense\n", '{"question": "q-1"}\n'])
def test_a_file_without_results_is_refused_by_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "main.jsonl"
    file.write_text(content)
    with pytest.raises(Refused, match=r"--baseline-file: .*--results"):
        read_file(file)


def test_only_questions_that_are_asked_and_scored_as_before_are_kept() -> None:
    rows = [describe_row(make_result(number), RUN, None) for number in range(1, 6)]
    now = make_questions(
        make_result(1),
        make_result(2, input="3 + 3?"),
        make_result(3, scorer={"name": "numeric", "tolerance": 1}),
        make_result(4, target="5"),
    )
    fitting = fit_rows(rows, now, "silver", None, None)
    assert [row["question_id"] for row in fitting.rows] == ["q-1"]
    assert fitting.questions_left_out == 4
    assert fitting.rows[0]["suite"] == "silver"


def test_the_same_judge_is_known_by_its_content_and_called_as_the_server_does() -> None:
    row = describe_row(make_result(scorer=RUBRIC), RUN, JUDGE)
    now = make_questions(make_result(scorer=RUBRIC))
    [same] = fit_rows([row], now, "golden", JUDGE, "strict v7").rows
    [other] = fit_rows([row], now, "golden", {**JUDGE, "prompt": "Be kind."}, "strict v8").rows
    assert same["evaluator"] == "strict v7"
    assert other["evaluator"] not in ("strict v8", None)


def test_rows_of_another_tool_keep_their_evaluator() -> None:
    row = {**describe_row(make_result(), RUN, None), "evaluator": "exact 1"}
    [kept] = fit_rows([row], make_questions(make_result()), "golden", None, None).rows
    assert kept["evaluator"] == "exact 1"
