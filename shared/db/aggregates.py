"""What a finished run came to, per model and category: computed once from its pairs, then a fact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from shared.db.pool import Connection
from shared.domain.figures.aggregation import Aggregate, QuestionScore, aggregate
from shared.domain.runs import RunId


@dataclass(frozen=True, slots=True)
class RunAggregate:
    """One model on one category of a run; "all" is the whole suite. None: not measured, or not known."""

    run_id: RunId
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
    perfect: int
    partial: int
    failed: int
    unscored: int
    latency_mean_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    judge_cost_usd: Decimal | None
    errors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to on the whole suite, over its models. None: no model was measured.

    The interval is the model's where there is one, else None. `is_priced`: every answer's cost is known.
    """

    models: int
    measured: int
    planned: int
    scored: int
    lowest: float | None
    highest: float | None
    lower: float | None
    upper: float | None
    is_priced: bool


_COLUMNS = [field.name for field in fields(RunAggregate)]

# A cost is known only where every answer's is: a partial sum would pass for a cheap model.
_FACTS = """
    WITH counted AS (
        SELECT p.*, q.category FROM pairs p JOIN questions q ON q.id = p.question_id WHERE p.run_id = $1
    ), kinds AS (
        SELECT model, coalesce(category, 'all') AS category, error_kind, count(*) AS pairs
        FROM counted WHERE error_kind IS NOT NULL
        GROUP BY GROUPING SETS ((model, error_kind), (model, category, error_kind))
    )
    SELECT f.*, coalesce(e.errors, '{}') AS errors
    FROM (
        SELECT model, coalesce(category, 'all') AS category,
               count(*)::int AS planned,
               count(answered_at)::int AS answered,
               count(score)::int AS scored,
               count(score)::float / count(*) AS coverage,
               avg(passed::int)::float AS pass_rate,
               avg(latency_seconds) AS latency_mean_seconds,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_seconds) AS latency_p50_seconds,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_seconds) AS latency_p95_seconds,
               coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
               coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
               CASE WHEN count(answered_at) = count(cost_usd) THEN coalesce(sum(cost_usd), 0) END AS cost_usd,
               CASE WHEN count(judge_latency_seconds) = count(judge_cost_usd)
                    THEN coalesce(sum(judge_cost_usd), 0) END AS judge_cost_usd
        FROM counted GROUP BY GROUPING SETS ((model), (model, category))
    ) f
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(k.error_kind, k.pairs) AS errors
        FROM kinds k WHERE k.model = f.model AND k.category = f.category
    ) e ON true
"""


async def compute_aggregates(connection: Connection, run_id: RunId) -> list[RunAggregate]:
    """Add up a run's pairs: counts, times and costs in SQL, scores and their intervals in the domain."""
    rows = await connection.fetch(
        "SELECT model, category, score, repeats, cluster FROM question_scores WHERE run_id = $1", run_id
    )
    measured = {(each.model, each.category): each for each in aggregate(QuestionScore(*row) for row in rows)}
    return [
        RunAggregate(run_id=run_id, **_scores(measured[facts["model"], facts["category"]]), **facts)
        for facts in await connection.fetch(_FACTS, run_id)
    ]


def _scores(measured: Aggregate) -> dict[str, Any]:
    accuracy, counts = measured.accuracy, measured.distribution
    return {
        "questions": accuracy.n if accuracy else 0,
        "accuracy": accuracy.value if accuracy else None,
        "accuracy_lower": accuracy.lower if accuracy else None,
        "accuracy_upper": accuracy.upper if accuracy else None,
        "interval_method": accuracy.method if accuracy else None,
        "detectable_difference": measured.minimum_detectable_difference,
        "perfect": counts.perfect,
        "partial": counts.partial,
        "failed": counts.failed,
        "unscored": counts.unscored,
    }


async def store_aggregates(connection: Connection, aggregates: Sequence[RunAggregate]) -> None:
    await connection.copy_records_to_table(
        "run_aggregates",
        columns=_COLUMNS,
        records=[tuple(getattr(aggregate, name) for name in _COLUMNS) for aggregate in aggregates],
    )


async def read_aggregates(connection: Connection, run_id: RunId) -> list[RunAggregate]:
    """Read a finished run's aggregates, the whole suite first, then its categories, for each model."""
    rows = await connection.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM run_aggregates WHERE run_id = $1"
        " ORDER BY model, category <> 'all', category",
        run_id,
    )
    return [RunAggregate(**row) for row in rows]


async def read_results(connection: Connection, run_ids: Sequence[RunId]) -> dict[RunId, RunResult]:
    """What each of these runs came to; those that have no aggregates are left out."""
    rows = await connection.fetch(
        """
        SELECT r.id, count(*)::int AS models, count(a.accuracy)::int AS measured,
               sum(a.planned)::int AS planned, sum(a.scored)::int AS scored,
               min(a.accuracy) AS lowest, max(a.accuracy) AS highest,
               CASE WHEN count(*) = 1 THEN min(a.accuracy_lower) END AS lower,
               CASE WHEN count(*) = 1 THEN max(a.accuracy_upper) END AS upper,
               bool_and(a.answered = 0 OR a.cost_usd IS NOT NULL) AS is_priced
        FROM runs r CROSS JOIN LATERAL unnest(r.models) AS asked (model)
        JOIN run_aggregates a ON a.run_id = r.id AND a.model = asked.model AND a.category = 'all'
        WHERE r.id = ANY ($1) GROUP BY r.id
        """,
        run_ids,
    )
    return {RunId(run_id): RunResult(*rest) for run_id, *rest in rows}
