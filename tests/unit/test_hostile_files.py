"""Files that mean no good: read, or refused with file and line, within bounds of time and memory."""

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import imports
from shared.domain.errors import InvalidInput
from shared.domain.imports import parse_results
from shared.domain.questions import suite_rows
from shared.domain.questions.suite_files import LONGEST_LINE, MOST_BYTES, parse_suite
from shared.model_file import read_model_file
from shared.models import Catalogue

ROOT = Path(__file__).parents[2]
HEAD = b"id,category,input,expected_output\n"
MB = 10**6
MOST_SECONDS = 120  # of CPU; the machine may be slow
MOST_MEGABYTES = 600

# Each as large as its kind of file may be; what it would become when read is up to a hundred times as large.
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a list of numbers": ("s.yaml", lambda: b"[" + b"1," * 2_490_000 + b"1]"),
    "numbers in lines": ("s.yaml", lambda: b"- 1\n" * 1_240_000),
    "empty tests": ("s.yaml", lambda: b"tests:\n" + b"- {}\n" * 990_000),
    "laughs": ("s.yaml", lambda: laugh(9)),
    "deep": ("s.yaml", lambda: b"[" * 4_900_000),
    "a scalar": ("s.yaml", lambda: b"a: '" + b"x" * 4_900_000 + b"'"),
    "columns": ("s.csv", lambda: b"," * MOST_BYTES),
    "named columns": ("s.csv", lambda: b"\n".join(b"c" * 99 + b"," for _ in range(190_000))),
    "a field": ("s.csv", lambda: HEAD + b'a,b,"' + b"x" * (MOST_BYTES - 50) + b'",d'),
    "a field of lines": ("s.csv", lambda: HEAD + b'a,b,"' + b"x\n" * (MOST_BYTES // 2 - 30) + b'",d'),
    "bad rows": ("s.csv", lambda: HEAD + b"a\n" * 9_900_000),
    "bad objects": ("s.jsonl", lambda: b"{}\n" * 6_600_000),
    "lists in a row": ("s.jsonl", lambda: b'{"id":[' + b"[]," * 6_600_000 + b"0]}"),
    "names in a row": ("s.jsonl", lambda: b"{" + b",".join(b'"%d":0' % n for n in range(1_500_000)) + b"}"),
    "deep rows": ("s.jsonl", lambda: b"[" * (MOST_BYTES - 1)),
    "lists of results": ("results", lambda: b'{"a":[' + b"[]," * 20 * MB + b"0]}"),
    "bad results": ("results", lambda: b"{}\n" * 20 * MB),
    "deep results": ("results", lambda: b"[" * 60 * MB),
}


def laugh(levels: int) -> bytes:
    """A billion laughs: each level names the one before ten times."""
    lines = ["a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol,lol]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def read(name: str, content: bytes) -> object:
    return parse_results(name, content) if name == "results" else parse_suite(name, content)


def test_files_that_would_swell_are_refused_within_bounds() -> None:
    """In a process of its own, which ends where they take too much of either."""
    code = "from tests.unit import test_hostile_files as here; here.burst()"
    limits = (
        (resource.RLIMIT_CPU, MOST_SECONDS),
        (resource.RLIMIT_AS, (MOST_MEGABYTES + 500) * MB),  # what is mapped and never used counts, too
    )

    def hold() -> None:
        for limit, most in limits:
            resource.setrlimit(limit, (most, most))

    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, preexec_fn=hold, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-500:]
    assert ended.stdout.splitlines() == list(BOMBS)


def burst() -> None:
    for kind, (name, make) in BOMBS.items():
        with pytest.raises(InvalidInput) as refused:
            read(name, make())
        assert refused.value.field.startswith(f"{name}, ")
        print(kind)


@pytest.mark.parametrize(("name", "row"), [("s.jsonl", '{"id": "%d", "input": "a", "target": "b"}'),
                                           ("s.csv", "%d,c,a,b")])  # fmt: skip
def test_a_suite_without_end_is_refused_at_the_first_question_too_many(
    name: str, row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_rows, "MOST_QUESTIONS", 10)
    monkeypatch.setattr(suite_rows, "MOST_BAD_ROWS", 5)
    head = HEAD.decode() if name == "s.csv" else ""
    with pytest.raises(InvalidInput, match="more than 10 questions"):
        parse_suite(name, (head + "\n".join(row % number for number in range(100))).encode())


def test_results_without_end_are_refused_at_the_first_row_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MOST_ROWS", 10)
    row = {"run_at": "2025-01-01T00:00:00Z", "model": "m", "suite": "s", "score": 1}
    lines = [json.dumps({**row, "question_id": str(number)}) for number in range(11)]
    assert len(parse_results("r", "\n".join(lines[:10]).encode())[0].pairs) == 10
    with pytest.raises(InvalidInput, match="line 11, row: the file has more than 10 rows"):
        parse_results("r", "\n".join(lines).encode())


def test_a_row_of_the_longest_length_is_read() -> None:
    row = {"id": "q", "input": "", "target": "b"}
    room = LONGEST_LINE - len(json.dumps(row))
    (question,) = parse_suite("s.jsonl", json.dumps({**row, "input": "x" * room}).encode()).questions
    assert len(question.input) == room
    with pytest.raises(InvalidInput, match="line 2, line: it is longer"):
        parse_suite("s.jsonl", b"\n" + json.dumps({**row, "input": "x" * (room + 1)}).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("\ud800\x00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
SUITE_FIELDS = ["id", "input", "target", "expected_output", "category", "cluster", "scorer", "metadata", "x"]
SCORERS = st.sampled_from(["numeric", "regex", "equals", "assert-set", "llm-rubric", "contains-any", "nope"])


@given(
    st.dictionaries(st.sampled_from(SUITE_FIELDS), JSON | SCORERS, max_size=6)
    | st.builds(
        lambda name, options: {"id": "a", "input": "b", "target": "1", "scorer": {"name": name, **options}},
        SCORERS,
        st.dictionaries(
            st.sampled_from(["value", "threshold", "tolerance", "assert", "choices", "flags"]),
            JSON,
            max_size=3,
        ),
    )
)
def test_any_row_of_a_suite_is_read_or_refused(row: dict[str, Any]) -> None:
    try:
        suite = parse_suite("s.jsonl", json.dumps(row).encode())
    except InvalidInput:
        return
    for question in suite.questions:
        json.dumps(question.scorer.as_json(), ensure_ascii=False).encode()
        (question.id + question.input + question.target).encode()


CELLS = st.text(st.sampled_from("ab1,;\"'\n\r\t =+@{}[]:\\é\ufeff\u2028\x00\x1a"), max_size=12)


@given(st.lists(CELLS, min_size=1, max_size=8), st.booleans())
def test_any_cells_of_a_table_are_read_or_refused(cells: list[str], is_headed: bool) -> None:
    columns = "id,category,input,expected_output,scorer,scorer_options,cluster\n" if is_headed else ""
    for quoted in (cells, ['"' + cell.replace('"', '""') + '"' for cell in cells]):
        with suppress(InvalidInput):
            parse_suite("s.csv", (columns + ",".join(quoted)).encode())


YAML_PIECES = st.sampled_from(
    ["tests:", "\n", "- ", "  ", "vars: ", "{", "}", "[", "]", "assert:", "type: equals",
     "value: ", "&a ", "*a",
     "!!python/object/apply:os.system ", "!!binary ", "<<: ", "? ", "| ", "> ", "'", '"', "#",
     "%YAML 1.1\n", "---\n",
     "...", "\t", "prompts: ", "{{x}}", "0x", "1e999", ".nan", "2026-13-99", "~", "\ufeff", "\x85", "a", ": "]
)  # fmt: skip


@given(st.lists(YAML_PIECES, max_size=25).map("".join))
def test_any_yaml_is_read_or_refused_and_runs_nothing(text: str) -> None:
    with suppress(InvalidInput):
        parse_suite("s.yaml", text.encode())


ENTRY = st.just("model_list:\n- model_name: m\n  litellm_params: ")


@given(st.lists(YAML_PIECES | ENTRY, max_size=20).map("".join))
def test_any_catalogue_of_models_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "models.yaml"
    file.write_text(text)
    with suppress(InvalidInput):
        Catalogue.load(file, {})


def test_a_catalogue_that_laughs_is_refused_in_few_words(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_bytes(laugh(9) + b"\nmodel_list: *a8\n")
    started = time.process_time()
    with pytest.raises(InvalidInput) as refused:
        read_model_file(file).take_entries("model_list")
    with pytest.raises(InvalidInput) as number:
        read_model_file(file).take_count("a8")
    with pytest.raises(InvalidInput):
        read_model_file(file).take_seconds("a8")
    assert len(str(refused.value)) + len(str(number.value)) < 1000
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "9" * 5_000, "a: " + "{a: " * 50_000])
def test_a_catalogue_too_large_to_read_says_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput):
        read_model_file(file)


def test_yaml_is_read_by_safe_loaders_alone() -> None:
    """A wall: what could make objects is named nowhere, nor are pickles, nor text that is run."""
    unsafe = re.compile(
        r"yaml\.(?:unsafe_|full_)?load(?:_all)?\((?!.*(?:Safe|_Plain|_)Loader)|UnsafeLoader|FullLoader"
        r"|\bimport pickle|\bpickle\.load|\bmarshal\.load|(?<![\w.])(?:eval|exec)\(|shell=True|os\.system\("
    )
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for folder in ("services", "shared", "deploy")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if unsafe.search(line)
    ]
    assert found == []
