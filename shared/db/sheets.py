"""Models' scores by question, of several runs at once, for comparing the models with one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.db.comparison import Unit, read_evaluators
from shared.db.pool import Connection
from shared.domain.figures.ranking import Sheet
from shared.domain.questions.suites import Scorer
from shared.domain.runs import RunId, RunKind

# By the primary key of pairs, model by model: a run may hold many models that are not asked for.
SCORES = """
    SELECT w.run_id, w.model, s.numbers, s.scores, r.kind, j.name || ' v' || j.version AS judge
    FROM unnest($1::uuid[], $2::text[]) AS w (run_id, model)
    JOIN runs r ON r.id = w.run_id
    LEFT JOIN judges j ON j.id = r.judge_id
    CROSS JOIN LATERAL (
        SELECT array_agg(question_id) AS numbers, array_agg(score) AS scores FROM question_scores q
        WHERE q.run_id = w.run_id AND q.model = w.model AND q.score IS NOT NULL
    ) s
"""


@dataclass(frozen=True, slots=True)
class Sheets:
    """One sheet for each model, and every unit that is on one."""

    by_model: Mapping[str, Sheet]
    units: Mapping[str, Unit]

    @property
    def clusters(self) -> dict[str, str | None]:
        return {name: unit.cluster for name, unit in self.units.items()}

    def of_category(self, category: str) -> dict[str, Sheet]:
        kept = {name for name, unit in self.units.items() if unit.category == category}
        return {
            model: Sheet({unit: score for unit, score in sheet.scores.items() if unit in kept}, sheet.graders)
            for model, sheet in self.by_model.items()
        }


async def read_sheets(connection: Connection, measured: Sequence[tuple[RunId, str]]) -> Sheets:
    """Read each model's mean scores in a finished run; a model without a score has an empty sheet.

    A judged question has its judge as grader, one of an imported run whoever its rows name.
    """
    rows = await connection.fetch(
        SCORES,
        [run_id for run_id, _ in measured],
        [model for _, model in measured],
    )
    questions = await _read_questions(connection, {number for row in rows for number in row["numbers"] or ()})
    by_model = {}
    for row in rows:
        evaluators: Mapping[str, str] | None = None
        if row["kind"] == RunKind.IMPORTED:
            evaluators = await read_evaluators(connection, row["run_id"], [row["model"]])
        scored = zip(row["numbers"] or (), row["scores"] or (), strict=True)
        answered = [(*questions[number], score) for number, score in scored]
        by_model[row["model"]] = _fill(answered, row["judge"], evaluators)
    return Sheets(by_model, dict(questions.values()))


async def _read_questions(connection: Connection, numbers: set[int]) -> dict[int, tuple[str, Unit]]:
    rows = await connection.fetch(
        "SELECT unit, id, key, category, cluster, scorer FROM questions WHERE id = ANY ($1) ORDER BY id",
        numbers,
    )
    return {
        number: (unit, Unit(number, key, category, cluster, Scorer.from_json(scorer).asks_the_judge))
        for unit, number, key, category, cluster, scorer in rows
    }


def _fill(
    answered: Sequence[tuple[str, Unit, float]], judge: str | None, evaluators: Mapping[str, str] | None
) -> Sheet:
    totals: dict[str, tuple[float, int]] = {}
    graders: dict[str, str | None] = {}
    for name, unit, score in answered:
        total, count = totals.get(name, (0.0, 0))
        totals[name] = total + score, count + 1
        if evaluators is not None:
            graders[name] = evaluators.get(name)
        elif unit.asks_judge:
            graders[name] = judge
    return Sheet({name: total / count for name, (total, count) in totals.items()}, graders)
