"""One row of a suite file becomes one question, or a problem with a line number."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from shared.domain.answers.scoring import validate_scorer
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import DEFAULT_CATEGORY, Json, Question, Scorer, SuiteContent
from shared.domain.texts import is_storable

TARGET_ALIASES = ("target", "expected_output", "expected", "ideal")
"""What files call the reference answer."""

MOST_QUESTIONS = 100_000
"""As many as one suite may have: reading a file takes memory in proportion to its rows."""
MOST_BAD_ROWS = 1_000

_LONGEST_NAME = 200
_LARGEST_NUMBER = 2**63 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")

_Row = TypeVar("_Row")


class BadLine(InvalidInput):
    """line {line}, {field}: {problem}. {remedy}

    `among` are all bad lines of the file, this one included; none: reading ended here.
    """

    def __init__(
        self, line: int, field: str, problem: str, remedy: str = "", among: Sequence["BadLine"] = ()
    ) -> None:
        self.line = line
        self.among = among
        super().__init__(field, problem, remedy)


@contextmanager
def on_line(line: int) -> Iterator[None]:
    """Whatever is refused inside belongs to this line, unless it names a closer one."""
    try:
        yield
    except BadLine:
        raise
    except InvalidInput as problem:
        raise BadLine(line, problem.field, problem.problem, problem.remedy) from problem


def assemble(rows: Iterable[tuple[int, _Row]], read: Callable[[_Row], Question]) -> SuiteContent:
    """All rows as a suite, or BadLine for the first bad one, saying how many more are bad.

    After MOST_BAD_ROWS of them nothing more is read.
    """
    questions: list[Question] = []
    lines: dict[str, int] = {}
    problems: list[BadLine] = []
    for line, row in rows:
        try:
            with on_line(line):
                question = read(row)
                _refuse_second(question.id, lines)
                _refuse_endless(questions)
            questions.append(question)
            lines[question.id] = line
        except BadLine as problem:
            problems.append(problem)
            if len(problems) >= MOST_BAD_ROWS:
                break
    if problems:
        first, more = problems[0], len(problems) - 1
        least = "at least " if len(problems) >= MOST_BAD_ROWS else ""
        count = f" ({least}{more} more {'row is' if more == 1 else 'rows are'} bad.)" if more else ""
        raise BadLine(first.line, first.field, first.problem, first.remedy + count, problems)
    return SuiteContent(tuple(questions))


def build_question(fields: Mapping[str, Json], scorer: Scorer) -> Question:
    """A question from `id`, `category`, `input`, `target`, `cluster`; InvalidInput names the wrong field.

    An absent or empty category is "general", an absent or empty cluster is none.
    """
    for field in ("scorer", *fields):
        _refuse_unstorable(field, scorer.as_json() if field == "scorer" else fields[field])
    target = _text(fields, "target", "Write the reference answer.")
    question = Question(
        id=_name(fields, "id") or _missing("id", "Give the question an id of its own."),
        category=_name(fields, "category") or DEFAULT_CATEGORY,
        input=_text(fields, "input", "Write what the model is asked."),
        target=target,
        scorer=scorer,
        cluster=_name(fields, "cluster") or None,
    )
    if question.category == "all":
        raise InvalidInput(
            "category", "'all' is the name for every category together.", "Choose another name."
        )
    validate_scorer(scorer, target)
    return question


def _text(fields: Mapping[str, Json], field: str, remedy: str) -> str:
    value = fields.get(field)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(field, f"it is {_kind(value)}, not a text.", "Write it as one text in quotes.")
    return value if value and value.strip() else _missing(field, remedy)


def _name(fields: Mapping[str, Json], field: str) -> str:
    value = fields.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(field, f"it is {_kind(value)}, not a text.", "Write it as one text in quotes.")
    name = value.strip()
    if len(name) > _LONGEST_NAME or _CONTROL.search(name):
        problem = f"it has more than {_LONGEST_NAME} characters, or a line break or control character."
        raise InvalidInput(field, problem, "Write a short name on one line.")
    return name


def _missing(field: str, remedy: str) -> str:
    raise InvalidInput(field, "it is empty.", remedy)


def _refuse_second(question_id: str, lines: Mapping[str, int]) -> None:
    if question_id in lines:
        problem = f"{question_id!r} is already the id of line {lines[question_id]}."
        raise InvalidInput("id", problem, "Give every question its own id.")


def _refuse_endless(questions: Sequence[Question]) -> None:
    if len(questions) >= MOST_QUESTIONS:
        problem = f"the file has more than {MOST_QUESTIONS:,} questions."
        raise InvalidInput("suite", problem, "Split it into several suites.")


def _refuse_unstorable(field: str, value: Json) -> None:
    """What escapes and digits can bring in, but can be neither stored nor sent."""
    if isinstance(value, str):
        if not is_storable(value):
            raise InvalidInput(field, "it holds a NUL or half a surrogate pair.", "Remove that character.")
    elif isinstance(value, int):
        if abs(value) > _LARGEST_NUMBER:
            raise InvalidInput(field, "it holds a number of more than 19 digits.", "Write a smaller one.")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_unstorable(field, key)
            _refuse_unstorable(field, inner)
    elif isinstance(value, Sequence):
        for inner in value:
            _refuse_unstorable(field, inner)


def _kind(value: Json) -> str:
    if isinstance(value, bool | int | float):
        return f"the bare value {value}"
    return "a mapping" if isinstance(value, Mapping) else "a list"
