"""One row of recorded results, read strictly: every value by its name, type and range."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeAlias

from shared.domain.answers.scoring import Outcome, Unscored, Verdict
from shared.domain.errors import ErrorKind, InvalidInput
from shared.domain.figures.aggregation import ALL_CATEGORIES

REQUIRED_FIELDS = ("run_at", "model", "suite", "question_id", "score")
OPTIONAL_FIELDS = (
    "run_id",
    "repeat",
    "input",
    "target",
    "category",
    "passed",
    "error_kind",
    "evaluator",
    "latency_seconds",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "served_model",
    "response",
)
LONGEST_NAME = 200
MOST_REPEATS = 100
MOST_TOKENS = 2**31 - 1
MOST_SECONDS = 10**7
MOST_USD = 10**9 - 1
SMALLEST_USD = Decimal("1e-9")
PASS_MARK = 0.5
SUITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")

Members: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ImportedQuestion:
    """What the rows tell about a question; None where no row of the run tells it."""

    id: str
    category: str | None
    input: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class ImportedPair:
    """One recorded answer with its outcome; None where the row says nothing."""

    model: str
    question_id: str
    repeat: int
    outcome: Outcome
    evaluator: str | None
    latency_seconds: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    served_model: str | None
    response: str | None

    @property
    def key(self) -> tuple[str, str, int]:
        return self.model, self.question_id, self.repeat


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """One line of the file, counted from 1, and what it belongs to."""

    line: int
    run_id: str | None
    run_at: datetime
    suite: str
    question: ImportedQuestion
    pair: ImportedPair


def read_row(line: int, raw: bytes) -> ImportedRow:
    """The row in one line; InvalidInput names the field."""
    row = _read_json(raw)
    for field in row:
        if field not in REQUIRED_FIELDS and field not in OPTIONAL_FIELDS:
            known = ", ".join((*REQUIRED_FIELDS, *OPTIONAL_FIELDS))
            raise InvalidInput(field[:LONGEST_NAME], "is not a known field.", f"Known: {known}.")
    for field in REQUIRED_FIELDS:
        if field not in row:
            remedy = "Write null where nothing was measured." if field == "score" else "Add it."
            raise InvalidInput(field, "is missing.", remedy)
    question_id, category = _name(row, "question_id"), _optional_name(row, "category")
    if category == ALL_CATEGORIES:
        raise InvalidInput("category", f"{category!r} means all categories together.", "Choose another name.")
    cost_usd = _number(row, "cost_usd", MOST_USD)
    latency_seconds = _number(row, "latency_seconds", MOST_SECONDS)
    repeat = _count(row, "repeat", 1, MOST_REPEATS)
    return ImportedRow(
        line=line,
        run_id=_optional_name(row, "run_id"),
        run_at=_time(row, "run_at"),
        suite=_suite(row),
        question=ImportedQuestion(question_id, category, _text(row, "input"), _text(row, "target")),
        pair=ImportedPair(
            model=_model(row),
            question_id=question_id,
            repeat=1 if repeat is None else repeat,
            outcome=_outcome(row),
            evaluator=_optional_name(row, "evaluator"),
            latency_seconds=None if latency_seconds is None else float(latency_seconds),
            input_tokens=_count(row, "input_tokens", 0, MOST_TOKENS),
            output_tokens=_count(row, "output_tokens", 0, MOST_TOKENS),
            cost_usd=None if cost_usd is None else cost_usd.quantize(SMALLEST_USD),
            served_model=_optional_name(row, "served_model"),
            response=_text(row, "response"),
        ),
    )


def _read_json(raw: bytes) -> Members:
    try:
        row = json.loads(
            raw.decode(), object_pairs_hook=_once_each, parse_float=Decimal, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as bad:
        raise InvalidInput("encoding", "it is not UTF-8.", "Save the file as UTF-8.") from bad
    except json.JSONDecodeError as bad:
        raise InvalidInput("row", f"it is not JSON: {bad.msg} at character {bad.pos + 1}.") from bad
    except InvalidInput:
        raise
    except (ValueError, ArithmeticError, RecursionError) as bad:
        raise InvalidInput("row", "it holds a number or a nesting too large to read.") from bad
    if not isinstance(row, dict):
        raise InvalidInput("row", "it is not a JSON object.", 'Write {"run_at": "…", …}.')
    return row


def _once_each(members: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(members)
    if len(row) < len(members):
        raise InvalidInput("row", "it names a field twice.", "Keep one of them.")
    return row


def _refuse_constant(constant: str) -> object:
    raise InvalidInput("row", f"{constant} is not a number.", "Write null for what was not measured.")


def _outcome(row: Members) -> Outcome:
    score, passed = _number(row, "score", 1), row.get("passed")
    kind, known = row.get("error_kind"), [kind.value for kind in ErrorKind]
    if passed is not None and not isinstance(passed, bool):
        raise InvalidInput("passed", "it must be true, false or null.")
    if kind is not None and kind not in known:
        raise InvalidInput(
            "error_kind", f"{str(kind)[:LONGEST_NAME]!r} is not known.", f"Known: {', '.join(known)}."
        )
    if score is not None:
        if kind is not None:
            raise InvalidInput(
                "error_kind", "there is a score.", "Keep one of the two: an error has no score."
            )
        return Verdict(float(score), score >= PASS_MARK if passed is None else passed, "")
    if passed is not None:
        raise InvalidInput(
            "passed", "there is no score.", "What was not measured has neither passed nor failed."
        )
    return Unscored(ErrorKind(kind or ErrorKind.SCORER_ERROR), "" if kind else "The row gives no reason.")


def _time(row: Members, field: str) -> datetime:
    remedy = "Write it like 2025-03-01T02:00:00Z, with Z or an offset."
    text = _name(row, field)
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise InvalidInput(field, f"{text!r} has no time zone.", remedy)
        return time.astimezone(UTC)
    except InvalidInput:
        raise
    except (ValueError, OverflowError) as bad:
        raise InvalidInput(field, f"{text!r} is not a time.", remedy) from bad


def _suite(row: Members) -> str:
    name = _name(row, "suite")
    if not SUITE_NAME.fullmatch(name):
        remedy = "Use up to 100 letters, digits, dots, dashes, underscores; begin with a letter or digit."
        raise InvalidInput("suite", f"{name!r} cannot name a suite.", remedy)
    return name


def _model(row: Members) -> str:
    name = _name(row, "model")
    if " " in name:
        raise InvalidInput("model", f"{name!r} holds a space.", "Write a name without spaces.")
    return name


def _name(row: Members, field: str) -> str:
    name = _optional_name(row, field)
    if name is None:
        raise InvalidInput(field, "is missing.", "Add it.")
    return name


def _optional_name(row: Members, field: str) -> str | None:
    name = _text(row, field)
    if name is not None and (not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME):
        problem = f"it is empty, longer than {LONGEST_NAME} characters, or holds control characters."
        raise InvalidInput(field, problem, "Shorten or correct it.")
    return name


def _text(row: Members, field: str) -> str | None:
    text = row.get(field)
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidInput(field, "it is not text.", "Put it in quotes.")
    if UNSTORABLE.search(text):
        raise InvalidInput(field, "it holds NUL or half of a surrogate pair.", "Remove that character.")
    return text


def _number(row: Members, field: str, most: int) -> Decimal | None:
    number = row.get(field)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | Decimal) or not 0 <= number <= most:
        raise InvalidInput(field, f"it must be a number from 0 to {most}, or null.", "Correct it.")
    return Decimal(number).copy_abs()  # -0 is 0


def _count(row: Members, field: str, least: int, most: int) -> int | None:
    count = row.get(field)
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int) or not least <= count <= most:
        raise InvalidInput(field, f"it must be a whole number from {least} to {most}.", "Correct it.")
    return count
