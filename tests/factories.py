"""Makers of the things that tests arrange: each gives a valid one, and takes what the test is about."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import uuid4

from shared.db import judges, pairs, runs, suites
from shared.db.pool import Connection, Pool
from shared.db.runs import NewRun
from shared.domain.answers.judging import Judge
from shared.domain.questions.suites import Question, Scorer, SuiteContent
from shared.domain.runs import Answer, PairKey, RunId, RunKind


def make_question(number: int = 1, **changed: object) -> Question:
    fields: dict[str, object] = {
        "id": f"q-{number}",
        "category": "math",
        "input": f"What is {number} + {number}?",
        "target": str(2 * number),
        "scorer": Scorer("numeric"),
    }
    return Question(**{**fields, **changed})  # type: ignore[arg-type]


def make_answer(**changed: object) -> Answer:
    fields: dict[str, object] = {
        "response": "2",
        "finish_reason": "stop",
        "served_model": "bright-v1",
        "system_fingerprint": "fp_1",
        "request_id": "req_1",
        "latency_seconds": 0.25,
        "input_tokens": 10,
        "output_tokens": 2,
        "cost_usd": Decimal("0.001"),
    }
    return Answer(**{**fields, **changed})  # type: ignore[arg-type]


def make_suite(size: int = 3, **changed: object) -> SuiteContent:
    return SuiteContent(tuple(make_question(number, **changed) for number in range(1, size + 1)))


async def submit_run(
    connection: Connection,
    *,
    content: SuiteContent | None = None,
    models: Sequence[str] = ("bright",),
    judge: Judge | None = None,
    **changed: object,
) -> RunId:
    """Store a suite and a run of it, as the API does."""
    version, _ = await suites.store_suite(connection, f"suite-{uuid4().hex[:8]}", content or make_suite())
    stored_judge = await judges.store_judge(connection, judge) if judge else None
    fields: dict[str, object] = {
        "id": RunId(uuid4()),
        "kind": RunKind.ADHOC,
        "suite_version_id": version.id,
        "judge_id": stored_judge.id if stored_judge else None,
        "models": list(models),
        "repeats": 1,
        "sample": None,
        "parameters": {"temperature": 0, "max_tokens": 256},
        "max_cost_usd": None,
        "labels": {},
        "git_commit": None,
        "client_versions": {},
        "idempotency_key": None,
        "request_hash": "",
    }
    run_id = await runs.submit_run(connection, NewRun(**{**fields, **changed}))  # type: ignore[arg-type]
    assert run_id is not None
    return run_id


async def plan_run(pool: Pool, **changed: object) -> list[PairKey]:
    """A running run, by its pairs."""
    async with pool.acquire() as connection:
        run_id = await submit_run(connection, **changed)  # type: ignore[arg-type]
        run = await runs.find_run(connection, run_id)
        assert run is not None
        questions = await suites.read_questions(connection, run.suite_version_id)
        numbers = [stored.number for stored in questions]
        planned = await pairs.plan_pairs(connection, run_id, run.models, numbers, run.repeats)
        await runs.mark_planned(connection, run_id, planned)
        await runs.mark_running(connection, run_id)
        return await pairs.list_open_pairs(connection, run_id)
