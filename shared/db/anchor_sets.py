"""Sets of anchors: answers frozen with the judge's score, and what people say they are worth.

A suite's newest set is the active one.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.db.pool import Connection
from shared.domain.answers.agreement import Rated
from shared.domain.answers.anchors import Choice, Graded, Stratum
from shared.domain.runs import PairKey, RunId


@dataclass(frozen=True, slots=True)
class AnchorSet:
    """A set of anchors. `borderline_share` is the share of borderline ones among all the suite's answers."""

    id: int
    suite: str
    borderline_share: float
    created_at: datetime
    by: str
    borderline: int
    clear: int
    labelled: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor as people read it. `label` is what a person says it is worth, None: nobody said."""

    id: int
    set_id: int
    stratum: Stratum
    question: str
    category: str
    input: str
    target: str
    model: str
    run_id: RunId
    response: str
    score: float
    label: float | None
    labelled_by: str | None


async def read_graded(connection: Connection, suite: str, newest_runs: int) -> list[Graded]:
    """What one judge has scored in a suite's newest completed runs, oldest first; none: nothing is judged.

    The judge is that of the newest such run: another one's scores are no sign of how much it wavers.
    """
    rows = await connection.fetch(
        """
        WITH judged AS (
            SELECT r.id, r.judge_id, r.finished_at
            FROM runs r JOIN suite_versions v ON v.id = r.suite_version_id JOIN suites s ON s.id = v.suite_id
            WHERE s.name = $1 AND r.state = 'completed' AND r.judge_id IS NOT NULL
        ), newest AS (
            SELECT id, finished_at FROM judged
            WHERE judge_id = (SELECT judge_id FROM judged ORDER BY finished_at DESC, id DESC LIMIT 1)
            ORDER BY finished_at DESC, id DESC LIMIT $2
        )
        SELECT p.run_id, p.model, p.question_id, p.repeat, q.unit, q.category,
               md5(p.response) AS answer, p.score
        FROM newest n
        JOIN pairs p ON p.run_id = n.id
        JOIN questions q ON q.id = p.question_id
        WHERE p.state = 'scored' AND p.judge_latency_seconds IS NOT NULL AND p.response IS NOT NULL
        ORDER BY n.finished_at, n.id, p.model, p.question_id, p.repeat
        """,
        suite,
        newest_runs,
    )
    return [
        Graded(
            PairKey(RunId(row["run_id"]), row["model"], row["question_id"], row["repeat"]),
            row["unit"], row["category"], row["answer"], row["score"],
        )
        for row in rows
    ]  # fmt: skip


async def store_set(connection: Connection, suite: str, choice: Choice, by: str) -> AnchorSet:
    """Freeze the chosen answers as the suite's new set. Call it inside a transaction."""
    set_id: int = await connection.fetchval(
        "INSERT INTO anchor_sets (suite_id, borderline_share, by)"
        " SELECT id, $2, $3 FROM suites WHERE name = $1 RETURNING id",
        suite,
        choice.borderline_share,
        by,
    )
    keys = [each.graded.key for each in choice.anchors]
    await connection.execute(
        """
        INSERT INTO anchors (set_id, question_id, response, stratum, run_id, model, score)
        SELECT $1, p.question_id, p.response, c.stratum, p.run_id, p.model, p.score
        FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::int[], $6::text[])
             WITH ORDINALITY AS c (run_id, model, question_id, repeat, stratum, place)
        JOIN pairs p USING (run_id, model, question_id, repeat)
        ORDER BY c.place
        """,
        set_id,
        [key.run_id for key in keys],
        [key.model for key in keys],
        [key.question_id for key in keys],
        [key.repeat for key in keys],
        [each.stratum for each in choice.anchors],
    )
    stored = await find_active_set(connection, suite)
    assert stored is not None
    return stored


_SET = """
    SELECT a.id, s.name AS suite, a.borderline_share, a.created_at, a.by,
           (SELECT count(*) FROM anchors WHERE set_id = a.id AND stratum = 'borderline') AS borderline,
           (SELECT count(*) FROM anchors WHERE set_id = a.id AND stratum = 'clear') AS clear,
           (SELECT count(label) FROM anchors WHERE set_id = a.id) AS labelled
    FROM anchor_sets a JOIN suites s ON s.id = a.suite_id
"""


async def find_active_set(connection: Connection, suite: str) -> AnchorSet | None:
    """Find a suite's newest set."""
    row = await connection.fetchrow(_SET + "WHERE s.name = $1 ORDER BY a.id DESC LIMIT 1", suite)
    return AnchorSet(**row) if row else None


async def list_active_sets(connection: Connection, *, limit: int = 50) -> list[AnchorSet]:
    """The newest set of each suite that has one, by the suite's name."""
    rows = await connection.fetch(
        _SET + "WHERE a.id IN (SELECT max(id) FROM anchor_sets GROUP BY suite_id) ORDER BY s.name LIMIT $1",
        limit,
    )
    return [AnchorSet(**row) for row in rows]


_ANCHOR = """
    SELECT a.id, a.set_id, a.stratum, q.key AS question, q.category, q.input, q.target, a.model, a.run_id,
           a.response, a.score, a.label, a.labelled_by
    FROM anchors a JOIN questions q ON q.id = a.question_id
"""


async def list_anchors(
    connection: Connection, set_id: int, *, after: int | None = None, limit: int = 50
) -> list[Anchor]:
    """List a set's anchors, the borderline ones first, from just after the anchor `after` on."""
    rows = await connection.fetch(
        _ANCHOR + "WHERE a.set_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $3", set_id, after or 0, limit
    )
    return [Anchor(**{**row, "stratum": Stratum(row["stratum"])}) for row in rows]


async def find_anchor(connection: Connection, anchor_id: int) -> Anchor | None:
    row = await connection.fetchrow(_ANCHOR + "WHERE a.id = $1", anchor_id)
    return Anchor(**{**row, "stratum": Stratum(row["stratum"])}) if row else None


async def find_unlabelled(connection: Connection, set_id: int, after: int) -> Anchor | None:
    """The next anchor of a set that nobody has labelled: from just after `after` on, then from the first."""
    row = await connection.fetchrow(
        _ANCHOR + "WHERE a.set_id = $1 AND a.label IS NULL ORDER BY a.id <= $2, a.id LIMIT 1",
        set_id,
        after,
    )
    return Anchor(**{**row, "stratum": Stratum(row["stratum"])}) if row else None


async def label_anchor(connection: Connection, anchor_id: int, label: float, by: str) -> Anchor | None:
    """Write down what a person says an anchor is worth; None when there is no such anchor."""
    await connection.execute(
        "UPDATE anchors SET label = $2, labelled_by = $3 WHERE id = $1", anchor_id, label, by
    )
    return await find_anchor(connection, anchor_id)


async def read_rated(connection: Connection, set_id: int) -> list[tuple[Stratum, Rated]]:
    """The labelled anchors of a set, with the judge's newest score of each: a night's mean over repeats, or,
    before the first night, the score with which it was frozen.
    """
    rows = await connection.fetch(
        """
        SELECT a.stratum, coalesce(newest.score, a.score) AS score, a.label
        FROM anchors a
        LEFT JOIN LATERAL (
            SELECT avg(g.score) AS score
            FROM anchor_judgements g JOIN runs r ON r.id = g.run_id
            WHERE g.anchor_id = a.id AND g.score IS NOT NULL
            GROUP BY r.id ORDER BY r.created_at DESC, r.id DESC LIMIT 1
        ) newest ON true
        WHERE a.set_id = $1 AND a.label IS NOT NULL
        """,
        set_id,
    )
    return [(Stratum(row["stratum"]), Rated(row["score"], row["label"])) for row in rows]
