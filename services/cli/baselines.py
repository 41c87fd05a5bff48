"""`driftwarden baselines`: the nights that slow decay is measured against."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.help import examples
from services.cli.numbers import moment
from services.cli.options import AsJson
from services.cli.render import sentence, show, show_answer, show_json, table
from services.cli.server import Json, connect

commands = typer.Typer(
    name="baselines",
    help="List and pin the nights that slow decay is measured against.",
    epilog=examples(
        "baselines list",
        "baselines set --schedule nightly --model atlas-large --first 2026-10-23 --last 2026-10-31",
    ),
    no_args_is_help=True,
)


@commands.command("list")
def list_baselines(
    schedule: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this schedule.")] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only of this model.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the baselines that people have pinned. All other models have the first seven nights of theirs."""
    with connect() as client:
        page = client.list_items("/baselines", 10_000, schedule=schedule, model=model)
    show_answer(page, describe_baselines, as_json)


@commands.command("set")
def pin_baseline(
    schedule: Annotated[str, typer.Option(metavar="NAME", help="The schedule.")],
    model: Annotated[str, typer.Option(metavar="MODEL", help="The model.")],
    first: Annotated[str, typer.Option(metavar="DATE", help="The first night, such as 2026-10-23.")],
    last: Annotated[str, typer.Option(metavar="DATE", help="The last night; seven are needed at least.")],
    as_json: AsJson = False,
) -> None:
    """Pin a model's baseline, in place of the one it had.

    Once a month the latest seven nights are compared with it. So a decay is found that is too slow for any
    night to show.
    """
    body = {"schedule": schedule, "model": model, "first_night": first, "last_night": last}
    with connect() as client:
        pinned = client.post("/baselines", body)
    if as_json:
        show_json(pinned)
    else:
        show(*describe_baselines({"items": [pinned]}))


def describe_baselines(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("None is pinned: each model is measured against the first seven nights of its series.")
        return
    yield table(
        ["schedule", "~model", "first night", "last night", "pinned (UTC)", "by"],
        [
            [
                each["schedule"],
                each["model"],
                each["first_night"],
                each["last_night"],
                moment(each["at"]),
                each["by"],
            ]
            for each in page["items"]
        ],
    )
