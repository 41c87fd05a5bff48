"""YAML read as plain nodes that know their lines: no tags, no anchors, no surprises of type."""

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from shared.domain.errors import InvalidInput
from shared.domain.questions.suite_rows import BadLine

_MOST_CHARACTERS = 5_000_000
_DEEPEST = 20
_MOST_NODES = 300_000  # each takes about a kilobyte
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose(text: str) -> Node:
    """The one document in the text. Anchors, aliases and tags are refused: they hide more than they show."""
    if len(text) > _MOST_CHARACTERS:
        problem = f"it has more than {_MOST_CHARACTERS // 10**6} million characters."
        raise InvalidInput("yaml", problem, "Split it, or write it as JSONL.")
    try:
        _refuse_tricks(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise BadLine(
            mark.line + 1 if mark else 1, "yaml", f"{problem.problem}.", "Correct the YAML."
        ) from problem
    except yaml.YAMLError as problem:
        raise InvalidInput(
            "yaml", "it holds a character that YAML does not allow.", "Remove it."
        ) from problem
    if node is None:
        raise BadLine(1, "yaml", "the file is empty.", "Write tests: with at least one test.")
    return node


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def refuse(node: Node, field: str, problem: str, remedy: str = "") -> NoReturn:
    raise BadLine(line_of(node), field, problem, remedy)


def members(node: Node | None, field: str, known: Sequence[str] | None = None) -> dict[str, Node]:
    """The members of a mapping (none if it is absent), all of them among `known` if that is given."""
    if node is None or _is_null(node):
        return {}
    if not isinstance(node, MappingNode):
        refuse(node, field, "it is not a mapping.", "Write name: value.")
    found: dict[str, Node] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, ScalarNode) else ""
        if not name or name in found:
            refuse(
                key, field, f"the key {name[:60]!r} is empty, no text, or there twice.", "Correct the key."
            )
        if known is not None and name not in known:
            refuse(
                key,
                f"{field}.{name}" if field else name,
                "it is not supported.",
                f"Known are {', '.join(known)}.",
            )
        found[name] = value
    return found


def items(node: Node | None, field: str) -> list[Node]:
    """The items of a list (none if it is absent)."""
    if node is None or _is_null(node):
        return []
    if not isinstance(node, SequenceNode):
        refuse(node, field, "it is not a list.", 'Write one "- …" for each.')
    return list(node.value)


def text_of(node: Node, field: str) -> str:
    """A scalar as it is written: 1.50 stays "1.50" and yes stays "yes"."""
    if not isinstance(node, ScalarNode):
        refuse(node, field, "it is not a text.", "Write one text.")
    return "" if _is_null(node) else str(node.value)


def number_of(node: Node | None, field: str) -> float | None:
    """A scalar that must be a number; None where it is absent or null."""
    if node is None or _is_null(node):
        return None
    try:
        number = float(text_of(node, field))
    except ValueError:
        refuse(node, field, "it is not a number.", "Write a number.")
    return int(number) if number.is_integer() else number


def _is_null(node: Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _refuse_tricks(text: str) -> None:
    depth = documents = nodes = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in events:
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadLine(
                line, "yaml", "anchors (&) and aliases (*) are not supported.", "Write the text out."
            )
        if getattr(event, "tag", None):
            raise BadLine(line, "yaml", f"the tag {event.tag[:60]} is not supported.", "Remove it.")
        if depth > _DEEPEST:
            raise BadLine(
                line, "yaml", f"it is nested more than {_DEEPEST} levels deep.", "Write it flatter."
            )
        if nodes > _MOST_NODES:
            raise BadLine(
                line, "yaml", f"it holds more than {_MOST_NODES:,} values.", "Split it, or write it as JSONL."
            )
        if documents > 1:
            raise BadLine(line, "yaml", "it holds several documents.", "Put each into a file of its own.")
