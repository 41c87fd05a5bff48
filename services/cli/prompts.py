"""`driftwarden prompts`: what stands around a question when a model is asked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from services.cli.failures import Refused
from services.cli.help import examples
from services.cli.numbers import count, moment, plain
from services.cli.options import AsJson
from services.cli.render import facts, sentence, show, show_answer, show_json, table
from services.cli.server import Json, connect

SUFFIXES = (".txt", ".md", ".json", ".yaml", ".yml")

commands = typer.Typer(
    name="prompts",
    help="List prompts, and store new ones.",
    epilog=examples(
        "prompts", "prompts add support support.yaml", "prompts add brief brief.txt --var tone=friendly"
    ),
)


@commands.callback(invoke_without_command=True)
def prompts(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_prompts(as_json)


@commands.command("list")
def list_prompts(as_json: AsJson = False) -> None:
    """List all prompts with their versions."""
    with connect() as client:
        page = client.list_items("/prompts", 10_000)
    show_answer(page, describe_prompts, as_json)


@commands.command("show")
def show_prompt(
    reference: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="The prompt, or a version of it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show a prompt's messages, of the newest version unless another is named."""
    name, _, version = reference.partition("@")
    with connect() as client:
        page = client.list_items("/prompts", 10_000)
    found = [each for each in page["items"] if each["name"] == name and version in ("", str(each["version"]))]
    if not found:
        raise Refused(f"{reference}: there is no such prompt. `driftwarden prompts` lists them.")
    if as_json:
        show_json(found[0])
    else:
        show(*describe_prompt(found[0]))


@commands.command("add", epilog=examples("prompts add support support.yaml"))
def add_prompt(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A known name gets a new version.")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Text with {{input}} in it (.txt, .md), or messages {role, content} (.json, .yaml).",
        ),
    ],
    variables: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=TEXT", help="Stands for {{NAME}}; repeat for more."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store a prompt that `driftwarden run --prompt NAME` can use."""
    body = read_prompt(name, file, variables or ())
    with connect() as client:
        stored = client.post("/prompts", body)
    show_answer(stored, describe_prompt, as_json)


def read_prompt(name: str, file: Path, variables: Any = ()) -> Json:
    """A prompt to store, from a file; what `--var` gives goes before what the file does.

    Raises:
        Refused: the file can't be read, or is no prompt; it says where.
    """
    from services.cli.submit import read_labels

    given = read_labels(variables, "--var")
    text = _read_text(file)
    if file.suffix.lower() not in (".json", ".yaml", ".yml"):
        return {"name": name, "messages": [{"role": "user", "content": text}], "variables": given}
    content = _parse(file, text)
    if isinstance(content, list):
        content = {"messages": content}
    if not isinstance(content, dict) or not isinstance(content.get("messages"), list):
        raise Refused(f"{file}: holds no messages. Write a list of {{role: user, content: ...}}.")
    if unknown := sorted(set(content) - {"messages", "variables"}):
        raise Refused(f"{file}: {unknown[0]} is not known. A prompt has messages and variables.")
    return {
        "name": name,
        "messages": content["messages"],
        "variables": {**(content.get("variables") or {}), **given},
    }


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{file}: is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise Refused(f"{file}: can't be read: {error.strerror}.") from error


def _parse(file: Path, text: str) -> Any:
    import yaml

    try:
        return json.loads(text) if file.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise Refused(f"{file}: {error}") from error


def describe_prompts(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("There is no prompt yet: models are asked the question alone.")
        return
    yield table(
        ["prompt", ">version", ">messages", "~begins", "created (UTC)"],
        [
            [
                each["name"],
                count(each["version"]),
                count(len(each["messages"])),
                plain(" ".join(each["messages"][0]["content"].split())[:60]),
                moment(each["created_at"]),
            ]
            for each in page["items"]
        ],
    )


def describe_prompt(stored: Json) -> Iterator[RenderableType]:
    yield facts(
        [
            ("prompt", f"{stored['name']} v{stored['version']}"),
            ("created", f"{moment(stored['created_at'])} UTC"),
            *((f"{{{{{name}}}}}", plain(text)) for name, text in stored["variables"].items()),
            *((each["role"], plain(each["content"])) for each in stored["messages"]),
        ]
    )
