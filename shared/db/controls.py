"""The answers of controls, for comparing them byte for byte from entry to entry."""

from collections.abc import Sequence

from shared.db.pool import Connection
from shared.domain.causes.controls import ControlAnswer, ControlFinding, compare_control
from shared.domain.runs import RunId


async def read_control_answers(
    connection: Connection, run_id: RunId, models: Sequence[str]
) -> dict[str, dict[str, ControlAnswer]]:
    """What these models answered in a run, by model and unit; a key for every model, whatever it answered.

    Repeats that agree have the digest of one of them, so that their number does not matter.
    """
    rows = await connection.fetch(
        """
        SELECT p.model, q.unit, q.key,
               string_agg(DISTINCT encode(sha256(convert_to(p.response, 'UTF8')), 'hex'), ' ') AS digest
        FROM pairs p JOIN questions q ON q.id = p.question_id
        WHERE p.run_id = $1 AND p.model = ANY ($2) AND p.response IS NOT NULL
        GROUP BY p.model, q.id ORDER BY q.id
        """,
        run_id,
        models,
    )
    answers: dict[str, dict[str, ControlAnswer]] = {model: {} for model in models}
    for row in rows:
        answers[row["model"]][row["unit"]] = ControlAnswer(row["key"], row["digest"])
    return answers


async def compare_controls(
    connection: Connection, before: RunId, tonight: RunId, models: Sequence[str]
) -> dict[str, ControlFinding]:
    """Compare the answers of the controls `models` in two entries; right only within one epoch."""
    old = await read_control_answers(connection, before, models)
    new = await read_control_answers(connection, tonight, models)
    return {model: compare_control(old[model], new[model]) for model in models}
