"""Finished measurements: what each model came to in a completed run, newest first or side by side.

A run that judges stored answers again measures no model anew: it is neither the newest one nor history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

from shared.db.pool import Connection
from shared.domain.runs import RunId, RunKind


@dataclass(frozen=True, slots=True)
class Measurement:
    """One model in one category of a completed run, or in "all". None: not measured, or not known."""

    run_id: RunId
    kind: RunKind
    finished_at: datetime
    suite: str
    suite_version: int
    judge: str | None
    judge_version: int | None
    prompt: str | None
    prompt_version: int | None
    model: str
    category: str
    planned: int
    answered: int
    scored: int
    coverage: float
    questions: int
    accuracy: float | None
    accuracy_lower: float | None
    accuracy_upper: float | None
    interval_method: str | None
    detectable_difference: float | None
    pass_rate: float | None
    latency_mean_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    cost_usd: Decimal | None
    judge_cost_usd: Decimal | None
    errors: Mapping[str, int]
    git_commit: str | None
    labels: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "Measurement":
        return cls(**{**row, "kind": RunKind(row["kind"])})


_COLUMNS = ", ".join(field.name for field in fields(Measurement))


async def find_newest_suite(connection: Connection) -> str | None:
    """The suite of the newest completed run; None when no run was completed yet."""
    name: str | None = await connection.fetchval(
        """
        SELECT s.name FROM runs r
        JOIN suite_versions v ON v.id = r.suite_version_id JOIN suites s ON s.id = v.suite_id
        WHERE r.state = 'completed' ORDER BY r.finished_at DESC, r.id DESC LIMIT 1
        """
    )
    return name


async def read_newest(connection: Connection, suite: str, category: str) -> list[Measurement]:
    """Each model's newest measurement on a suite, whichever version of it, in order of model."""
    rows = await connection.fetch(
        f"""
        SELECT newest.* FROM (
            SELECT DISTINCT unnest(r.models) AS model FROM runs r
            JOIN suite_versions v ON v.id = r.suite_version_id JOIN suites s ON s.id = v.suite_id
            WHERE r.state = 'completed' AND s.name = $1
        ) measured
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM model_history h
            WHERE h.model = measured.model AND h.suite = $1 AND h.category = $2 AND h.kind <> 'rerun'
            ORDER BY h.finished_at DESC, h.run_id DESC LIMIT 1
        ) newest
        ORDER BY newest.model
        """,
        suite,
        category,
    )
    return [Measurement.from_row(row) for row in rows]


async def read_latencies(connection: Connection, models: Sequence[str]) -> dict[str, float]:
    """Seconds that an answer took in each model's newest measurement, on average; none: no entry."""
    rows = await connection.fetch(
        """
        SELECT newest.model, newest.latency_mean_seconds
        FROM unnest($1::text[]) AS wanted (model)
        CROSS JOIN LATERAL (
            SELECT h.model, h.latency_mean_seconds FROM model_history h
            WHERE h.model = wanted.model AND h.category = 'all' AND h.kind <> 'rerun'
              AND h.latency_mean_seconds IS NOT NULL
            ORDER BY h.finished_at DESC LIMIT 1
        ) newest
        """,
        models,
    )
    return {row["model"]: row["latency_mean_seconds"] for row in rows}


async def read_judge_latency(connection: Connection, verdicts: int = 200) -> float | None:
    """Seconds that a verdict took in the newest judged run, on average over some of them."""
    seconds: float | None = await connection.fetchval(
        """
        SELECT avg(judge_latency_seconds) FROM (
            SELECT p.judge_latency_seconds FROM pairs p
            WHERE p.run_id = (SELECT id FROM runs WHERE judge_id IS NOT NULL AND state = 'completed'
                              ORDER BY finished_at DESC, id DESC LIMIT 1)
              AND p.judge_latency_seconds IS NOT NULL
            LIMIT $1
        ) verdicts
        """,
        verdicts,
    )
    return seconds


async def read_run(connection: Connection, run_id: RunId, category: str) -> list[Measurement]:
    """What each model of a completed run came to, in order of model."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM model_history WHERE run_id = $1 AND category = $2 ORDER BY model",
        run_id,
        category,
    )
    return [Measurement.from_row(row) for row in rows]


async def read_categories(connection: Connection, measured: Sequence[tuple[RunId, str]]) -> list[Measurement]:
    """What each model came to in each category of its run, in order of model and category."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM model_history
        WHERE (run_id, model) IN (SELECT * FROM unnest($1::uuid[], $2::text[])) AND category <> 'all'
        ORDER BY model, category
        """,
        [run_id for run_id, _ in measured],
        [model for _, model in measured],
    )
    return [Measurement.from_row(row) for row in rows]


async def list_history(
    connection: Connection,
    model: str,
    *,
    suite: str | None = None,
    category: str = "all",
    before: tuple[datetime, RunId] | None = None,
    limit: int = 50,
) -> list[Measurement]:
    """List a model's measurements, newest first, from just after the place `before` on."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM model_history
        WHERE model = $1 AND category = $2 AND kind <> 'rerun' AND ($3::text IS NULL OR suite = $3)
          AND ($4::timestamptz IS NULL OR (finished_at, run_id) < ($4, $5))
        ORDER BY finished_at DESC, run_id DESC LIMIT $6
        """,
        model, category, suite, *(before or (None, None)), limit,
    )  # fmt: skip
    return [Measurement.from_row(row) for row in rows]
