"""Suite files: CSV, JSONL and promptfoo's YAML, read into questions or refused with file and line."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePath

from shared.domain.errors import InvalidInput
from shared.domain.questions.promptfoo import read_promptfoo
from shared.domain.questions.suite_rows import TARGET_ALIASES, BadLine, assemble, build_question
from shared.domain.questions.suites import DEFAULT_SCORER, Json, Question, Scorer, SuiteContent

MOST_BYTES = 20_000_000
LONGEST_LINE = 2_000_000
"""In characters: a JSON text of lists in lists becomes thirty times as large when it is read."""

_CSV_COLUMNS = ("id", "category", "input", "expected_output", "scorer", "scorer_options", "cluster")
_JSONL_FIELDS = ("id", "input", *TARGET_ALIASES, "category", "cluster", "scorer", "metadata")


def parse_suite(filename: str, content: bytes) -> SuiteContent:
    """The questions of a suite file; the extension of `filename` says which format it has.

    UTF-8, with or without a byte order mark; line ends of Windows read as those of Unix. Nothing is repaired
    and nothing is skipped: InvalidInput names the file, the line where the row starts, the field, the remedy.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".yaml": read_promptfoo, ".yml": read_promptfoo}
    read = readers.get(PurePath(filename).suffix.lower())
    if read is None:
        raise InvalidInput(
            filename, "its name ends in none of .csv, .jsonl, .yaml, .yml.", "Rename the file."
        )
    if len(content) > MOST_BYTES:
        raise InvalidInput(
            filename, f"it is larger than {MOST_BYTES // 10**6} MB.", "Split it into several suites."
        )
    try:
        return read(_decoded(content))
    except BadLine as bad:
        raise InvalidInput(f"{filename}, line {bad.line}, {bad.field}", bad.problem, bad.remedy) from bad
    except InvalidInput as bad:
        raise InvalidInput(f"{filename}, {bad.field}", bad.problem, bad.remedy) from bad


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInput("encoding", "it is UTF-16.", "Save it as UTF-8.")
    if (position := content.find(b"\x00")) >= 0:
        line = content.count(b"\n", 0, position) + 1
        raise BadLine(line, "encoding", "it holds a NUL byte.", "Save it as UTF-8 text.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise BadLine(line, "encoding", "it is not UTF-8.", "Save it as UTF-8.") from problem
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _refuse_long_lines(text)
    return text


def _refuse_long_lines(text: str) -> None:
    begins = 0
    while len(text) - begins > LONGEST_LINE:
        ends = text.rfind("\n", begins, begins + LONGEST_LINE + 1)
        if ends < 0:
            line = text.count("\n", 0, begins) + 1
            problem = f"it is longer than {LONGEST_LINE:,} characters."
            raise BadLine(line, "line", problem, "Shorten it, or write it as several rows.")
        begins = ends + 1


def _read_csv(text: str) -> SuiteContent:
    rows = _csv_rows(text)
    line, header = next(rows, (1, []))
    columns = [name.strip().lower() for name in header]
    _refuse_bad_header(line, columns)
    return assemble(rows, partial(_csv_question, columns))


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the physical line on which it starts."""
    reader = csv.reader(io.StringIO(text), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as problem:
            remedy = 'Put fields with commas, quotes or line breaks in "…", and double every quote inside.'
            raise BadLine(line, "row", f"it is not well-formed CSV: {problem}.", remedy) from problem
        if row is None:
            return
        if row:
            yield line, row


def _refuse_bad_header(line: int, columns: Sequence[str]) -> None:
    form = (
        "The first line is id,category,input,expected_output, with scorer,scorer_options,cluster if needed."
    )
    if not columns:
        raise BadLine(line, "header", "the file is empty.", form)
    for column in columns:
        if column not in _CSV_COLUMNS and column not in TARGET_ALIASES:
            raise BadLine(line, "header", f"{column[:60]!r} is no known column.", form)
    targets = [column for column in columns if column in TARGET_ALIASES]
    if len(set(columns)) < len(columns) or len(targets) > 1:
        raise BadLine(line, "header", "two columns mean the same.", form)
    for column in ("id", "category", "input"):
        if column not in columns:
            raise BadLine(line, "header", f"the column {column} is missing.", form)
    if not targets:
        raise BadLine(line, "header", "the column expected_output is missing.", form)


def _csv_question(columns: Sequence[str], row: Sequence[str]) -> Question:
    if len(row) != len(columns):
        problem = f"it has {len(row)} fields, the header has {len(columns)}."
        raise InvalidInput("row", problem, 'Put fields that hold commas in "…", and keep empty fields.')
    cells = dict(zip(columns, row, strict=True))
    fields: dict[str, Json] = {name: cells.get(name) for name in ("id", "category", "input", "cluster")}
    target_column = next(name for name in columns if name in TARGET_ALIASES)
    options = cells.get("scorer_options", "").strip()
    scorer = Scorer(
        cells.get("scorer", "").strip() or DEFAULT_SCORER,
        _object("scorer_options", options, '{"value": "…"}') if options else {},
    )
    return _build(fields, target_column, cells[target_column], scorer)


def _read_jsonl(text: str) -> SuiteContent:
    lines = enumerate(text.split("\n"), start=1)
    return assemble(((number, line) for number, line in lines if line.strip()), _jsonl_question)


def _jsonl_question(line: str) -> Question:
    row = _object("row", line, '{"id": "…", "input": "…", "target": "…"}')
    for field in row:
        if field not in _JSONL_FIELDS:
            raise InvalidInput(field, "no such field is known.", f"Known are {', '.join(_JSONL_FIELDS)}.")
    metadata = row.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InvalidInput("metadata", "it is not an object.", 'Write {"category": "…"}.')
    fields = {name: row.get(name) for name in ("id", "input")}
    for name in ("category", "cluster"):
        fields[name] = row.get(name, (metadata or {}).get(name))
    targets = [name for name in TARGET_ALIASES if name in row]
    if len(targets) > 1:
        raise InvalidInput(targets[1], f"{targets[0]} is there too and means the same.", "Keep one of them.")
    target_field = targets[0] if targets else "target"
    return _build(
        fields, target_field, row.get(target_field), _jsonl_scorer(row.get("scorer", DEFAULT_SCORER))
    )


def _jsonl_scorer(written: Json) -> Scorer:
    if isinstance(written, str):
        return Scorer(written, {})
    if isinstance(written, Mapping) and isinstance(written.get("name"), str):
        return Scorer.from_json(written)
    raise InvalidInput(
        "scorer", "it names no scorer.", 'Write "numeric" or {"name": "numeric", "tolerance": 0.01}.'
    )


def _build(fields: Mapping[str, Json], target_field: str, target: Json, scorer: Scorer) -> Question:
    """As build_question, but a problem with the target is told under the name that the file has for it."""
    try:
        return build_question({**fields, "target": target}, scorer)
    except InvalidInput as bad:
        field = target_field if bad.field == "target" else bad.field
        raise InvalidInput(field, bad.problem, bad.remedy) from bad


def _object(field: str, text: str, form: str) -> Mapping[str, Json]:
    try:
        value = json.loads(text, object_pairs_hook=_once_each, parse_constant=_refuse_constant)
    except json.JSONDecodeError as problem:
        reason = f"it is not JSON: {problem.msg} at character {problem.pos + 1}."
        raise InvalidInput(field, reason, f"Write {form}.") from problem
    except InvalidInput as problem:
        raise InvalidInput(field, problem.problem, problem.remedy) from problem
    except (ValueError, RecursionError) as problem:
        raise InvalidInput(
            field, "it holds a number or a nesting too large to read.", f"Write {form}."
        ) from problem
    if not isinstance(value, dict):
        raise InvalidInput(field, "it is not a JSON object.", f"Write {form}.")
    return value


def _once_each(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidInput("object", "it names a member twice.", "Keep one of them.")
    return members


def _refuse_constant(constant: str) -> Json:
    raise InvalidInput("number", f"{constant} is not JSON.", "Write a number.")
