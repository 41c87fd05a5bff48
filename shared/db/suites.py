"""Suites, their versions and their questions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.db.pool import Connection
from shared.domain.questions.suites import Question, Scorer, SuiteContent


@dataclass(frozen=True, slots=True)
class SuiteVersion:
    """One version. An imported one is made of what imported results told of their questions: where they did
    not tell input and target of all, it is not runnable.
    """

    id: int
    name: str
    version: int
    content_hash: str
    questions: int
    asks_judge: bool
    is_runnable: bool
    is_imported: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """A question and the number under which this suite version stores it; numbers rise in suite order."""

    number: int
    question: Question


_VERSION = """
    SELECT v.id, s.name, v.version, v.content_hash, v.questions, v.asks_judge, v.is_runnable, v.is_imported,
           v.created_at
    FROM suite_versions v JOIN suites s ON s.id = v.suite_id
"""
_QUESTION = "SELECT id, position, key, category, input, target, scorer, cluster FROM questions "


async def store_suite(
    connection: Connection, name: str, content: SuiteContent, *, is_imported: bool = False
) -> tuple[SuiteVersion, bool]:
    """Store a suite; the flag tells whether a new version was made: the newest one's content makes none.

    The row lock on the suite lets one importer at a time number its version.
    """
    # Hashing a hundred thousand questions takes seconds: other work goes on meanwhile.
    content_hash, rows = await asyncio.to_thread(lambda: (content.content_hash, _as_rows(content)))
    suite_id = await connection.fetchval(
        "INSERT INTO suites (name) VALUES ($1)"
        " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name,
    )
    newest = await find_suite(connection, name)
    if newest is not None and newest.content_hash == content_hash:
        return newest, False
    version_id = await connection.fetchval(
        "INSERT INTO suite_versions"
        " (suite_id, version, content_hash, questions, asks_judge, is_runnable, is_imported)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        suite_id,
        newest.version + 1 if newest else 1,
        content_hash,
        len(content.questions),
        any(question.scorer.asks_the_judge for question in content.questions),
        all(question.input.strip() and question.target.strip() for question in content.questions),
        is_imported,
    )
    await connection.copy_records_to_table(
        "questions",
        columns=[
            "suite_version_id", "key", "position", "category", "input", "target", "scorer", "cluster", "unit",
        ],
        records=_taking_turns(version_id, rows),
    )  # fmt: skip
    stored = await find_suite(connection, name)
    assert stored is not None
    return stored, True


async def _taking_turns(
    version_id: int, rows: Sequence[tuple[object, ...]]
) -> AsyncIterator[tuple[object, ...]]:
    """The rows to copy, with a breath now and then in which other requests are served."""
    for number, row in enumerate(rows):
        if number % 200 == 0:
            await asyncio.sleep(0)
        yield version_id, *row


def _as_rows(content: SuiteContent) -> list[tuple[object, ...]]:
    return [
        (q.id, position, q.category, q.input, q.target, q.scorer.as_json(), q.cluster, q.unit)
        for position, q in enumerate(content.questions, start=1)
    ]


async def find_suite(connection: Connection, name: str, version: int | None = None) -> SuiteVersion | None:
    """Find one version of a suite, the newest one unless a version is given."""
    row = await connection.fetchrow(
        _VERSION
        + "WHERE s.name = $1 AND ($2::int IS NULL OR v.version = $2) ORDER BY v.version DESC LIMIT 1",
        name,
        version,
    )
    return SuiteVersion(**row) if row else None


async def list_suites(
    connection: Connection, *, after: str | None = None, limit: int = 500
) -> list[SuiteVersion]:
    """List the newest version of every suite, by name, from just after the name `after` on."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (name) * FROM ("
        + _VERSION
        + "WHERE $1::text IS NULL OR s.name > $1) versions ORDER BY name, version DESC LIMIT $2",
        after,
        limit,
    )
    return [SuiteVersion(**row) for row in rows]


async def list_versions(connection: Connection, name: str) -> list[SuiteVersion]:
    rows = await connection.fetch(_VERSION + "WHERE s.name = $1 ORDER BY v.version DESC", name)
    return [SuiteVersion(**row) for row in rows]


async def read_questions(connection: Connection, suite_version_id: int) -> list[StoredQuestion]:
    """Read a version's questions in suite order."""
    rows = await connection.fetch(
        _QUESTION + "WHERE suite_version_id = $1 ORDER BY position", suite_version_id
    )
    return [StoredQuestion(row["id"], _as_question(row)) for row in rows]


async def list_questions(
    connection: Connection,
    suite_version_id: int,
    *,
    category: str | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[tuple[int, Question]]:
    """List a version's questions with their positions, from just after the position `after` on."""
    rows = await connection.fetch(
        _QUESTION + "WHERE suite_version_id = $1 AND position > $2 AND ($3::text IS NULL OR category = $3)"
        " ORDER BY position LIMIT $4",
        suite_version_id,
        after,
        category,
        limit,
    )
    return [(row["position"], _as_question(row)) for row in rows]


def _as_question(row: asyncpg.Record) -> Question:
    return Question(
        row["key"], row["category"], row["input"], row["target"],
        Scorer.from_json(row["scorer"]), row["cluster"],
    )  # fmt: skip


async def count_by_category(connection: Connection, suite_version_id: int) -> Sequence[tuple[str, int]]:
    rows = await connection.fetch(
        "SELECT category, count(*) AS questions FROM questions WHERE suite_version_id = $1"
        " GROUP BY category ORDER BY category",
        suite_version_id,
    )
    return [(row["category"], row["questions"]) for row in rows]


async def count_categories(connection: Connection, suite_version_ids: Sequence[int]) -> dict[int, int]:
    """How many categories each of these versions has."""
    rows = await connection.fetch(
        "SELECT suite_version_id, count(DISTINCT category) AS categories FROM questions"
        " WHERE suite_version_id = ANY ($1) GROUP BY suite_version_id",
        suite_version_ids,
    )
    return {row["suite_version_id"]: row["categories"] for row in rows}
