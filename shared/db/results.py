"""Results as people read them: pair by pair, filtered, in pages or as one long stream.

Their order is model, question, repeat. A suite version's questions are numbered in suite order, so this is
the order of the pairs' primary key, and no such read has to sort. People who look for what went wrong get
the failed ones first.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
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
    response_removed_at: datetime | None

    @property
    def place(self) -> Place:
        return self.model, self.question_id, self.repeat


class ResultOutcome(StrEnum):
    """What became of a pair, those that people look for first before the others.

    Partial has a score above 0 that does not pass; unscored was not measured, which is never failed; open
    may still become anything.
    """

    FAILED = "failed"
    PARTIAL = "partial"
    UNSCORED = "unscored"
    PASSED = "passed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results are wanted; None wants all. `text` is sought in what was asked, answered and said."""

    model: str | None = None
    category: str | None = None
    state: PairState | None = None
    question: str | None = None
    passed: bool | None = None
    text: str | None = None
    outcome: ResultOutcome | None = None


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Some of the results, with their outcomes. `counts`: how many there are of each, whatever the outcome
    that was asked for."""

    counts: Mapping[ResultOutcome, int]
    items: Sequence[tuple[ResultOutcome, Result]]


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


async def read_failed_first(
    connection: Connection, run_id: RunId, wanted: ResultFilter, *, skip: int = 0, limit: int = 50
) -> ResultPage:
    """One page of a run's results, by outcome, then in their order, and the number of each outcome.

    The run's pairs are read once, whatever the page: counted, and put in order by their keys alone.
    """
    query, values = _select_failed_first(run_id, wanted, skip, limit)
    rows = await connection.fetch(query, *values)
    counts = {_OUTCOMES[row["rank"]]: row["number"] for row in rows if row["model"] is None}
    keys = [row for row in rows if row["model"] is not None]
    places = {(row["model"], row["number"], row["repeat"]): _OUTCOMES[row["rank"]] for row in keys}
    found = await _read_at(connection, run_id, list(places))
    return ResultPage(counts, [(outcome, found[place]) for place, outcome in places.items()])


def _select_failed_first(
    run_id: RunId, wanted: ResultFilter, skip: int, limit: int
) -> tuple[str, Sequence[object]]:
    conditions, values = _conditions(run_id, replace(wanted, outcome=None))
    asks_questions = any(value is not None for value in (wanted.category, wanted.question, wanted.text))
    ranks = _OUTCOMES if wanted.outcome is None else (wanted.outcome,)
    query = f"""
        WITH found AS MATERIALIZED (
            SELECT ({_RANK})::int2 AS rank, model, question_id, repeat
            FROM {"results" if asks_questions else "pairs"} WHERE {conditions}
        )
        SELECT rank, count(*) AS number, NULL AS model, NULL AS repeat FROM found GROUP BY rank
        UNION ALL (
            SELECT rank, question_id, model, repeat FROM found WHERE rank = ANY (${len(values) + 1})
            ORDER BY rank, model, question_id, repeat OFFSET {skip:d} LIMIT {limit:d}
        )
        ORDER BY rank, model, number, repeat
    """
    return query, (*values, [_OUTCOMES.index(outcome) for outcome in ranks])


async def _read_at(connection: Connection, run_id: RunId, places: Sequence[Place]) -> dict[Place, Result]:
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS}
        FROM unnest($2::text[], $3::bigint[], $4::int[]) AS place (model, question_id, repeat)
        JOIN results USING (model, question_id, repeat) WHERE run_id = $1
        """,
        run_id,
        *([place[part] for place in places] for part in range(3)),
    )
    return {result.place: result for result in (Result(*row) for row in rows)}


def _select(run_id: RunId, wanted: ResultFilter, after: Place | None = None) -> tuple[str, Sequence[object]]:
    conditions, values = _conditions(run_id, wanted)
    if after is not None:
        first = len(values) + 1
        conditions += f" AND (model, question_id, repeat) > (${first}, ${first + 1}, ${first + 2})"
    query = f"SELECT {_COLUMNS} FROM results WHERE {conditions} ORDER BY model, question_id, repeat"
    return query, (*values, *(after or ()))


def _conditions(run_id: RunId, wanted: ResultFilter) -> tuple[str, Sequence[object]]:
    conditions: list[str] = ["run_id = $1"]
    values: list[object] = [run_id]
    for condition, value in (
        ("model = {}", wanted.model),
        ("category = {}", wanted.category),
        ("state = {}", wanted.state),
        ("question = {}", wanted.question),
        ("passed = {}", wanted.passed),
        ("strpos(lower(concat_ws(chr(10), input, target, response, reason)), lower({})) > 0", wanted.text),
        (f"{_RANK} = {{}}", None if wanted.outcome is None else _OUTCOMES.index(wanted.outcome)),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    return " AND ".join(conditions), values


_OUTCOMES = tuple(ResultOutcome)

# The place of a pair's outcome among _OUTCOMES.
_RANK = """CASE WHEN closed_at IS NULL THEN 4 WHEN score IS NULL THEN 2 WHEN passed THEN 3
                WHEN score > 0 THEN 1 ELSE 0 END"""

_COLUMNS = """
    model, question, category, repeat, state, score, passed, reason, response, input, target, scorer,
    finish_reason, served_model, system_fingerprint, request_id, latency_seconds, input_tokens,
    output_tokens, cost_usd, judge_cost_usd, error_kind, error_detail, attempts, judge_attempts,
    answered_at, closed_at, question_id, refused, format_failed, response_removed_at
"""
