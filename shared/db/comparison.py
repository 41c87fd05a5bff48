"""What two runs are compared by: the units of their suites, each model's scores on them, who graded them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.pool import Connection
from shared.domain.questions.suites import Scorer
from shared.domain.runs import RunId

SHOWN_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Unit:
    """A question as one suite version holds it. `number` is its number there."""

    number: int
    key: str
    category: str
    cluster: str | None
    asks_judge: bool


async def read_units(connection: Connection, suite_version_id: int) -> dict[str, Unit]:
    """A version's questions by unit identity; of equal questions, the first."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (unit) unit, id, key, category, cluster, scorer FROM questions"
        " WHERE suite_version_id = $1 ORDER BY unit, position",
        suite_version_id,
    )
    return {
        unit: Unit(number, key, category, cluster, Scorer.from_json(scorer).asks_the_judge)
        for unit, number, key, category, cluster, scorer in rows
    }


async def read_scores(
    connection: Connection, run_id: RunId, models: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The mean score of each model on each unit; what was not measured is left out."""
    rows = await connection.fetch(
        "SELECT model, unit, avg(score) FROM question_scores"
        " WHERE run_id = $1 AND model = ANY ($2) AND score IS NOT NULL GROUP BY model, unit ORDER BY unit",
        run_id,
        models,
    )
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for model, unit, score in rows:
        scores[model][unit] = score
    return scores


async def read_evaluators(connection: Connection, run_id: RunId, models: Sequence[str]) -> dict[str, str]:
    """Who graded each unit, as an imported run tells it; units of which it tells nobody are left out."""
    rows = await connection.fetch(
        """
        SELECT q.unit, string_agg(DISTINCT p.judge_served_model, ', ')
        FROM pairs p JOIN questions q ON q.id = p.question_id
        WHERE p.run_id = $1 AND p.model = ANY ($2)
          AND p.score IS NOT NULL AND p.judge_served_model IS NOT NULL
        GROUP BY q.unit
        """,
        run_id,
        models,
    )
    return dict(tuple(row) for row in rows)


async def read_answers(
    connection: Connection, run_id: RunId, asked: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """The beginning of the first scored answer of each (model, question's number) that has one."""
    rows = await connection.fetch(
        f"""
        SELECT DISTINCT ON (p.model, p.question_id)
               p.model, p.question_id, left(p.response, {SHOWN_CHARACTERS})
        FROM unnest($2::text[], $3::bigint[]) AS asked (model, question_id)
        JOIN pairs p ON p.run_id = $1 AND p.model = asked.model AND p.question_id = asked.question_id
        WHERE p.score IS NOT NULL AND p.response IS NOT NULL
        ORDER BY p.model, p.question_id, p.repeat
        """,
        run_id,
        [model for model, _ in asked],
        [number for _, number in asked],
    )
    return {(model, number): response for model, number, response in rows}


async def read_questions_asked(
    connection: Connection, run_id: RunId, keys: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Input and target of questions of a run's suite, by their ids."""
    rows = await connection.fetch(
        """
        SELECT q.key, q.input, q.target
        FROM runs r JOIN questions q ON q.suite_version_id = r.suite_version_id
        WHERE r.id = $1 AND q.key = ANY ($2)
        """,
        run_id,
        keys,
    )
    return {key: (text, target) for key, text, target in rows}
