"""Results that another tool has recorded: JSON lines, one answer a row, grouped into runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import assert_never

from shared.domain.answers.scoring import Unscored, Verdict
from shared.domain.errors import InvalidInput
from shared.domain.import_rows import REQUIRED_FIELDS, ImportedPair, ImportedQuestion, ImportedRow, read_row
from shared.domain.questions.suites import Json, fingerprint

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_ROW = 5_000_000
"""In bytes: a JSON text of lists in lists becomes twenty times as large when it is read."""
MOST_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """The rows of one run. `name` is its run_id, else its time; `run_at` is in UTC."""

    name: str
    run_at: datetime
    suite: str
    questions: tuple[ImportedQuestion, ...]
    pairs: tuple[ImportedPair, ...]

    @property
    def identity(self) -> str:
        """64 hex digits: the same exactly when the same run is imported again, in whatever order of rows."""
        questions: list[Json] = [[q.id, q.category, q.input, q.target] for q in self.questions]
        pairs: list[Json] = [_describe(pair) for pair in self.pairs]
        return fingerprint([self.name, self.run_at.isoformat(), self.suite, questions, pairs])


def parse_results(filename: str, content: bytes) -> list[ImportedRun]:
    """The runs of a file, oldest first. Rows of one run_id are one run; without it, of one suite and time.

    Nothing is repaired or skipped: InvalidInput names file, line and field of the first row that is wrong.
    """
    runs: dict[tuple[str, ...], list[ImportedRow]] = {}
    rows = 0
    for line, raw in enumerate(BytesIO(content.removeprefix(BYTE_ORDER_MARK)), start=1):
        if raw.strip():
            rows += 1
            with _on_line(filename, line):
                _refuse_endless(rows, len(raw))
                row = read_row(line, raw)
            key = (row.run_id,) if row.run_id else (row.suite, row.run_at.isoformat())
            runs.setdefault(key, []).append(row)
    if not runs:
        fields = ", ".join(REQUIRED_FIELDS)
        raise InvalidInput(filename, "it holds no row.", f"Write one answer a line, with {fields}.")
    found = [_assemble(filename, rows) for rows in runs.values()]
    return sorted(found, key=lambda run: (run.run_at, run.name, run.suite))


def _assemble(filename: str, rows: Sequence[ImportedRow]) -> ImportedRun:
    first = rows[0]
    pairs: dict[tuple[str, str, int], ImportedRow] = {}
    questions: dict[str, tuple[ImportedQuestion, int]] = {}
    for row in rows:
        with _on_line(filename, row.line):
            _refuse_difference("run_at", first.run_at, row.run_at, first.line)
            _refuse_difference("suite", first.suite, row.suite, first.line)
            earlier = pairs.setdefault(row.pair.key, row)
            if earlier is not row:
                problem = f"line {earlier.line} has the same run, model, question and repeat."
                raise InvalidInput("question_id", problem, "Number the repeats, from 1.")
            known, since = questions.setdefault(row.question.id, (row.question, row.line))
            questions[known.id] = (_merge(known, row.question, since), since)
    return ImportedRun(
        name=first.run_id or first.run_at.isoformat(),
        run_at=first.run_at,
        suite=first.suite,
        questions=tuple(question for _, (question, _) in sorted(questions.items())),
        pairs=tuple(row.pair for _, row in sorted(pairs.items())),
    )


def _refuse_endless(rows: int, size: int) -> None:
    if size > LONGEST_ROW:
        problem = f"it is longer than {LONGEST_ROW // 10**6} MB."
        raise InvalidInput("row", problem, "Write one answer a line, and shorten it.")
    if rows > MOST_ROWS:
        problem = f"the file has more than {MOST_ROWS:,} rows."
        raise InvalidInput("row", problem, "Import it in parts; the rows of one run belong into one part.")


def _merge(known: ImportedQuestion, told: ImportedQuestion, since: int) -> ImportedQuestion:
    """What both rows tell about one question; they must not contradict each other."""
    if known == told:
        return known
    for field in ("category", "input", "target"):
        if getattr(known, field) is not None and getattr(told, field) is not None:
            _refuse_difference(field, getattr(known, field), getattr(told, field), since)
    return replace(
        known,
        category=known.category if told.category is None else told.category,
        input=known.input if told.input is None else told.input,
        target=known.target if told.target is None else told.target,
    )


def _refuse_difference(field: str, before: object, now: object, line: int) -> None:
    if now != before:
        problem = f"it differs from line {line} of the same run."
        raise InvalidInput(field, problem, "Make them equal, or give the rows another run_id.")


def _describe(pair: ImportedPair) -> list[Json]:
    match pair.outcome:
        case Verdict(score, passed):
            outcome: list[Json] = [score, passed]
        case Unscored(kind):
            outcome = [kind]
        case _ as other:
            assert_never(other)
    cost = None if pair.cost_usd is None else str(pair.cost_usd)
    usage: list[Json] = [pair.latency_seconds, pair.input_tokens, pair.output_tokens, cost]
    return [*pair.key, outcome, *usage, pair.evaluator, pair.served_model, pair.response]


@contextmanager
def _on_line(filename: str, line: int) -> Iterator[None]:
    try:
        yield
    except InvalidInput as bad:
        raise InvalidInput(f"{filename}, line {line}, {bad.field}", bad.problem, bad.remedy) from bad
