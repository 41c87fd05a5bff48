"""`driftwarden results`, `export` and `import-results`: single answers, out and in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import RenderableType

from services.cli.failures import Refused
from services.cli.help import LOOK, MANAGE, examples
from services.cli.ids import find_run
from services.cli.numbers import NOT_MEASURED, count, many, score
from services.cli.options import AsJson, Limit, RunArgument
from services.cli.render import sentence, show_answer, table, tell
from services.cli.server import Json, connect, segment

IMPORT_SECONDS = 900.0
CHUNK_BYTES = 1 << 16

commands = typer.Typer()

Model = Annotated[str | None, typer.Option(metavar="MODEL", help="Only answers of this model.")]
Category = Annotated[str | None, typer.Option(metavar="NAME", help="Only questions of this category.")]
State = Annotated[
    str | None, typer.Option(metavar="STATE", help="Only this state: scored, unscored, failed or skipped.")
]
Question = Annotated[str | None, typer.Option(metavar="ID", help="Only the question with this id.")]
Passed = Annotated[
    bool | None, typer.Option("--passed/--not-passed", help="Only answers that passed, or did not.")
]
Words = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="Only where question or answer contain this text."),
]


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


@commands.command(
    rich_help_panel=LOOK,
    epilog=examples("results RUN --not-passed", "results RUN --model atlas-large --category math --json"),
)
def results(
    run: RunArgument,
    model: Model = None,
    category: Category = None,
    state: State = None,
    question: Question = None,
    passed: Passed = None,
    text: Words = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List a run's answers with their scores and reasons."""
    with connect() as client:
        page = client.list_items(
            f"/runs/{segment(find_run(client, run))}/results", limit,
            model=model, category=category, state=state, question=question, passed=passed, text=text,
        )  # fmt: skip
    show_answer(page, describe_results, as_json)


@commands.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "export RUN --format csv --output results.csv", "export RUN --format jsonl --not-passed | jq .reason"
    ),
)
def export(
    run: RunArgument,
    format: Annotated[
        Format, typer.Option(metavar="csv|json|jsonl", help="The form of the file.")
    ] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it [default: the output].")
    ] = None,
    model: Model = None,
    category: Category = None,
    state: State = None,
    question: Question = None,
    passed: Passed = None,
    text: Words = None,
) -> None:
    """Write a run's answers as CSV, JSON or JSON lines. Filters apply as in `results`."""
    with (
        connect() as client,
        client.stream(
            f"/runs/{segment(find_run(client, run))}/export",
            format=format,
            model=model,
            category=category,
            state=state,
            question=question,
            passed=passed,
            text=text,
        ) as answer,
        _open_output(output) as file,
    ):
        for chunk in answer.iter_bytes():
            file.write(chunk)


@commands.command(
    "import-results",
    rich_help_panel=MANAGE,
    epilog=examples("import-results history.jsonl", "import-results history.jsonl --continues nightly"),
)
def import_results(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, one result each.")],
    continues: Annotated[
        str | None,
        typer.Option(metavar="SCHEDULE", help="Make them this schedule's history, before its first night."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import results that another tool has measured.

    So history is a baseline from the first day. Each line holds run_at, model, suite, question_id and score
    (null: not measured); it may hold run_id, repeat, passed, category, input, target, response, error_kind,
    evaluator, latency_seconds, input_tokens, output_tokens, cost_usd and served_model. Repeating an import
    adds nothing.
    """
    with connect() as client, _open_with_progress(file) as content:
        chunks = iter(lambda: content.read(CHUNK_BYTES), b"")
        answer = client.upload("/results:import", chunks, answer_seconds=IMPORT_SECONDS, continues=continues)
    show_answer(answer, describe_import, as_json)


def describe_results(page: Json) -> Iterator[RenderableType]:
    """One line for each answer: its outcome, and the reason for it."""
    if not page["items"]:
        yield sentence("No answer matches.")
        return
    yield table(
        ["~question", "~model", "outcome", ">score", "~reason"],
        [
            [
                row["question"] if row["repeat"] == 1 else f"{row['question']} #{row['repeat']}",
                row["model"],
                _name_outcome(row),
                score(row["score"]),
                row["reason"] or row["error_detail"] or row["error_kind"] or "",
            ]
            for row in page["items"]
        ],
    )
    if page.get("next_cursor"):
        yield sentence("There are more; --limit lists them, and `driftwarden export` writes all.")


def describe_import(answer: Json) -> Iterator[RenderableType]:
    yield table(
        ["run", "source", ">rows", "now"],
        [
            [run["run_id"], run["source"] or NOT_MEASURED, count(run["rows"]), run["state"].replace("_", " ")]
            for run in answer["runs"]
        ],
    )
    yield sentence(f"{many(answer['rows'], 'row')} in {many(len(answer['runs']), 'run')}.")
    if answer["continues"]:
        new = sum(run["is_newly_linked"] for run in answer["runs"])
        were = len(answer["runs"]) - new
        before = f" {many(were, 'run')} had been before." if were else ""
        yield sentence(f"Now history of {answer['continues']}: {many(new, 'run')}.{before}")


def _name_outcome(row: Json) -> str:
    if row["state"] == "scored":
        return "passed" if row["passed"] else "not passed"
    return str(row["state"])


@contextmanager
def _open_output(path: Path | None) -> Iterator[BinaryIO]:
    """The file to write, or stdout. A file appears under its name only once it is complete."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    except OSError as error:
        raise Refused(f"--output: {path} can't be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    tell(f"wrote {path}")


@contextmanager
def _open_with_progress(path: Path) -> Iterator[BinaryIO]:
    """The file to read, with a bar for how much of it has been sent."""
    from rich.console import Console
    from rich.progress import open as open_with_bar

    try:
        with open_with_bar(
            path, "rb", description="sending", console=Console(stderr=True), transient=True
        ) as file:
            yield file
    except OSError as error:
        raise Refused(f"{path}: can't be read: {error.strerror}.") from error
