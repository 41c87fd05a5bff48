"""What the judge says of its anchors, run by run.

A run is judged on the set that was active when the run was created, so that a new set never changes what a
night has said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.db import runs
from shared.db.pool import Connection
from shared.domain.answers.anchors import Stratum
from shared.domain.answers.scoring import Outcome, Unscored, Verdict
from shared.domain.questions.suites import Question, Scorer
from shared.domain.runs import RunId


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A judgement that a run still owes: this answer to this question, for the `repeat`-th time."""

    anchor_id: int
    repeat: int
    question: Question
    response: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run's judge said of its anchors: mean scores over repeats, and strata, by the anchors' ids.

    An anchor without any score in this run is in `strata` alone.
    """

    set_id: int
    borderline_share: float
    scores: dict[int, float] = field(default_factory=dict)
    strata: dict[int, Stratum] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a run still wants judgements, and whether they may cost anything."""

    is_stopped: bool
    is_used_up: bool


# Those runs that owe judgements at all, each with the set that was active when it was created.
_OWING = """
    FROM runs r
    JOIN suite_versions v ON v.id = r.suite_version_id
    JOIN LATERAL (SELECT id FROM anchor_sets s WHERE s.suite_id = v.suite_id AND s.created_at <= r.created_at
                  ORDER BY s.id DESC LIMIT 1) active ON true
    JOIN anchors a ON a.set_id = active.id
    CROSS JOIN LATERAL generate_series(1, $1::int) AS wanted (repeat)
    WHERE r.kind IN ('nightly', 'confirmation') AND r.judge_id IS NOT NULL
      AND r.state IN ('planned', 'running', 'completed') AND r.stop_reason IS NULL
      AND NOT EXISTS (SELECT 1 FROM anchor_judgements g
                      WHERE g.run_id = r.id AND g.anchor_id = a.id AND g.repeat = wanted.repeat)
"""


async def are_judged(connection: Connection, run_id: RunId, *, repeats: int = 1) -> bool:
    """Whether a run has nothing left to say of its anchors; True for one that needs to say nothing.

    A judgement that failed for good counts as said.
    """
    return not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 " + _OWING + " AND r.id = $2)", repeats, run_id
    )


async def read_judgements(
    connection: Connection, run_ids: Sequence[RunId], *, repeats: int = 1
) -> dict[RunId, Judged]:
    """What the judge of each of these runs said of its anchors; runs without any judgement are left out.

    Only the first `repeats` count: one, which every night has, unless more are asked for, so that the repeats
    on an incident do not change what the fold makes of that night.
    """
    rows = await connection.fetch(
        """
        SELECT g.run_id, a.set_id, s.borderline_share, a.id, a.stratum, avg(g.score) AS score
        FROM anchor_judgements g JOIN anchors a ON a.id = g.anchor_id JOIN anchor_sets s ON s.id = a.set_id
        WHERE g.run_id = ANY ($1) AND g.repeat <= $2
        GROUP BY g.run_id, s.id, a.id ORDER BY g.run_id, a.id
        """,
        run_ids,
        repeats,
    )
    judged: dict[RunId, Judged] = {}
    for row in rows:
        of_run = judged.setdefault(row["run_id"], Judged(row["set_id"], row["borderline_share"]))
        of_run.strata[row["id"]] = Stratum(row["stratum"])
        if row["score"] is not None:
            of_run.scores[row["id"]] = row["score"]
    return judged


async def list_owing_runs(
    connection: Connection, created_since: datetime, created_until: datetime
) -> list[RunId]:
    """The planned runs created in between that still owe a first judgement of an anchor."""
    rows = await connection.fetch(
        "SELECT DISTINCT r.id " + _OWING + " AND r.state <> 'planned' AND r.created_at BETWEEN $2 AND $3",
        1,
        created_since,
        created_until,
    )
    return [row["id"] for row in rows]


async def list_unjudged(connection: Connection, run_id: RunId, repeats: int) -> list[Unjudged]:
    """The judgements that a run owes, all anchors' first repeat before any second one."""
    rows = await connection.fetch(
        """
        SELECT o.anchor_id, o.repeat, a.response, q.key, q.category, q.input, q.target, q.scorer, q.cluster
        FROM (SELECT a.id AS anchor_id, wanted.repeat """ + _OWING + """ AND r.id = $2) o
        JOIN anchors a ON a.id = o.anchor_id JOIN questions q ON q.id = a.question_id
        ORDER BY o.repeat, o.anchor_id
        """,
        repeats,
        run_id,
    )  # fmt: skip
    return [
        Unjudged(
            row["anchor_id"], row["repeat"],
            Question(
                row["key"], row["category"], row["input"], row["target"],
                Scorer.from_json(row["scorer"]), row["cluster"],
            ),
            row["response"],
        )
        for row in rows
    ]  # fmt: skip


async def read_allowance(connection: Connection, run_id: RunId) -> Allowance:
    """How a run stands. What was judged after its end is not in its bill, but counts here."""
    row = await connection.fetchrow(
        """
        SELECT r.stop_reason IS NOT NULL AS is_stopped,
               coalesce(r.spent_usd + (SELECT coalesce(sum(cost_usd), 0) FROM anchor_judgements
                                       WHERE run_id = r.id AND NOT is_booked) >= r.max_cost_usd, false)
               AS is_used_up
        FROM runs r WHERE r.id = $1
        """,
        run_id,
    )
    return Allowance(**row)


async def store_judgement(
    connection: Connection, run_id: RunId, owed: Unjudged, outcome: Outcome, cost_usd: Decimal | None
) -> bool:
    """Store what the judge said and book what it cost; True when that used up an open run's allowance.

    Said twice, the first one stands. A finished run's bill is final: what is judged after its end, such as
    the repeats on an incident, is stored with its cost, and not booked. Call it inside a transaction.
    """
    verdict = outcome if isinstance(outcome, Verdict) else None
    stored = await connection.fetchval(
        """
        INSERT INTO anchor_judgements (run_id, anchor_id, repeat, score, passed, reason, error_kind, cost_usd,
                                       is_booked)
        SELECT r.id, $2, $3, $4, $5, $6, $7, $8, r.finished_at IS NULL
        FROM runs r WHERE r.id = $1 FOR NO KEY UPDATE
        ON CONFLICT DO NOTHING RETURNING is_booked
        """,
        run_id, owed.anchor_id, owed.repeat,
        *((verdict.score, verdict.passed, verdict.reason) if verdict else (None, None, None)),
        outcome.kind if isinstance(outcome, Unscored) else None,
        cost_usd,
    )  # fmt: skip
    return bool(stored and cost_usd and await runs.add_spending(connection, run_id, cost_usd))
