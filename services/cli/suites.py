"""`driftwarden suite`: golden suites, imported from files and kept in versions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType

from services.cli.failures import Refused
from services.cli.help import examples
from services.cli.numbers import count, moment
from services.cli.options import AsJson, Limit
from services.cli.render import facts, more, sentence, show, show_answer, show_json, table
from services.cli.server import Json, connect, segment

if TYPE_CHECKING:
    from services.cli.client import Client

SUFFIXES = (".csv", ".jsonl", ".yaml", ".yml")
ANSWER_SECONDS = 300.0

commands = typer.Typer(
    name="suite",
    help="Import golden suites and look at them.",
    epilog=examples("suite import golden.csv", "suite import suites/", "suite show golden --questions"),
    no_args_is_help=True,
)


@commands.command(
    "import", epilog=examples("suite import golden.csv", "suite import questions.jsonl --name safety")
)
def import_suites(
    path: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="A CSV, JSONL or YAML file, or a folder of them.")
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The suite's name [default: the file's, without suffix]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import suites from files.

    Each file becomes a suite, or a new version of it if its questions have changed. A file with a mistake is
    refused as a whole, naming the line; the other files of a folder are imported.
    """
    if name is not None and path.is_dir():
        raise Refused("--name: is for one file. The suites of a folder are named by their files.")
    files = find_suite_files(path)
    stored: list[Json] = []
    refusals: list[str] = []
    with connect() as client:
        for file in files:
            try:
                stored.append(import_suite(client, file, name))
            except Refused as refusal:
                refusals.append(str(refusal))
    if as_json:
        show_json({"items": stored})
    elif stored:
        show(describe_imports(stored))
    if refusals:
        raise Refused("\n".join(refusals))


def find_suite_files(path: Path) -> Sequence[Path]:
    """The file itself, or every suite file in a folder, by name.

    Raises:
        Refused: there is none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise Refused(f"{path}: holds no suite. Suites are files that end in {', '.join(SUFFIXES)}.")
    return files


def import_suite(client: "Client", file: Path, name: str | None = None) -> Json:
    """Send one file to the server and return the suite version that it is now."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: can't be read: {error.strerror}.") from error
    return client.upload(
        "/suites", content, name=name or file.stem, filename=file.name, answer_seconds=ANSWER_SECONDS
    )


@commands.command("list")
def list_suites(limit: Limit = 100, as_json: AsJson = False) -> None:
    """List all suites, each with its newest version."""
    with connect() as client:
        page = client.list_items("/suites", limit)
    show_answer(page, describe_suites, as_json)


@commands.command(
    "show", epilog=examples("suite show golden", "suite show golden --category math --questions")
)
def show_suite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The suite's name.")],
    version: Annotated[
        int | None, typer.Option(metavar="N", help="An earlier version [default: the newest].")
    ] = None,
    questions: Annotated[bool, typer.Option("--questions", help="List the questions instead.")] = False,
    category: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --questions: only this category.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show a suite: its categories and its versions, or its questions."""
    path = f"/suites/{segment(name)}"
    with connect() as client:
        if questions:
            answer = client.list_items(f"{path}/questions", limit, version=version, category=category)
        else:
            answer = client.get(path, version=version)
    if as_json:
        show_json(answer)
    else:
        show(*(describe_questions(answer) if questions else describe_suite(answer)))


def describe_imports(stored: Sequence[Json]) -> RenderableType:
    return table(
        ["suite", ">version", ">questions", "now"],
        [
            [
                suite["name"],
                count(suite["version"]),
                count(suite["questions"]),
                "new version" if suite["is_new"] else "unchanged",
            ]
            for suite in stored
        ],
    )


def describe_suites(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("There is no suite yet. Import one with `driftwarden suite import FILE`.")
        return
    yield table(
        ["suite", ">version", ">questions", "judge", "imported (UTC)"],
        [
            [
                suite["name"],
                count(suite["version"]),
                count(suite["questions"]),
                _name_needs(suite),
                moment(suite["created_at"]),
            ]
            for suite in page["items"]
        ],
    )


def describe_suite(suite: Json) -> Iterator[RenderableType]:
    yield facts(
        [
            ("suite", suite["name"]),
            ("version", count(suite["version"])),
            ("questions", count(suite["questions"])),
            ("judge", _name_needs(suite)),
            ("content", suite["content_hash"]),
            ("imported", f"{moment(suite['created_at'])} UTC"),
        ]
    )
    yield table(
        ["~category", ">questions"],
        [[row["category"], count(row["questions"])] for row in suite["categories"]],
    )
    if len(suite["versions"]) > 1:
        yield table(
            [">version", ">questions", "imported (UTC)"],
            [
                [count(row["version"]), count(row["questions"]), moment(row["created_at"])]
                for row in suite["versions"]
            ],
        )


def describe_questions(page: Json) -> Iterator[RenderableType]:
    yield table(
        ["~id", "~category", "scorer", "~input", "~target"],
        [
            [row["id"], row["category"], row["scorer"]["name"], row["input"], row["target"]]
            for row in page["items"]
        ],
    )
    if page.get("next_cursor"):
        yield more()


def _name_needs(suite: Json) -> str:
    if not suite["is_runnable"]:
        return "can't be run: results only"
    return "asked" if suite["asks_judge"] else "not needed"
