"""Imported results: strict rows, grouped into runs that are recognised when they come again."""

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.answers.scoring import Unscored, Verdict
from shared.domain.errors import ErrorKind, InvalidInput
from shared.domain.import_rows import ImportedPair, ImportedQuestion
from shared.domain.imports import ImportedRun, parse_results

MINIMAL = {"run_at": "2025-03-01T02:00:00Z", "model": "m", "suite": "s", "question_id": "q1", "score": 1}
FULL = {
    **MINIMAL,
    "run_id": "night-1",
    "repeat": 2,
    "input": "6 × 7?",
    "target": "42",
    "category": "math",
    "score": 0.25,
    "passed": True,
    "evaluator": "numeric v3",
    "latency_seconds": 0.5,
    "input_tokens": 12,
    "output_tokens": 3,
    "cost_usd": 0.000012,
    "served_model": "m-2025",
    "response": "It is 42.",
}


def lines(*rows: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def parse(*rows: dict[str, Any]) -> list[ImportedRun]:
    return parse_results("old.jsonl", lines(*rows))


def test_a_full_row_is_read_in_full() -> None:
    (run,) = parse(FULL)
    assert (run.name, run.suite) == ("night-1", "s")
    assert run.run_at == datetime(2025, 3, 1, 2, tzinfo=UTC)
    assert run.questions == (ImportedQuestion("q1", "math", "6 × 7?", "42"),)
    assert run.pairs == (
        ImportedPair(
            model="m",
            question_id="q1",
            repeat=2,
            outcome=Verdict(0.25, True, ""),
            evaluator="numeric v3",
            latency_seconds=0.5,
            input_tokens=12,
            output_tokens=3,
            cost_usd=Decimal("0.000012000"),
            served_model="m-2025",
            response="It is 42.",
        ),
    )


def test_what_a_row_leaves_out_stays_unknown() -> None:
    (run,) = parse(MINIMAL)
    (pair,) = run.pairs
    assert run.name == "2025-03-01T02:00:00+00:00"
    assert run.questions == (ImportedQuestion("q1", None, None, None),)
    assert (pair.repeat, pair.outcome) == (1, Verdict(1.0, True, ""))
    assert (pair.cost_usd, pair.latency_seconds, pair.input_tokens) == (None, None, None)


@pytest.mark.parametrize(("score", "passed"), [(0.0, False), (0.49, False), (0.5, True), (1.0, True)])
def test_half_passes_where_the_row_does_not_say(score: float, passed: bool) -> None:
    assert parse(MINIMAL | {"score": score})[0].pairs[0].outcome == Verdict(score, passed, "")


def test_a_missing_score_is_not_measured_and_never_zero() -> None:
    told = parse(MINIMAL | {"score": None, "error_kind": "timeout"})[0].pairs[0].outcome
    untold = parse(MINIMAL | {"score": None})[0].pairs[0].outcome
    assert told == Unscored(ErrorKind.TIMEOUT, "")
    assert isinstance(untold, Unscored)
    assert untold.kind is ErrorKind.SCORER_ERROR


def test_rows_are_grouped_by_run_id_else_by_suite_and_time() -> None:
    second = MINIMAL | {"run_at": "2025-03-02T02:00:00Z"}
    runs = parse(
        second,
        MINIMAL | {"question_id": "q2"},
        MINIMAL,
        MINIMAL | {"suite": "t"},
        MINIMAL | {"run_at": "2025-03-01T03:00:00+01:00", "question_id": "q3"},
        second | {"run_id": "x"},
    )
    assert [(run.name[:10], run.suite, len(run.pairs)) for run in runs] == [
        ("2025-03-01", "s", 3),
        ("2025-03-01", "t", 1),
        ("2025-03-02", "s", 1),
        ("x", "s", 1),
    ]


def test_rows_of_one_run_complete_each_others_questions() -> None:
    (run,) = parse(MINIMAL | {"model": "a", "category": "math"}, MINIMAL | {"model": "b", "input": "6 × 7?"})
    assert run.questions == (ImportedQuestion("q1", "math", "6 × 7?", None),)


def test_a_run_is_recognised_in_another_order_and_file() -> None:
    rows = [FULL | {"question_id": f"q{i}", "model": m} for i in range(5) for m in "ab"]
    shuffled = rows[:]
    random.Random(1).shuffle(shuffled)
    (run,), (again,) = (
        parse(*rows),
        parse_results("copy.jsonl", b"\xef\xbb\xbf" + lines(*shuffled) + b"\r\n\n"),
    )
    assert run == again
    assert run.identity == again.identity


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run_id", "night-2"), ("run_at", "2025-03-02T02:00:00Z"), ("suite", "t"), ("model", "n"),
        ("question_id", "q2"), ("repeat", 3), ("category", "x"), ("input", "y"), ("target", "z"),
        ("score", 0.26), ("passed", False), ("evaluator", "numeric v4"), ("latency_seconds", 0.6),
        ("input_tokens", 13), ("output_tokens", 4), ("cost_usd", 0.1), ("served_model", "n"),
        ("response", "41"),
    ],
)  # fmt: skip
def test_every_field_is_part_of_a_runs_identity(field: str, value: object) -> None:
    assert parse(FULL)[0].identity != parse(FULL | {field: value})[0].identity


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"score": 1.01}, "score", "from 0 to 1"),
        ({"score": -0.01}, "score", "from 0 to 1"),
        ({"score": True}, "score", "from 0 to 1"),
        ({"score": "1"}, "score", "from 0 to 1"),
        ({"score": [1]}, "score", "from 0 to 1"),
        ({"passed": 1}, "passed", "true, false"),
        ({"score": None, "passed": True}, "passed", "no score"),
        ({"error_kind": "timeout"}, "error_kind", "there is a score"),
        ({"score": None, "error_kind": "boom"}, "error_kind", "timeout"),
        ({"score": None, "error_kind": ["x"]}, "error_kind", "not known"),
        ({"run_at": "2025-03-01T02:00:00"}, "run_at", "no time zone"),
        ({"run_at": "2025-03-01"}, "run_at", "no time zone"),
        ({"run_at": "yesterday"}, "run_at", "not a time"),
        ({"run_at": "0001-01-01T00:00:00+14:00"}, "run_at", "not a time"),
        ({"run_at": 1740794400}, "run_at", "not text"),
        ({"model": ""}, "model", "empty"),
        ({"model": None}, "model", "missing"),
        ({"model": "a\tb"}, "model", "control"),
        ({"model": "m" * 201}, "model", "longer"),
        ({"suite": " "}, "suite", "empty"),
        ({"question_id": 7}, "question_id", "not text"),
        ({"category": "all"}, "category", "all categories"),
        ({"repeat": 0}, "repeat", "whole number"),
        ({"repeat": 1.0}, "repeat", "whole number"),
        ({"repeat": True}, "repeat", "whole number"),
        ({"input_tokens": -1}, "input_tokens", "whole number"),
        ({"output_tokens": 2**31}, "output_tokens", "whole number"),
        ({"latency_seconds": -1}, "latency_seconds", "number from 0"),
        ({"cost_usd": "free"}, "cost_usd", "number from 0"),
        ({"cost_usd": 10**9}, "cost_usd", "number from 0"),
        ({"response": "a\0b"}, "response", "NUL"),
        ({"response": "\ud800"}, "response", "surrogate"),
        ({"scores": 1}, "scores", "not a known field"),
    ],
)
def test_a_wrong_value_is_named_by_file_line_and_field(change: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_results("old.jsonl", b"\n" + lines(FULL, MINIMAL | change))
    assert refused.value.field == f"old.jsonl, line 3, {field}"
    assert said in str(refused.value)


@pytest.mark.parametrize("field", list(MINIMAL))
def test_a_required_field_is_missed(field: str) -> None:
    with pytest.raises(InvalidInput, match=f"line 1, {field}: is missing"):
        parse({name: value for name, value in MINIMAL.items() if name != field})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"score": NaN}', "NaN is not a number"),
        (b'{"score": -Infinity}', "Infinity is not a number"),
        (b'{"score": 1, "score": 0}', "names a field twice"),
        (b'{"score": 1e99999999999999999999}', "too large"),
        (b'{"score": ' + b"9" * 5000 + b"}", "too large"),
        (b"[" * 100_000, "too large"),
        (b"[]", "not a JSON object"),
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_line_that_is_no_row_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_results("old.jsonl", raw)
    assert refused.value.field.startswith("old.jsonl, line 1, ")
    assert said in refused.value.problem


def test_minus_zero_is_zero() -> None:
    below, zero = (parse(MINIMAL | {"score": z, "cost_usd": z})[0] for z in (-0.0, 0.0))
    assert below.identity == zero.identity


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"old\.jsonl: it holds no row"):
        parse_results("old.jsonl", b"\n \n")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "question_id"),
        ({"score": 0}, "question_id"),
        ({"repeat": 3, "run_at": "2025-03-01T02:00:01Z"}, "run_at"),
        ({"repeat": 3, "suite": "t"}, "suite"),
        ({"repeat": 3, "category": "facts"}, "category"),
        ({"repeat": 3, "input": "?"}, "input"),
        ({"repeat": 3, "target": "41"}, "target"),
    ],
)
def test_rows_of_one_run_must_not_contradict_each_other(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match="line 1") as refused:
        parse(FULL, MINIMAL | {"model": "other"}, FULL | change)
    assert refused.value.field == f"old.jsonl, line 3, {field}"


def test_a_line_separator_inside_a_text_is_no_new_line() -> None:
    raw = json.dumps(MINIMAL | {"response": "a\u2028b\u0085c"}, ensure_ascii=False).encode()
    assert parse_results("old.jsonl", raw)[0].pairs[0].response == "a\u2028b\u0085c"


numbers = st.none() | st.floats(allow_nan=True) | st.integers() | st.booleans()
values = st.recursive(numbers | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2), max_leaves=3)


@given(st.dictionaries(st.sampled_from(list(FULL)), values))
def test_any_row_is_read_or_refused(change: dict[str, Any]) -> None:
    try:
        (run,) = parse(FULL | change)
    except InvalidInput:
        return
    outcome = run.pairs[0].outcome
    assert isinstance(outcome, Unscored) or 0.0 <= outcome.score <= 1.0
    assert len(run.identity) == 64


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_results("old.jsonl", content)


@given(st.integers(0, 20), st.floats(0, 1))
def test_scores_and_costs_come_back_as_written(repeat: int, score: float) -> None:
    row = MINIMAL | {"repeat": repeat + 1, "score": score, "cost_usd": score, "latency_seconds": score * 100}
    pair = parse(row)[0].pairs[0]
    assert isinstance(pair.outcome, Verdict)
    assert pair.outcome.score == score
    assert pair.latency_seconds == score * 100
    assert pair.cost_usd is not None
    assert abs(pair.cost_usd - Decimal(repr(score))) <= Decimal("1e-9")
