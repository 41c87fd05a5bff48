"""A run's results in a file: what one CI job leaves behind, and another one is compared with.

The rows are those that `driftwarden import-results` reads. `evaluator` holds by what each answer was scored:
the scorer with a hash of its options, and the judge with a hash of its prompt and parameters.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.cli.failures import Refused
from services.cli.server import Json
from shared.domain.questions.suites import Scorer, fingerprint

HASH_DIGITS = 12
EVALUATOR = re.compile(r"(?P<scorer>\S+ [0-9a-f]{12})(?: \+ (?P<judge>.+ [0-9a-f]{12}))?")
KEPT = (
    "model", "repeat", "input", "target", "score", "passed", "latency_seconds", "input_tokens",
    "output_tokens", "cost_usd", "served_model", "response", "error_kind",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitting:
    """The rows that can be compared with a run, and how many questions were left out as others now."""

    rows: Sequence[Json]
    questions_left_out: int


def describe_row(result: Json, run: Json, judge: Json | None) -> Json:
    """One result of a run as a row."""
    graders = _identify_scorer(result["scorer"]), _identify_judge(result["scorer"], judge)
    return {
        "run_at": run["finished_at"],
        "run_id": run["id"],
        "suite": run["suite"],
        "question_id": result["question"],
        "evaluator": " + ".join(filter(None, graders)),
        **{name: result[name] for name in KEPT},
    }


def read_file(path: Path) -> list[Json]:
    """The rows of a file, in this form or as `driftwarden export --format jsonl` writes them.

    Raises:
        Refused: it can't be read; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refused(f"--baseline-file: {path} can't be read: {reason}.") from error
    rows = [_read_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise Refused(f"--baseline-file: {path} holds no result. Write it anew with --results.")
    # An export tells of each answer when it was scored; a run has one time.
    finished_at = max(str(row.get("run_at") or "") for row in rows)
    return [{**row, "run_at": finished_at} for row in rows]


def fit_rows(
    rows: Iterable[Json], questions: Mapping[str, Json], suite: str, judge: Json | None, judged_by: str | None
) -> Fitting:
    """Keep the answers to questions that are still asked and scored in the same way.

    `judged_by` is what the server calls the judge. Another judge's rows stay under that judge's name, so that
    the server can refuse to compare the two. Rows of other tools name their evaluator as they like.
    """
    kept, left_out = [], set()
    for row in rows:
        question = questions.get(row["question_id"])
        if question is None or not _is_the_same(row, question):
            left_out.add(row["question_id"])
        else:
            graded_by = _rename_judge(row.get("evaluator"), question["scorer"], judge, judged_by)
            kept.append({**row, "suite": suite, "evaluator": graded_by})
    # Named by what is kept: an edited suite keeps less of the same file.
    name = f"gate baseline {fingerprint(kept)[:HASH_DIGITS]}"
    return Fitting([{**row, "run_id": name} for row in kept], len(left_out))


def write_lines(rows: Iterable[Json]) -> Iterator[bytes]:
    return (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _read_row(path: Path, number: int, line: str) -> Json:
    try:
        row = json.loads(line)
        if "question_id" in row:
            return dict(row)
        exported = {name: row[name] for name in KEPT}
        scorer = _identify_scorer(row["scorer"])
        return {**exported, "run_at": row["closed_at"], "question_id": row["question"], "evaluator": scorer}
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"--baseline-file: {path}, line {number}: is no result. Write the file with"
            " `driftwarden gate --results FILE`."
        ) from error


def _is_the_same(row: Json, question: Json) -> bool:
    """Whether the question still reads, and is scored, as it was when this answer was given."""
    told = {name: row[name] for name in ("input", "target") if row.get(name) is not None}
    ours = EVALUATOR.fullmatch(row.get("evaluator") or "")
    scorer = _identify_scorer(question["scorer"])
    return told.items() <= question.items() and (ours is None or ours["scorer"] == scorer)


def _rename_judge(
    evaluator: str | None, scorer: Json, judge: Json | None, judged_by: str | None
) -> str | None:
    ours = EVALUATOR.fullmatch(evaluator or "")
    if ours is None:
        return evaluator
    return judged_by if ours["judge"] == _identify_judge(scorer, judge) else ours["judge"]


def _identify_scorer(scorer: Json) -> str:
    return f"{scorer['name']} {fingerprint(scorer)[:HASH_DIGITS]}"


def _identify_judge(scorer: Json, judge: Json | None) -> str | None:
    """None: no judge is asked."""
    if judge is None or not Scorer.from_json(scorer).asks_the_judge:
        return None
    content = fingerprint([judge["model"], judge["prompt"], judge["parameters"]])
    return f"{judge['name']} {content[:HASH_DIGITS]}"
