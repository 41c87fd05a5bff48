"""Imported runs: stored as they ended, pairs and aggregates included, in the caller's transaction."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from uuid import uuid4

from shared.db.aggregates import compute_aggregates, store_aggregates
from shared.db.pool import Connection
from shared.db.runs import Run, find_run_by_idempotency_key
from shared.domain.answers.refusals import is_refusal
from shared.domain.answers.scoring import Unscored, Verdict
from shared.domain.errors import ErrorKind
from shared.domain.import_rows import ImportedPair
from shared.domain.imports import ImportedRun
from shared.domain.runs import PairState, RunId

COPY_SECONDS = 600.0
NO_ANSWER = frozenset(
    {
        ErrorKind.TIMEOUT,
        ErrorKind.RATE_LIMITED,
        ErrorKind.UNAVAILABLE,
        ErrorKind.AUTHENTICATION,
        ErrorKind.BAD_REQUEST,
        ErrorKind.CONTEXT_LENGTH,
        ErrorKind.NOT_FOUND,
    }
)
NOT_ASKED = frozenset({ErrorKind.CANCELLED, ErrorKind.BUDGET})


async def lock_imports(connection: Connection) -> None:
    """Wait until no other import is under way, and keep others waiting until this transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('imports'))")


async def find_import(connection: Connection, run: ImportedRun) -> Run | None:
    """The run that was imported under this run's name before; its `request_hash` is its identity."""
    return await find_run_by_idempotency_key(connection, _key(run))


async def store_import(
    connection: Connection,
    run: ImportedRun,
    identity: str,
    suite_version_id: int,
    numbers: Mapping[str, int],
) -> RunId:
    """Store a run as completed when it was measured; `numbers` are the questions' numbers by their ids."""
    run_id = RunId(uuid4())
    await connection.execute(
        """
        INSERT INTO runs (id, kind, state, suite_version_id, models, repeats, spent_usd, labels,
                          idempotency_key, request_hash, planned_pairs, created_at, planned_at, finished_at)
        VALUES ($1, 'imported', 'completed', $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10)
        """,
        run_id,
        suite_version_id,
        sorted({pair.model for pair in run.pairs}),
        max(pair.repeat for pair in run.pairs),
        sum((pair.cost_usd for pair in run.pairs if pair.cost_usd is not None), Decimal(0)),
        {"source": run.name},
        _key(run),
        identity,
        len(run.pairs),
        run.run_at,
    )
    await connection.copy_records_to_table(
        "pairs", columns=_COLUMNS, records=_as_rows(run_id, run, numbers), timeout=COPY_SECONDS
    )
    await store_aggregates(connection, await compute_aggregates(connection, run_id))
    return run_id


def _key(run: ImportedRun) -> str:
    """Takes the place of an idempotency key, which holds no space when it comes with a request."""
    return f"import {run.suite} {run.name}"


_COLUMNS = (
    "run_id", "model", "question_id", "repeat", "state", "response", "served_model", "latency_seconds",
    "input_tokens", "output_tokens", "cost_usd", "score", "passed", "judge_served_model",
    "error_kind", "error_detail", "answered_at", "closed_at", "refused",
)  # fmt: skip


def _as_rows(run_id: RunId, run: ImportedRun, numbers: Mapping[str, int]) -> Iterator[tuple[object, ...]]:
    for pair in run.pairs:
        state, outcome = _final_state(pair), pair.outcome
        verdict = outcome if isinstance(outcome, Verdict) else None
        unscored = outcome if isinstance(outcome, Unscored) else None
        yield (
            run_id, pair.model, numbers[pair.question_id], pair.repeat, state, pair.response,
            pair.served_model, pair.latency_seconds, pair.input_tokens, pair.output_tokens, pair.cost_usd,
            verdict and verdict.score, verdict and verdict.passed, pair.evaluator,
            unscored and unscored.kind, (unscored and unscored.detail) or None,
            run.run_at if state in (PairState.SCORED, PairState.UNSCORED) else None, run.run_at,
            is_refusal(pair.response) if pair.response and pair.response.strip() else None,
        )  # fmt: skip


def _final_state(pair: ImportedPair) -> PairState:
    match pair.outcome:
        case Verdict():
            return PairState.SCORED
        case Unscored(kind) if kind in NOT_ASKED and pair.response is None:
            return PairState.SKIPPED
        case Unscored(kind) if kind in NO_ANSWER and pair.response is None:
            return PairState.FAILED
        case Unscored():
            return PairState.UNSCORED
