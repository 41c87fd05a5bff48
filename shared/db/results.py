"""Results as people read them: pair by pair, filtered, in pages or as one long stream.

Their order is model, question, repeat. A suite version's questions are numbered in suite order, so this is
the order of the pairs' primary key, and no read has to sort.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from shared.db.pool import Connection
from shared.domain.runs import PairState, RunId

STREAMED_ROWS = 500

Place: TypeAlias = tuple[str, int, int]
"""Where a result stands in its run: model, the question's number, repeat."""


@dataclass(frozen=True, slots=True)
class Result:
    """One pair with its question; what was not measured is None. Costs are US dollars."""

    model: str
    question: str
    category: str
    repeat: int
    state: str
    score: float | None
    passed: bool | None
    reason: str | None
    response: str | None
    input: str
    target: str
    scorer: Mapping[str, Any]
    finish_reason: str | None
    served_model: str | None
    system_fingerprint: str | None
    request_id: str | None
    latency_seconds: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    judge_cost_usd: Decimal | None
    error_kind: str | None
    error_detail: str | None
    attempts: int
    judge_attempts: int
    answered_at: datetime | None
    closed_at: datetime | None
    question_id: int
    refused: bool | None
    format_failed: bool | None

    @property
    def place(self) -> Place:
        return self.model, self.question_id, self.repeat


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results are wanted; None wants all. `text` is sought in what was asked, answered and said."""

    model: str | None = None
    category: str | None = None
    state: PairState | None = None
    question: str | None = None
    passed: bool | None = None
    text: str | None = None


async def list_results(
    connection: Connection,
    run_id: RunId,
    wanted: ResultFilter,
    *,
    after: Place | None = None,
    limit: int = 50,
) -> list[Result]:
    """List results of a run from just after a place on."""
    query, values = _select(run_id, wanted, after)
    rows = await connection.fetch(f"{query} LIMIT {limit:d}", *values)
    return [Result(*row) for row in rows]


async def stream_results(
    connection: Connection, run_id: RunId, wanted: ResultFilter
) -> AsyncIterator[list[Result]]:
    """Read all results of a run through a server-side cursor, in batches; only inside a transaction."""
    query, values = _select(run_id, wanted)
    cursor = await connection.cursor(query, *values)
    while rows := await cursor.fetch(STREAMED_ROWS):
        yield [Result(*row) for row in rows]


def _select(run_id: RunId, wanted: ResultFilter, after: Place | None = None) -> tuple[str, Sequence[object]]:
    conditions, values = ["run_id = $1"], [run_id, *(after or ())]
    if after is not None:
        conditions.append("(model, question_id, repeat) > ($2, $3, $4)")
    for condition, value in (
        ("model = {}", wanted.model),
        ("category = {}", wanted.category),
        ("state = {}", wanted.state),
        ("question = {}", wanted.question),
        ("passed = {}", wanted.passed),
        ("strpos(lower(concat_ws(chr(10), input, target, response, reason)), lower({})) > 0", wanted.text),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    return f"{_RESULT} WHERE {' AND '.join(conditions)} ORDER BY model, question_id, repeat", values


_RESULT = """
    SELECT model, question, category, repeat, state, score, passed, reason, response, input, target, scorer,
           finish_reason, served_model, system_fingerprint, request_id, latency_seconds, input_tokens,
           output_tokens, cost_usd, judge_cost_usd, error_kind, error_detail, attempts, judge_attempts,
           answered_at, closed_at, question_id, refused, format_failed
    FROM results
"""
