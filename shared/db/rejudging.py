"""Runs whose stored answers another judge scores again: their pairs, and the nights that await them."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.pairs import PLAN_SECONDS
from shared.db.pool import Connection
from shared.domain.errors import ErrorKind
from shared.domain.questions.suites import Scorer
from shared.domain.runs import RunId

UNMEASURABLE = (ErrorKind.CONTENT_FILTER, ErrorKind.TRUNCATED, ErrorKind.EMPTY)


async def copy_pairs(connection: Connection, run_id: RunId, source: RunId) -> int:
    """Give a run the pairs of a completed one, as far as they are not there; return how many it has in all.

    What the judge graded, or should have, is *answered*: only the judge is called. What no judge is asked
    about (deterministic scores, cut-off or empty answers, no answer at all) is copied as it is.

    Answer, usage, timing and identity are copied with the answer's cost, for they are facts about the answer.
    They were paid for in the source: a run that rejudges has spent what its judge costs, and nothing else.
    """
    questions = await connection.fetch(
        "SELECT q.id, q.scorer FROM questions q JOIN runs r ON r.suite_version_id = q.suite_version_id"
        " WHERE r.id = $1",
        source,
    )
    judged = [row["id"] for row in questions if Scorer.from_json(row["scorer"]).asks_the_judge]
    await connection.execute(
        """
        INSERT INTO pairs (run_id, model, question_id, repeat, state, attempts, response, finish_reason,
                           served_model, system_fingerprint, request_id, latency_seconds, input_tokens,
                           output_tokens, cost_usd, refused, answered_at,
                           score, passed, reason, error_kind, error_detail, format_failed, closed_at)
        SELECT $1, p.model, p.question_id, p.repeat, CASE WHEN again THEN 'answered' ELSE p.state END,
               p.attempts, p.response, p.finish_reason,
               p.served_model, p.system_fingerprint, p.request_id, p.latency_seconds, p.input_tokens,
               p.output_tokens, p.cost_usd, p.refused, p.answered_at,
               CASE WHEN NOT again THEN p.score END, CASE WHEN NOT again THEN p.passed END,
               CASE WHEN NOT again THEN p.reason END, CASE WHEN NOT again THEN p.error_kind END,
               CASE WHEN NOT again THEN p.error_detail END, CASE WHEN NOT again THEN p.format_failed END,
               CASE WHEN NOT again THEN now() END
        FROM pairs p,
             LATERAL (SELECT p.question_id = ANY ($3) AND p.response IS NOT NULL
                             AND coalesce(p.error_kind <> ALL ($4), true)) AS judged (again)
        WHERE p.run_id = $2
        ON CONFLICT DO NOTHING
        """,
        run_id,
        source,
        judged,
        UNMEASURABLE,
        timeout=PLAN_SECONDS,
    )
    return int(await connection.fetchval("SELECT count(*) FROM pairs WHERE run_id = $1", run_id))


@dataclass(frozen=True, slots=True)
class Entry:
    """A run of a schedule, and the run of this judge over its answers, if there is one already."""

    run_id: RunId
    rerun_id: RunId | None


async def list_unscored_by(
    connection: Connection, schedule_id: int, judge_id: int, nights: int
) -> Sequence[Entry]:
    """The completed runs of a schedule's last nights that do not count as scored by this judge, oldest first.

    With each goes the open run, if any, in which the judge is scoring it.
    """
    rows = await connection.fetch(
        """
        SELECT e.run_id,
               (SELECT a.id FROM runs a WHERE a.rejudges = e.run_id AND a.judge_id = $2
                  AND a.finished_at IS NULL AND a.stop_reason IS NULL
                ORDER BY a.created_at DESC, a.id DESC LIMIT 1) AS rerun_id
        FROM sequence_entries e
        JOIN runs scored ON scored.id = e.scored_by_run
        WHERE e.schedule_id = $1 AND scored.judge_id IS NOT NULL AND scored.judge_id <> $2
          AND e.run_id IN (SELECT id FROM runs WHERE schedule_id = $1)
          AND e.night IN (SELECT night FROM nights WHERE schedule_id = $1 AND state = 'ran'
                          ORDER BY night DESC LIMIT $3)
        ORDER BY e.sequence
        """,
        schedule_id,
        judge_id,
        nights,
    )
    return [Entry(row["run_id"], row["rerun_id"]) for row in rows]
