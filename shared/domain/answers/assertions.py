"""The deterministic scorers, named as promptfoo names its assertions: terms in, a check of an answer out."""

import json
import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

import regex

from shared.domain.answers.choices import offered_choices, settled_choice
from shared.domain.answers.numerals import Number, final_number, numbers
from shared.domain.answers.scorer_terms import Terms, refuse_unknown_options, shown
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Json

REGEX_TIMEOUT_SECONDS = 0.5
_LONGEST_PATTERN = 1_000
# The regex library writes fixed repeats out: (((a{1000}){1000}){1000}) would take all the memory there is.
_MOST_REPEATS = 1_000_000
_MOST_JSON_STARTS = 200
_DEFAULT_DISTANCE = 5
_MOST_DISTANCE = 100
_LONGEST_COMPARED = 10_000

Finding: TypeAlias = tuple[bool, str]
Check: TypeAlias = Callable[[str], Finding]
"""Whether the answer has the property, and a sentence that says so."""


class Unmeasurable(Exception):
    """The check could not be carried through: the answer is neither right nor wrong."""


def prepare(name: str, terms: Terms) -> Check:
    """The check that the scorer `name` makes under these terms; InvalidInput where name or terms are wrong.

    The check itself may raise Unmeasurable.
    """
    base = name.removeprefix("not-")
    if base not in _ASSERTIONS:
        raise InvalidInput(
            "scorer", f"{shown(name)} is not a scorer.", f"Choose one of {', '.join(SCORER_NAMES)}."
        )
    build, allowed = _ASSERTIONS[base]
    refuse_unknown_options(base, terms.options, allowed)
    if base == name:
        return build(terms)
    if "value" in allowed and "value" not in terms.options:
        raise InvalidInput("scorer_options.value", f"{name} needs one.", "Say what the answer must not be.")
    check = build(terms)
    return lambda answer: _opposite(check(answer))


def _equals(terms: Terms) -> Check:
    wanted = terms.wanted_text().strip()
    return lambda answer: _finding(answer.strip() == wanted, "equals", wanted)


def _starts_with(terms: Terms) -> Check:
    wanted = terms.wanted_text().strip()
    return lambda answer: _finding(answer.lstrip().startswith(wanted), "starts with", wanted)


def _contains(fold: Callable[[str], str]) -> Callable[[Terms], Check]:
    def build(terms: Terms) -> Check:
        wanted = terms.wanted_text()
        return lambda answer: _finding(fold(wanted) in fold(answer), "contains", wanted)

    return build


def _contains_any(fold: Callable[[str], str]) -> Callable[[Terms], Check]:
    def build(terms: Terms) -> Check:
        wanted = terms.wanted_texts()
        return lambda answer: _finding(
            any(fold(w) in fold(answer) for w in wanted), "contains one of", wanted
        )

    return build


def _contains_all(fold: Callable[[str], str]) -> Callable[[Terms], Check]:
    def build(terms: Terms) -> Check:
        wanted = terms.wanted_texts()
        return lambda answer: _finding(
            all(fold(w) in fold(answer) for w in wanted), "contains all of", wanted
        )

    return build


def _regex(terms: Terms) -> Check:
    written = terms.wanted_text()
    pattern = _compiled(written)

    def check(answer: str) -> Finding:
        try:
            found = pattern.search(answer, timeout=REGEX_TIMEOUT_SECONDS)
        except (TimeoutError, MemoryError, RecursionError) as problem:
            raise Unmeasurable(f"the pattern {shown(written)} took too long on this answer") from problem
        return _finding(found is not None, "matches", written)

    return check


def _compiled(written: str) -> "regex.Pattern[str]":
    repeats = math.prod(max(1, int(count[:9])) for count in re.findall(r"\{(\d+)", written))
    if len(written) > _LONGEST_PATTERN or repeats > _MOST_REPEATS:
        raise InvalidInput("scorer_options.value", "the pattern is too large.", "Write a shorter one.")
    try:
        return regex.compile(written)
    except (regex.error, ValueError, RecursionError, OverflowError) as problem:
        raise InvalidInput(
            "scorer_options.value",
            f"the pattern {shown(written)} is not valid: {problem}.",
            "Correct the pattern.",
        ) from None


def _levenshtein(terms: Terms) -> Check:
    wanted, most = (
        terms.wanted_text().strip(),
        int(terms.number("threshold", _DEFAULT_DISTANCE, _MOST_DISTANCE)),
    )
    if len(wanted) > _LONGEST_COMPARED:
        raise InvalidInput(
            "target", f"it has more than {_LONGEST_COMPARED} characters.", "Use another scorer."
        )
    return lambda answer: _finding(
        is_within(answer.strip(), wanted, most), f"is at most {most} edits from", wanted
    )


def is_within(left: str, right: str, most: int) -> bool:
    """Whether the Levenshtein distance is at most `most`, by the diagonal band alone (Ukkonen 1985)."""
    if abs(len(left) - len(right)) > most:
        return False
    far = most + 1
    above = {column: column for column in range(min(most, len(right)) + 1)}
    for row, character in enumerate(left, start=1):
        current: dict[int, int] = {}
        for column in range(max(0, row - most), min(len(right), row + most) + 1):
            replaced = above.get(column - 1, far) + (column > 0 and right[column - 1] != character)
            current[column] = min(replaced, above.get(column, far) + 1, current.get(column - 1, far) + 1)
        if min(current.values()) > most:
            return False
        above = current
    return above.get(len(right), far) <= most


def _numeric(terms: Terms) -> Check:
    wanted = _one_number(terms.wanted_text())
    tolerance = Fraction(terms.number("tolerance", 0))

    def check(answer: str) -> Finding:
        found = final_number(answer)
        if found is None:
            return False, "the answer holds no number"
        return found.is_close_to(
            wanted, tolerance
        ), f"the answer arrives at {found}, the reference is {wanted}"

    return check


def _one_number(written: str) -> Number:
    found = numbers(written)
    if len(found) != 1:
        problem = f"{shown(written)} holds {len(found)} numbers; numeric compares with one."
        raise InvalidInput("target", problem, 'Write the number alone, such as "1,234.5".')
    return found[0]


def _choice(terms: Terms) -> Check:
    named, wanted = terms.named_choices(), terms.wanted_text()
    offer = offered_choices(terms.asked, wanted, named)
    right = offer.key(wanted)
    if right is None:
        raise InvalidInput(
            "target", f"{shown(wanted)} is none of the choices.", f"Write one of {', '.join(named)}."
        )

    def check(answer: str) -> Finding:
        key, how = settled_choice(answer, offer)
        return key == right, how if key == right else f"{how}; the reference is {right}"

    return check


def _is_json(terms: Terms) -> Check:
    return lambda answer: _finding(_reads_as_json(answer), "is", "JSON")


def _reads_as_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unmeasurable("the answer is nested too deeply to be read as JSON") from None
    except ValueError:
        return False
    return True


def _contains_json(terms: Terms) -> Check:
    return lambda answer: _finding(_holds_json_object(answer), "contains", "a JSON object")


def _holds_json_object(text: str) -> bool:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    for tried, start in enumerate(re.finditer(r"\{\s*[\"}]", text)):
        if tried == _MOST_JSON_STARTS:
            raise Unmeasurable(f"none of the first {tried} braces opens a JSON object")
        try:
            decoder.raw_decode(text, start.start())
        except RecursionError:
            raise Unmeasurable("the answer is nested too deeply to be read as JSON") from None
        except ValueError:
            continue
        return True
    return False


def _refuse_constant(constant: str) -> Json:
    raise ValueError(constant)


def _finding(holds: bool, relation: str, wanted: str | Sequence[str]) -> Finding:
    return holds, f"{'true' if holds else 'not true'}: the answer {relation} {shown(wanted)}"


def _opposite(finding: Finding) -> Finding:
    return not finding[0], finding[1]


_TEXT = frozenset({"value"})
_ASSERTIONS: dict[str, tuple[Callable[[Terms], Check], frozenset[str]]] = {
    "equals": (_equals, _TEXT),
    "contains": (_contains(str), _TEXT),
    "icontains": (_contains(str.casefold), _TEXT),
    "contains-any": (_contains_any(str), _TEXT),
    "contains-all": (_contains_all(str), _TEXT),
    "icontains-any": (_contains_any(str.casefold), _TEXT),
    "icontains-all": (_contains_all(str.casefold), _TEXT),
    "starts-with": (_starts_with, _TEXT),
    "regex": (_regex, _TEXT),
    "is-json": (_is_json, frozenset()),
    "contains-json": (_contains_json, frozenset()),
    "levenshtein": (_levenshtein, _TEXT | {"threshold"}),
    "numeric": (_numeric, _TEXT | {"tolerance"}),
    "choice": (_choice, _TEXT | {"choices"}),
}
SCORER_NAMES = (*_ASSERTIONS, "llm-rubric", "assert-set")
