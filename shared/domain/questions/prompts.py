"""Prompts: what stands around a question when a model is asked, with the question's own words put in.

A placeholder is a name in double braces: `{{input}}` and `{{category}}` are the question's, all others are
the prompt's variables. Texts are put in once: braces inside a question stay as they are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Question, fingerprint

ROLES = ("system", "user", "assistant")
INPUT = "input"
OF_THE_QUESTION = (INPUT, "category")
MOST_MESSAGES = 100
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the chat; `content` may hold placeholders."""

    role: str
    content: str

    def as_json(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A chat that ends with the user: instructions, worked examples, then the question."""

    name: str
    messages: tuple[Message, ...]
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def content_hash(self) -> str:
        """Equal exactly when messages and variables are."""
        return fingerprint([[each.as_json() for each in self.messages], dict(self.variables)])

    @property
    def surroundings(self) -> str:
        """All that a model reads beside the question, for what it will cost."""
        return "\n".join(each["content"] for each in self.fill(dict.fromkeys(OF_THE_QUESTION, "")))

    def ask(self, question: Question) -> list[dict[str, str]]:
        """The chat that puts this question."""
        return self.fill({INPUT: question.input, "category": question.category})

    def fill(self, texts: Mapping[str, str]) -> list[dict[str, str]]:
        known = {**self.variables, **texts}
        return [
            {"role": each.role, "content": _PLACEHOLDER.sub(lambda found: known[found[1]], each.content)}
            for each in self.messages
        ]


def check_prompt(prompt: Prompt) -> Prompt:
    """Return a prompt that can be asked with.

    Raises:
        InvalidInput: it never asks the question, or a placeholder has no text; the field says where.
    """
    if not 1 <= len(prompt.messages) <= MOST_MESSAGES:
        problem = f"has {len(prompt.messages)} messages; a prompt has 1 to {MOST_MESSAGES}."
        raise InvalidInput("messages", problem, "Write {{input}} where the question goes.")
    for number, message in enumerate(prompt.messages):
        if message.role not in ROLES:
            problem = f"{message.role!r} is no role."
            raise InvalidInput(f"messages[{number}].role", problem, f"Write one of {', '.join(ROLES)}.")
    if prompt.messages[-1].role != "user":
        problem = f"ends with the {prompt.messages[-1].role}, so that no model is asked anything."
        raise InvalidInput("messages", problem, "Let the last message be the user's.")
    _check_variables(prompt)
    if not any(INPUT in names for _, names in _placeholders(prompt.messages)):
        problem = "never put the question."
        raise InvalidInput("messages", problem, "Write {{input}} where the question goes.")
    return prompt


def _check_variables(prompt: Prompt) -> None:
    for name in prompt.variables:
        if not _NAME.fullmatch(name) or name in OF_THE_QUESTION:
            problem = f"{name!r} can't be the name of a variable."
            raise InvalidInput("variables", problem, "Use letters, digits and _, and not input or category.")
    used: set[str] = set()
    for number, names in _placeholders(prompt.messages):
        used |= names
        if unknown := sorted(names - set(OF_THE_QUESTION) - set(prompt.variables)):
            problem = f"{{{{{unknown[0]}}}}} has no text."
            raise InvalidInput(f"messages[{number}].content", problem, f"Give the variable {unknown[0]}.")
    if unused := sorted(set(prompt.variables) - used):
        problem = f"{unused[0]!r} stands in no message."
        raise InvalidInput("variables", problem, f"Write {{{{{unused[0]}}}}} where it goes, or leave it out.")


def _placeholders(messages: Sequence[Message]) -> Iterator[tuple[int, set[str]]]:
    for number, message in enumerate(messages):
        yield number, set(_PLACEHOLDER.findall(message.content))


def split_reference(reference: str) -> tuple[str, int | None]:
    """`support@3` is version 3 of support, `support` its newest one.

    Raises:
        InvalidInput: what follows the @ is no version.
    """
    name, at, version = reference.partition("@")
    if not at:
        return name, None
    if not (version.isascii() and version.isdigit() and 1 <= int(version) < 2**31):
        raise InvalidInput("prompt", f"{version!r} is no version.", "Write NAME or NAME@2.")
    return name, int(version)
