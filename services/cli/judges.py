"""`driftwarden judges`: who grades the answers that no rule can grade."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.failures import Refused
from services.cli.help import examples
from services.cli.numbers import count, moment
from services.cli.options import AsJson
from services.cli.render import sentence, show, show_answer, show_json, table
from services.cli.server import Json, connect

commands = typer.Typer(
    name="judges",
    help="List judges, and define new ones.",
    epilog=examples("judges list", "judges create strict --model openai/gpt-4o --prompt strict.txt"),
    no_args_is_help=True,
)


@commands.command("list")
def list_judges(as_json: AsJson = False) -> None:
    """List all judges. A changed prompt, model or parameter makes a new version of the judge."""
    with connect() as client:
        page = client.list_items("/judges", 10_000)
    show_answer(page, describe_judges, as_json)


@commands.command("create", epilog=examples("judges create strict --model openai/gpt-4o --prompt strict.txt"))
def create_judge(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The judge's name; a known one gets a new version.")
    ],
    model: Annotated[str, typer.Option(metavar="MODEL", help="The model that judges.")],
    prompt: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its instructions [default: the prompt that is built in]."),
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="How the model is called, such as '{\"temperature\": 0}'."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Define a judge that `driftwarden run --judge NAME` can use."""
    body: Json = {"name": name, "model": model}
    if prompt is not None:
        body["prompt"] = _read_prompt(prompt)
    if parameters is not None:
        body["parameters"] = _read_parameters(parameters)
    with connect() as client:
        judge = client.post("/judges", body)
    if as_json:
        show_json(judge)
    else:
        show(*describe_judges({"items": [judge]}))


def describe_judges(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("There is no judge yet. A run that needs one stores models.yaml's default judge.")
        return
    yield table(
        ["judge", ">version", "~model", "~parameters", "created (UTC)"],
        [
            [
                judge["name"],
                count(judge["version"]),
                judge["model"],
                ", ".join(f"{key}={value}" for key, value in judge["parameters"].items()),
                moment(judge["created_at"]),
            ]
            for judge in page["items"]
        ],
    )


def _read_prompt(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"--prompt: {path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise Refused(f"--prompt: {path} can't be read: {error.strerror}.") from error


def _read_parameters(text: str) -> Json:
    try:
        parameters = json.loads(text)
    except ValueError as error:
        raise Refused(f"--parameters: is not JSON: {error}.") from error
    if not isinstance(parameters, dict):
        raise Refused('--parameters: is no JSON object. Write it as {"temperature": 0}.')
    return parameters
