"""What the completed runs of a period came to, added up from their aggregates; no pair is read.

Answers count once: runs that only judge them again are left out.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import asyncpg

from shared.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over completed runs. `items` counts pairs; scores are means over questions, None: not measured.

    `latency_mean_seconds` is the mean over answers; `latency_p95_seconds` the highest that any model had in
    any run, for percentiles can't be added up.
    """

    runs: int
    items: int
    questions: int
    average_score: float | None
    perfect: int
    partial: int
    failed: int
    unscored: int
    latency_mean_seconds: float | None
    latency_p95_seconds: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of a period, and the same sum by model, by suite, and by hour or day (its start, UTC)."""

    overall: Total
    by_model: dict[str, Total]
    by_suite: dict[str, Total]
    by_time: dict[datetime, Total]


async def read_totals(connection: Connection, since: datetime | None, bucket: str) -> Totals:
    """Add up the completed runs that finished at `since` or later; None: all. `bucket`: "hour" or "day"."""
    rows = await connection.fetch(
        """
        SELECT model, suite, bucket, grouping(model, suite, bucket) AS left_out,
               count(DISTINCT run_id)::int AS runs,
               coalesce(sum(planned), 0)::bigint AS items,
               coalesce(sum(questions), 0)::bigint AS questions,
               sum(accuracy * questions) / nullif(sum(questions), 0) AS average_score,
               coalesce(sum(perfect), 0)::bigint AS perfect,
               coalesce(sum(partial), 0)::bigint AS partial,
               coalesce(sum(failed), 0)::bigint AS failed,
               coalesce(sum(unscored), 0)::bigint AS unscored,
               sum(latency_mean_seconds * answered)
                   / nullif(sum(answered) FILTER (WHERE latency_mean_seconds IS NOT NULL), 0)
                   AS latency_mean_seconds,
               max(latency_p95_seconds) AS latency_p95_seconds
        FROM (
            SELECT h.*, date_trunc($2, h.finished_at, 'UTC') AS bucket FROM model_history h
            WHERE h.category = 'all' AND h.kind <> 'rerun'
              AND ($1::timestamptz IS NULL OR h.finished_at >= $1)
        ) measured
        GROUP BY GROUPING SETS ((), (model), (suite), (bucket))
        """,
        since,
        bucket,
    )

    def grouped(by: str, left_out: int) -> dict[Any, Total]:
        return {row[by]: _as_total(row) for row in rows if row["left_out"] == left_out}

    return Totals(
        overall=grouped("model", 0b111)[None],
        by_model=grouped("model", 0b011),
        by_suite=grouped("suite", 0b101),
        by_time=grouped("bucket", 0b110),
    )


def _as_total(row: asyncpg.Record) -> Total:
    return Total(**{field.name: row[field.name] for field in fields(Total)})
