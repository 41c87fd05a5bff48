"""promptfoo's YAML: `tests` with `vars` and `assert`, and the one prompt that the vars are put into."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from shared.domain.answers.scoring import validate_scorer
from shared.domain.questions.suite_rows import TARGET_ALIASES, assemble, build_question, on_line
from shared.domain.questions.suites import Json, Question, Scorer, SuiteContent
from shared.domain.questions.yaml_nodes import compose, items, line_of, members, number_of, refuse, text_of

_WITHOUT_EFFECT_HERE = (
    *("description", "tags", "providers", "targets", "env", "sharing"),
    *("evaluateOptions", "commandLineOptions", "outputPath"),
)
_TEST_FIELDS = ("vars", "assert", "threshold", "metadata", "description")
_ASSERT_FIELDS = ("type", "value", "threshold", "weight", "metric", "assert", "tolerance", "choices")
_METADATA = ("id", "category", "cluster")
_TARGET_VARS = (*TARGET_ALIASES, "expected_answer", "reference_answer", "reference", "answer")
_PLACEHOLDER = re.compile(r"\{\{-?\s*([^{}]*?)\s*-?\}\}")
_A_FILE = re.compile(r"(?:file|exec)://|\S+\.(?:txt|json|jsonl|csv|ya?ml|j2|md|js|mjs|ts|py)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all tests of a file share: the prompt, if there is one, and promptfoo's `defaultTest`."""

    prompt: Node | None
    defaults: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class _Test:
    number: int
    node: Node


def read_promptfoo(text: str) -> SuiteContent:
    """The questions of a promptfoo configuration, or of a bare list of its tests.

    Input: the prompt with `vars` put in; else the only var that is no reference.
    Reference: the var `expected`, `ideal`, `target`, …, else what the first assertion compares with.
    Id, category and cluster: from `metadata`; an id that is not given is `test-N`.
    """
    root = tests = compose(text)
    if isinstance(root, SequenceNode):
        frame = _Frame(None, {})
    else:
        config = members(root, "file", ("prompts", "tests", "defaultTest", *_WITHOUT_EFFECT_HERE))
        frame = _Frame(_only_prompt(config.get("prompts")), _fields(config.get("defaultTest"), "defaultTest"))
        tests = config.get("tests", root)
        if isinstance(tests, ScalarNode) or tests is root:
            refuse(
                tests, "tests", "it is no list of tests.", "Write the tests here; other files are not read."
            )
    numbered = [_Test(number, node) for number, node in enumerate(items(tests, "tests"), start=1)]
    return assemble([(line_of(test.node), test) for test in numbered], partial(_question, frame))


def _question(frame: _Frame, test: _Test) -> Question:
    fields = _fields(test.node, "test")
    variables = _variables(frame.defaults.get("vars")) | _variables(fields.get("vars"))
    nodes = items(frame.defaults.get("assert"), "assert") + items(fields.get("assert"), "assert")
    assertions = [_assertion(node, variables) for node in nodes]
    target = _given_reference(frame, variables) or _compared_with(assertions)
    if not target:
        remedy = "Add an assert, or expected to its vars."
        refuse(test.node, "test", "nothing says what a right answer is.", remedy)
    for node, assertion in zip(nodes, assertions, strict=True):
        with on_line(line_of(node)):
            validate_scorer(_one_scorer(assertion), target)
    threshold = fields.get("threshold", frame.defaults.get("threshold"))
    row: dict[str, Json] = {"id": f"test-{test.number}", "target": target}
    row["input"] = _input(frame, variables, test.node)
    for owner in (frame.defaults, fields):
        metadata = members(owner.get("metadata"), "metadata")
        row |= {name: text_of(metadata[name], name) for name in _METADATA if name in metadata}
    return build_question(row, _scorer_of(assertions, number_of(threshold, "threshold"), target))


def _scorer_of(assertions: Sequence[Mapping[str, Json]], threshold: Json, target: str) -> Scorer:
    """One assertion is its own scorer, and a value that is the target needs no saying; several are a set."""
    if not assertions:
        return Scorer()
    if len(assertions) > 1 or threshold is not None or not assertions[0].get("weight", 1):
        options: dict[str, Json] = {"assert": assertions}
        return Scorer("assert-set", options if threshold is None else options | {"threshold": threshold})
    only = assertions[0]
    return _one_scorer({name: value for name, value in only.items() if (name, value) != ("value", target)})


def _one_scorer(assertion: Mapping[str, Json]) -> Scorer:
    options = {name: value for name, value in assertion.items() if name not in ("type", "weight")}
    return Scorer(str(assertion["type"]), options)


def _compared_with(assertions: Sequence[Mapping[str, Json]]) -> str:
    """What the first assertion that wants something compares with, else all of them in words."""
    every = [part for assertion in assertions for part in _with_parts(assertion)]
    for part in every:
        if not str(part["type"]).startswith("not-") and (value := part.get("value")):
            return value if isinstance(value, str) else ", ".join(map(str, _sequence(value)))
    return "; ".join(f"{part['type']} {part.get('value', '')}".strip() for part in every)


def _with_parts(assertion: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    parts = [part for part in _sequence(assertion.get("assert")) if isinstance(part, Mapping)]
    return parts or [assertion]


def _sequence(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else []


def _fields(node: Node | None, where: str) -> dict[str, Node]:
    if isinstance(node, ScalarNode) and _A_FILE.match(node.value):
        refuse(node, where, "other files are not read.", "Write it into this file.")
    return members(node, where, _TEST_FIELDS)


def _only_prompt(node: Node | None) -> Node | None:
    prompts = [node] if isinstance(node, ScalarNode) else items(node, "prompts")
    if not prompts:
        return None
    if len(prompts) > 1:
        remedy = "Keep one prompt; make a suite of its own for each other one."
        refuse(
            prompts[1],
            "prompts",
            f"there are {len(prompts)} prompts, and a suite asks each question once.",
            remedy,
        )
    prompt = prompts[0]
    if isinstance(prompt, MappingNode):
        raw = members(prompt, "prompts", ("raw", "label", "id")).get("raw")
        prompt = raw or refuse(prompt, "prompts", "the prompt has no text.", "Write it under raw.")
    template = text_of(prompt, "prompts").strip()
    if _A_FILE.fullmatch(template) or template.startswith(("file://", "exec://")):
        refuse(
            prompt, "prompts", f"the file {template[:60]!r} is not read.", "Write the prompt into this file."
        )
    if re.match(r"\[\s*\{|-\s+role:", template):
        refuse(prompt, "prompts", "chats of several messages are not supported.", "Write one text.")
    return prompt


def _variables(node: Node | None) -> dict[str, str]:
    variables = {}
    for name, value in members(node, "vars").items():
        if not isinstance(value, ScalarNode):
            refuse(value, f"vars.{name}", "it is not one text.", "Write one test for each value.")
        if value.value.startswith("file://"):
            refuse(value, f"vars.{name}", "other files are not read.", "Write the text into this file.")
        variables[name] = text_of(value, f"vars.{name}")
    return variables


def _rendered(template: str, variables: Mapping[str, str], node: Node, field: str) -> str:
    if "{%" in template:
        refuse(node, field, "{% … %} is not supported.", "Write {{name}} only.")

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            refuse(
                node,
                field,
                f"{match[0]} names no var of this test.",
                "Add it to vars; filters are not supported.",
            )
        return variables[name]

    return _PLACEHOLDER.sub(value, template)


def _input(frame: _Frame, variables: Mapping[str, str], test: Node) -> str:
    if frame.prompt is not None:
        return _rendered(text_of(frame.prompt, "prompts"), variables, frame.prompt, "prompts")
    asked = [name for name in variables if name not in _TARGET_VARS]
    if len(asked) != 1:
        vars_found = f"the vars {', '.join(asked)}" if asked else "no var"
        remedy = "Say what is asked: prompts: ['{{question}}'], for example."
        refuse(test, "vars", f"without a prompt, {vars_found} cannot be made into one input.", remedy)
    return variables[asked[0]]


def _given_reference(frame: _Frame, variables: Mapping[str, str]) -> str | None:
    asked = set(_PLACEHOLDER.findall(text_of(frame.prompt, "prompts"))) if frame.prompt else set()
    return next((variables[name] for name in _TARGET_VARS if name in variables and name not in asked), None)


def _assertion(node: Node, variables: Mapping[str, str]) -> dict[str, Json]:
    """One assertion as an assert-set holds it: `type`, `weight` and the options of its scorer."""
    fields = members(node, "assert", _ASSERT_FIELDS)
    if "type" not in fields:
        refuse(node, "assert.type", "it is missing.", "Write type: contains, for example.")
    assertion: dict[str, Json] = {"type": text_of(fields["type"], "assert.type")}
    for name in ("threshold", "weight", "tolerance"):
        if (number := number_of(fields.get(name), f"assert.{name}")) is not None:
            assertion[name] = number
    for name in ("value", "choices"):
        if name in fields:
            assertion[name] = _value(fields[name], variables, f"assert.{name}")
    if "assert" in fields:
        assertion["assert"] = [_assertion(part, variables) for part in items(fields["assert"], "assert")]
    return assertion


def _value(node: Node, variables: Mapping[str, str], field: str) -> Json:
    if isinstance(node, MappingNode):
        remedy = "Compare with a text, or use is-json alone."
        refuse(node, field, "objects and JSON schemas are not supported.", remedy)
    if isinstance(node, SequenceNode):
        return [_value(item, variables, field) for item in node.value]
    text = text_of(node, field)
    if text.startswith("file://"):
        refuse(node, field, "other files are not read.", "Write the text into this file.")
    return _rendered(text, variables, node, field)
