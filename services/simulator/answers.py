"""The texts with which a simulated model answers a known question: right ones, and plausible wrong ones."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.simulator.judge import agrees
from shared.domain.answers.scoring import Verdict, score_answer
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Question

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LETTER = re.compile(r"\b[A-J]\b")
_OPPOSITES = {"yes": "no", "true": "false", "valid": "invalid"}
_OPPOSITES |= {other: word for word, other in _OPPOSITES.items()}
_LONGEST_BORROWED = 200
_SHORT = 40
_BORROWED = 5
_ENOUGH = 4
_FLUENT = (
    "It is usually put down to several causes at once, and the sources do not agree on a single one.",
    "This was settled some time ago, though not in the way that most people remember it.",
    "I would say that it depends on the circumstances, and mostly on who is being asked.",
)


@dataclass(frozen=True, slots=True)
class AnswerSheet:
    """A question with right and wrong answers, at least one each, told apart by its own scorer."""

    question: Question
    right: tuple[str, ...]
    wrong: tuple[str, ...]


def write_sheets(questions: Iterable[Question]) -> dict[str, AnswerSheet]:
    """The answer sheets by input. InvalidInput names a question with no right or no wrong answer."""
    first_of_input: dict[str, Question] = {}
    by_category: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        if first_of_input.setdefault(question.input.strip(), question) is question:
            by_category[question.category].append(question)
    sheets: dict[str, AnswerSheet] = {}
    for members in by_category.values():
        for position, question in enumerate(members):
            neighbours = [*members[position + 1 :], *members[:position]][:_BORROWED]
            sheets[question.input.strip()] = _sheet(question, [other.target for other in neighbours])
    return sheets


def _sheet(question: Question, borrowed: Sequence[str]) -> AnswerSheet:
    right = [text for text in _right(question) if is_right(question, text)]
    wrong = []
    for text in _wrong(question, borrowed):
        if text not in wrong and not is_right(question, text):
            wrong.append(text)
        if len(wrong) == _ENOUGH:
            break
    if not right:
        raise InvalidInput(
            question.id, "its own target fails its scorer.", "Correct the target or the scorer."
        )
    if not wrong:
        raise InvalidInput(question.id, "its scorer passes every answer.", "Give it a scorer that can fail.")
    return AnswerSheet(question, tuple(right), tuple(wrong))


def is_right(question: Question, text: str) -> bool:
    """Whether the question's scorer passes the text; a judge that is asked passes what says the target."""
    judged = None
    if question.scorer.asks_the_judge:
        agreed = agrees(question.target, text)
        judged = Verdict(float(agreed), agreed, "")
    outcome = score_answer(question, text, judged)
    return isinstance(outcome, Verdict) and outcome.passed


def _right(question: Question) -> Iterator[str]:
    target = question.target
    yield target
    if len(target) <= _SHORT and not {"\n", ":"} & set(target):
        yield f"The answer is {target}"
        yield f"{target}\n\nI checked this twice."


def _wrong(question: Question, borrowed: Sequence[str]) -> Iterator[str]:
    target = question.target.strip()
    if target.casefold() in _OPPOSITES:
        opposite = _OPPOSITES[target.casefold()]
        yield opposite.capitalize() if target[:1].isupper() else opposite
    elif number := _NUMBER.fullmatch(target):
        yield from _other_numbers(number[0])
    elif len(target) <= 4 and (letter := _LETTER.search(target)):
        for other in "ABCDEFGHIJ":
            if f"({other})" in question.input or re.search(rf"^\W?{other}\b", question.input, re.MULTILINE):
                yield target.replace(letter[0], other)
    else:
        yield from (other for other in borrowed if len(other) <= _LONGEST_BORROWED)
    yield from _FLUENT
    value = question.scorer.options.get("value")
    if isinstance(value, str):
        yield f"Certainly: {value}"
    yield from ((_FLUENT[0] + " ") * 50, "{}", question.input)


def _other_numbers(number: str) -> Iterator[str]:
    if "." in number:
        value, decimals = float(number), len(number.partition(".")[2])
        yield from (
            f"{other:.{decimals}f}" for other in (value + 1, value * 2 + 1, value / 2 - 1, -value - 3)
        )
    else:
        whole = int(number)
        yield from map(str, (whole + 1, whole - 2, whole * 10 or 10, whole + 12))
