"""Pairs: what was asked, answered and scored. Every write is guarded by the state that it leaves."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.db.pool import Connection
from shared.domain.answers.scoring import Outcome, Unscored, Verdict
from shared.domain.errors import ErrorKind
from shared.domain.questions.suites import Question, Scorer
from shared.domain.runs import Answer, PairKey, PairState, RunId

PLAN_SECONDS = 600.0  # a million rows take longer than other statements may


@dataclass(frozen=True, slots=True)
class PairStep:
    """One step of a pair from `before` to `after`, with what was learned on the way.

    `judgement` is the judge's own answer when one was asked; its cost is kept apart from the model's.
    `refused` and `format_failed` are facts about the model's answer; None where they are not known.
    """

    key: PairKey
    before: PairState
    after: PairState
    answer: Answer | None = None
    judgement: Answer | None = None
    outcome: Outcome | None = None
    refused: bool | None = None
    format_failed: bool | None = None

    @property
    def cost_usd(self) -> Decimal:
        """What this step adds to the run's bill; calls without a known price add nothing."""
        paid = (
            self.answer.cost_usd if self.answer else None,
            self.judgement.cost_usd if self.judgement else None,
        )
        return sum((cost for cost in paid if cost is not None), Decimal(0))

    @property
    def closes(self) -> bool:
        return self.after not in (PairState.PENDING, PairState.ANSWERED)


@dataclass(frozen=True, slots=True)
class OpenPair:
    """A pair as the evaluator finds it. `run_stops` is set when its run no longer wants new calls."""

    state: PairState
    attempts: int
    judge_attempts: int
    response: str | None
    finish_reason: str | None
    run_stops: str | None
    question: Question


async def plan_pairs(
    connection: Connection, run_id: RunId, models: Sequence[str], questions: Sequence[int], repeats: int
) -> int:
    """Insert every pair of a run that is not there yet; return how many the run has in all."""
    await connection.execute(
        """
        INSERT INTO pairs (run_id, model, question_id, repeat)
        SELECT $1, model, question_id, repeat
        FROM unnest($2::text[]) AS model, unnest($3::bigint[]) AS question_id,
             generate_series(1, $4) AS repeat
        ON CONFLICT DO NOTHING
        """,
        run_id,
        models,
        questions,
        repeats,
        timeout=PLAN_SECONDS,
    )
    return len(models) * len(questions) * repeats


async def list_open_pairs(connection: Connection, run_id: RunId, model: str | None = None) -> list[PairKey]:
    """The pairs of a run, or of one of its models, that still wait for an answer or a judge."""
    rows = await connection.fetch(
        """
        SELECT model, question_id, repeat FROM pairs
        WHERE run_id = $1 AND ($2::text IS NULL OR model = $2) AND state IN ('pending', 'answered')
        ORDER BY repeat, question_id, model
        """,
        run_id,
        model,
    )
    return [PairKey(run_id, row["model"], row["question_id"], row["repeat"]) for row in rows]


# Whom an open pair waits for: the model until it has answered, then the judge.
_LINE = "CASE p.state WHEN 'answered' THEN coalesce(j.model, p.model) ELSE p.model END"
_OPEN_IN_LINE = """
    FROM pairs p JOIN runs r ON r.id = p.run_id LEFT JOIN judges j ON j.id = r.judge_id
    WHERE p.state IN ('pending', 'answered') AND
"""


async def list_lines(
    connection: Connection, run_id: RunId, line: str | None = None
) -> dict[str, list[PairKey]]:
    """The open pairs of a run by the model whose reply they wait for, be it as judge; all, or of one line."""
    rows = await connection.fetch(
        f"SELECT p.model, p.question_id, p.repeat, {_LINE} AS line {_OPEN_IN_LINE} p.run_id = $1"
        f" AND ($2::text IS NULL OR {_LINE} = $2) ORDER BY p.repeat, p.question_id, p.model",
        run_id,
        line,
    )
    lines: defaultdict[str, list[PairKey]] = defaultdict(list)
    for row in rows:
        lines[row["line"]].append(PairKey(run_id, row["model"], row["question_id"], row["repeat"]))
    return lines


async def count_lines(connection: Connection, run_ids: Sequence[RunId]) -> dict[RunId, Counter[str]]:
    """How many open pairs of each of these runs wait for which model; an entry for every run asked for."""
    rows = await connection.fetch(
        f"SELECT p.run_id, {_LINE} AS line, count(*) AS pairs {_OPEN_IN_LINE} p.run_id = ANY ($1)"
        " GROUP BY 1, 2",
        run_ids,
    )
    counts: dict[RunId, Counter[str]] = {run_id: Counter() for run_id in run_ids}
    for row in rows:
        counts[row["run_id"]][row["line"]] = row["pairs"]
    return counts


async def give_up_line(
    connection: Connection, run_id: RunId, model: str, fault: Unscored, *, except_for: Sequence[PairKey]
) -> list[tuple[PairKey, ErrorKind]]:
    """Close what waits in a model's line, but for what is being asked now; return it with the reasons.

    Pairs that the model has not answered end as *failed* for the reason of `fault`; answers that it should
    judge end as *unscored*, for their judge is unavailable.
    """
    rows = await connection.fetch(
        f"""
        UPDATE pairs SET
            state = CASE pairs.state WHEN 'answered' THEN 'unscored' ELSE 'failed' END,
            error_kind = CASE pairs.state WHEN 'answered' THEN $7 ELSE $3 END,
            error_detail = $4::text, closed_at = now()
        FROM (SELECT p.model, p.question_id, p.repeat {_OPEN_IN_LINE} p.run_id = $1 AND {_LINE} = $2
              EXCEPT
              SELECT * FROM unnest($5::text[], $6::bigint[], $8::int[])) AS waiting
        WHERE pairs.run_id = $1 AND pairs.model = waiting.model AND pairs.question_id = waiting.question_id
          AND pairs.repeat = waiting.repeat AND pairs.state IN ('pending', 'answered')
        RETURNING pairs.model, pairs.question_id, pairs.repeat, pairs.error_kind
        """,
        run_id, model, fault.kind, fault.detail,
        [key.model for key in except_for], [key.question_id for key in except_for],
        ErrorKind.JUDGE_UNAVAILABLE, [key.repeat for key in except_for],
    )  # fmt: skip
    return [
        (PairKey(run_id, row["model"], row["question_id"], row["repeat"]), ErrorKind(row["error_kind"]))
        for row in rows
    ]


async def count_open(connection: Connection, run_ids: Sequence[RunId]) -> dict[RunId, Counter[str]]:
    """How many open pairs each of these runs has, by model; an entry for every run asked for."""
    rows = await connection.fetch(
        "SELECT run_id, model, count(*) AS pairs FROM pairs"
        " WHERE run_id = ANY ($1) AND state IN ('pending', 'answered') GROUP BY run_id, model",
        run_ids,
    )
    counts: dict[RunId, Counter[str]] = {run_id: Counter() for run_id in run_ids}
    for row in rows:
        counts[row["run_id"]][row["model"]] = row["pairs"]
    return counts


async def find_open_pair(connection: Connection, key: PairKey) -> OpenPair | None:
    """Read what evaluating a pair takes; None when it is closed or does not exist."""
    row = await connection.fetchrow(
        """
        SELECT p.state, p.attempts, p.judge_attempts, p.response, p.finish_reason, r.stop_reason,
               q.key, q.category, q.input, q.target, q.scorer, q.cluster
        FROM pairs p JOIN questions q ON q.id = p.question_id JOIN runs r ON r.id = p.run_id
        WHERE p.run_id = $1 AND p.model = $2 AND p.question_id = $3 AND p.repeat = $4
          AND p.state IN ('pending', 'answered')
        """,
        key.run_id, key.model, key.question_id, key.repeat,
    )  # fmt: skip
    if row is None:
        return None
    question = Question(
        row["key"], row["category"], row["input"], row["target"],
        Scorer.from_json(row["scorer"]), row["cluster"],
    )  # fmt: skip
    return OpenPair(
        PairState(row["state"]), row["attempts"], row["judge_attempts"], row["response"],
        row["finish_reason"], row["stop_reason"], question,
    )  # fmt: skip


async def record_steps(connection: Connection, steps: Sequence[PairStep]) -> set[PairKey]:
    """Apply many steps in one statement; return the keys of those that took effect.

    A step whose pair has left the state `before` changes nothing: somebody else was first.
    """
    rows = await connection.fetch(
        """
        UPDATE pairs p SET
            state = s.after,
            attempts = p.attempts + (s.before = 'pending')::int,
            judge_attempts = p.judge_attempts + (s.judge_latency_seconds IS NOT NULL)::int,
            response = coalesce(s.response, p.response),
            finish_reason = coalesce(s.finish_reason, p.finish_reason),
            served_model = coalesce(s.served_model, p.served_model),
            system_fingerprint = coalesce(s.system_fingerprint, p.system_fingerprint),
            request_id = coalesce(s.request_id, p.request_id),
            latency_seconds = coalesce(s.latency_seconds, p.latency_seconds),
            input_tokens = coalesce(s.input_tokens, p.input_tokens),
            output_tokens = coalesce(s.output_tokens, p.output_tokens),
            cost_usd = coalesce(s.cost_usd, p.cost_usd),
            answered_at = CASE WHEN s.response IS NULL THEN p.answered_at ELSE now() END,
            judge_served_model = s.judge_served_model, judge_latency_seconds = s.judge_latency_seconds,
            judge_input_tokens = s.judge_input_tokens, judge_output_tokens = s.judge_output_tokens,
            judge_cost_usd = s.judge_cost_usd,
            score = s.score, passed = s.passed, reason = s.reason,
            error_kind = s.error_kind, error_detail = s.error_detail,
            refused = coalesce(s.refused, p.refused), format_failed = s.format_failed,
            closed_at = CASE WHEN s.after = 'answered' THEN NULL ELSE now() END
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::int[], $5::text[], $6::text[],
                    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::float8[], $13::int[],
                    $14::int[], $15::numeric[], $16::text[], $17::float8[], $18::int[], $19::int[],
                    $20::numeric[], $21::float8[], $22::bool[], $23::text[], $24::text[], $25::text[],
                    $26::bool[], $27::bool[])
             AS s (run_id, model, question_id, repeat, before, after,
                   response, finish_reason, served_model, system_fingerprint, request_id, latency_seconds,
                   input_tokens, output_tokens, cost_usd,
                   judge_served_model, judge_latency_seconds, judge_input_tokens, judge_output_tokens,
                   judge_cost_usd, score, passed, reason, error_kind, error_detail,
                   refused, format_failed)
        WHERE p.run_id = s.run_id AND p.model = s.model AND p.question_id = s.question_id
          AND p.repeat = s.repeat AND p.state = s.before
        RETURNING p.run_id, p.model, p.question_id, p.repeat
        """,
        *zip(*map(_as_row, steps), strict=True),
    )
    return {PairKey(*row) for row in rows}


def _as_row(step: PairStep) -> tuple[object, ...]:
    key, answer, judgement, outcome = step.key, step.answer, step.judgement, step.outcome
    verdict = outcome if isinstance(outcome, Verdict) else None
    unscored = outcome if isinstance(outcome, Unscored) else None
    return (
        key.run_id, key.model, key.question_id, key.repeat, step.before, step.after,
        *((answer.response, answer.finish_reason, answer.served_model, answer.system_fingerprint,
           answer.request_id, answer.latency_seconds, answer.input_tokens, answer.output_tokens,
           answer.cost_usd) if answer else (None,) * 9),
        *((judgement.served_model, judgement.latency_seconds, judgement.input_tokens,
           judgement.output_tokens, judgement.cost_usd) if judgement else (None,) * 5),
        *((verdict.score, verdict.passed, verdict.reason) if verdict else (None,) * 3),
        *((unscored.kind, unscored.detail) if unscored else (None,) * 2),
        step.refused, step.format_failed,
    )  # fmt: skip


async def record_attempt(connection: Connection, key: PairKey) -> None:
    """Count an attempt that failed in passing, as the model's or, once it has answered, as the judge's."""
    await connection.execute(
        """
        UPDATE pairs SET attempts = attempts + (state = 'pending')::int,
                         judge_attempts = judge_attempts + (state = 'answered')::int
        WHERE run_id = $1 AND model = $2 AND question_id = $3 AND repeat = $4
          AND state IN ('pending', 'answered')
        """,
        key.run_id, key.model, key.question_id, key.repeat,
    )  # fmt: skip


async def skip_open_pairs(
    connection: Connection, run_id: RunId, kind: ErrorKind, *, except_for: Sequence[PairKey]
) -> int:
    """Close a stopped run's open pairs, but for those that are being evaluated at this moment.

    A pair whose answer is stored but not judged is *unscored*; one never answered is *skipped*.
    """
    status: str = await connection.execute(
        """
        UPDATE pairs p SET
            state = CASE p.state WHEN 'answered' THEN 'unscored' ELSE 'skipped' END,
            error_kind = $2, error_detail = 'The run was stopped before this was measured.', closed_at = now()
        WHERE p.run_id = $1 AND p.state IN ('pending', 'answered')
          AND NOT EXISTS (SELECT 1
                          FROM unnest($3::text[], $4::bigint[], $5::int[]) AS k (model, question_id, repeat)
                          WHERE k.model = p.model AND k.question_id = p.question_id AND k.repeat = p.repeat)
        """,
        run_id, kind,
        [key.model for key in except_for], [key.question_id for key in except_for],
        [key.repeat for key in except_for],
    )  # fmt: skip
    return int(status.split()[-1])


async def count_states(connection: Connection, run_id: RunId) -> dict[str, dict[PairState, int]]:
    """How many pairs of each model are in which state."""
    rows = await connection.fetch(
        "SELECT model, state, count(*) AS pairs FROM pairs WHERE run_id = $1"
        " GROUP BY model, state ORDER BY model",
        run_id,
    )
    counts: dict[str, dict[PairState, int]] = {}
    for row in rows:
        counts.setdefault(row["model"], {})[PairState(row["state"])] = row["pairs"]
    return counts
