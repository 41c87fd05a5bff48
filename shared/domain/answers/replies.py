"""JSON objects as language models write them into their replies: found in prose, read with their slips."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.questions.suites import Json

# Possessive quantifiers (*+) keep every scan linear.
_QUOTED = r"""(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+'|“[^”]*+”)"""
_OPENING = re.compile(r"""\{\s*+(?:"[^"\\\n]{1,60}"|'[^'\\\n]{1,60}'|“[^”\n]{1,60}”)\s*+:""")
_NAME = re.compile(rf"\s*+({_QUOTED})\s*+:\s*+", re.DOTALL)
_SCALAR = re.compile(
    rf"(?P<text>{_QUOTED})"
    r"|(?P<number>[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d{1,9})?|-?Infinity|NaN)(?=[\s,}])"
    r"|(?P<word>true|false|null|True|False|None)(?=[\s,}])",
    re.DOTALL,
)
_SEPARATOR = re.compile(r"\s*+(,\s*+\}|\}|,)")
_NESTED = re.compile(rf"""[^"'“{{}}\[\]]*+({_QUOTED}|[{{}}\[\]])""", re.DOTALL)
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
# A backslash that JSON does not know, or that LaTeX means: the b of \beta, the f of \frac, \times, \rho.
_BACKSLASH = re.compile(r"""\\(?:(?![bf][a-z]|[rt][a-z]{2})["\\/bfnrt]|u[0-9a-fA-F]{4})|\\""")


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object that ends before `end`; `members` is None where it cannot be read. Nested values are None."""

    end: int
    members: Mapping[str, Json] | None


def read_objects(reply: str) -> Iterator[FoundObject]:
    """Every outermost object with members, in order. After one that cannot be read, those inside it follow.

    Read besides strict JSON: single and typographic quotes, Python's True, False and None, a trailing comma,
    line breaks in texts, and backslashes that escape nothing.
    """
    at = 0
    while opening := _OPENING.search(reply, at):
        found = _read_object(reply, opening.start())
        at = found.end
        yield found


def _read_object(reply: str, start: int) -> FoundObject:
    unreadable = FoundObject(start + 1, None)
    members: dict[str, Json] = {}
    at = start + 1
    while name := _NAME.match(reply, at):
        if scalar := _SCALAR.match(reply, name.end()):
            value, end = _value(scalar), scalar.end()
        elif nested_end := _nested_end(reply, name.end()):
            value, end = None, nested_end
        else:
            return unreadable
        members[_decoded(name[1])] = value
        separator = _SEPARATOR.match(reply, end)
        if separator is None:
            return unreadable
        at = separator.end()
        if separator[1] != ",":
            return FoundObject(at, members)
    return unreadable


def _value(scalar: re.Match[str]) -> Json:
    if scalar["text"]:
        return _decoded(scalar["text"])
    return float(scalar["number"]) if scalar["number"] else _WORDS[scalar["word"]]


def _nested_end(reply: str, start: int) -> int | None:
    """Where the list or object that begins at `start` ends, None if none begins there or it has no end."""
    if reply[start : start + 1] not in ("{", "["):
        return None
    depth, at = 0, start
    while token := _NESTED.match(reply, at):
        depth += (token[1] in "{[") - (token[1] in "}]")
        at = token.end()
        if depth == 0:
            return at
    return None


def _decoded(quoted: str) -> str:
    inner = quoted[1:-1]
    if quoted[0] == "“":
        return inner
    if quoted[0] == "'":
        inner = re.sub(r"\\.|\"", _in_double_quotes, inner, flags=re.DOTALL)
    escaped = _BACKSLASH.sub(lambda match: match[0] if len(match[0]) > 1 else r"\\", inner)
    return str(json.loads(f'"{escaped}"', strict=False))


def _in_double_quotes(match: re.Match[str]) -> str:
    return {r"\'": "'", '"': r"\""}.get(match[0], match[0])
