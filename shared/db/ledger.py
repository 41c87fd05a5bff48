"""The terms on which runs were measured, as the ledger compares them."""

from collections.abc import Mapping, Sequence

from shared.db.pool import Connection
from shared.domain.causes.ledger import JudgeTerms, QuestionTerms, Terms
from shared.domain.runs import RunId


async def read_terms(connection: Connection, run_ids: Sequence[RunId]) -> dict[RunId, Terms]:
    """Read the terms of runs in two queries; runs of one suite version share its questions.

    A run that judges stored answers again has its own judge; the rest are the terms on which the answers were
    given. Of imported runs, what a provider was asked with is not known.
    """
    rows = await connection.fetch(
        """
        SELECT r.id, s.name AS suite, v.version AS suite_version, v.id AS suite_version_id, v.asks_judge,
               j.name AS judge, j.version AS judge_version, j.content_hash AS judge_hash,
               a.kind = 'imported' AS is_imported, a.parameters, a.repeats, a.sample, a.client_versions,
               a.git_commit, a.labels, p.name AS prompt, p.version AS prompt_version
        FROM runs r
        JOIN runs a ON a.id = coalesce(r.rejudges, r.id)
        JOIN suite_versions v ON v.id = r.suite_version_id
        JOIN suites s ON s.id = v.suite_id
        LEFT JOIN judges j ON j.id = r.judge_id
        LEFT JOIN prompts p ON p.id = a.prompt_id
        WHERE r.id = ANY ($1)
        """,
        run_ids,
    )
    questions = await _read_questions(connection, sorted({row["suite_version_id"] for row in rows}))
    return {
        row["id"]: Terms(
            suite=row["suite"],
            suite_version=row["suite_version"],
            questions=questions[row["suite_version_id"]],
            asks_judge=row["asks_judge"],
            judge=JudgeTerms(row["judge"], row["judge_version"], row["judge_hash"]) if row["judge"] else None,
            parameters=None if row["is_imported"] else row["parameters"],
            prompt=f"{row['prompt']} v{row['prompt_version']}" if row["prompt"] else None,
            repeats=row["repeats"],
            sample=row["sample"],
            client_versions=row["client_versions"],
            git_commit=row["git_commit"],
            labels=row["labels"],
            is_imported=row["is_imported"],
        )
        for row in rows
    }


async def _read_questions(
    connection: Connection, suite_version_ids: Sequence[int]
) -> Mapping[int, Mapping[str, QuestionTerms]]:
    """The questions of suite versions; of texts, their hashes. What imported results left out is None."""
    rows = await connection.fetch(
        """
        SELECT q.suite_version_id, q.key, q.unit, q.category, q.cluster,
               CASE WHEN q.input <> '' THEN encode(sha256(convert_to(q.input, 'UTF8')), 'hex') END,
               CASE WHEN q.target <> '' THEN encode(sha256(convert_to(q.target, 'UTF8')), 'hex') END,
               CASE WHEN NOT v.is_imported THEN q.scorer END
        FROM questions q JOIN suite_versions v ON v.id = q.suite_version_id
        WHERE q.suite_version_id = ANY ($1)
        ORDER BY q.suite_version_id, q.position
        """,
        suite_version_ids,
    )
    questions: dict[int, dict[str, QuestionTerms]] = {number: {} for number in suite_version_ids}
    for version, key, *terms in rows:
        questions[version][key] = QuestionTerms(*terms)
    return questions
