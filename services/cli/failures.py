"""How a command ends when it can't do what was asked: words for the person, an exit code for the script."""

from collections.abc import Mapping
from typing import Any

from services.cli.numbers import plain


class CommandFailed(Exception):
    """What was wrong and what to do about it, one line for each thing."""

    exit_code: int


class Refused(CommandFailed):
    """The usage or the configuration is wrong, or the server refused the request (4xx)."""

    exit_code = 2


class Conflicting(Refused):
    """The server refused because of how things stand there (409), not because of how it was asked."""


class NotMeasured(CommandFailed):
    """Nothing was wrong with what was asked, and yet there is no answer to it."""

    exit_code = 3


class Unreachable(CommandFailed):
    """The server gave no answer, or one that says that it is not well (5xx) or too busy (429)."""

    exit_code = 3


def explain(problem: Mapping[str, Any]) -> str:
    """A problem document (RFC 9457) in words: one line for each field at fault, else what happened."""
    faults = [_explain_fault(fault) for fault in problem.get("errors") or ()]
    return "\n".join(faults) or plain(problem.get("detail") or problem.get("title") or "It gave no reason.")


def _explain_fault(fault: Mapping[str, Any]) -> str:
    remedy = fault.get("remedy")
    return plain(f"{fault['field']}: {fault['problem']}" + (f" {remedy}" if remedy else ""))
