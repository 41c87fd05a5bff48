"""`driftwarden audit`: who did what, and when."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.help import MANAGE, examples
from services.cli.numbers import moment
from services.cli.options import AsJson, Limit
from services.cli.render import more, sentence, show_answer, table
from services.cli.server import Json, connect

commands = typer.Typer()


@commands.command(
    rich_help_panel=MANAGE,
    epilog=examples("audit", "audit --actor ci", "audit --act key. --since 2026-11-01T00:00Z --limit 200"),
)
def audit(
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what the key of this name did.")
    ] = None,
    act: Annotated[
        str | None, typer.Option(metavar="ACT", help="Only such as run.submitted; run. is all of runs.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="NAME|ID", help="Only what was done to this.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on, such as 2026-11-01T00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Tell who did what, newest first. This needs a key of scope admin."""
    with connect() as client:
        page = client.list_items(
            "/audit", limit, actor=actor, act=act, subject=subject, since=since, until=until
        )
    show_answer(page, describe_audit, as_json)


def describe_audit(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("Nothing of that kind was done.")
        return
    yield table(
        ["when (UTC)", "who", "did", "~to", "~facts"],
        [
            [moment(each["at"]), each["actor"], each["act"], each["subject"], _tell_facts(each["facts"])]
            for each in page["items"]
        ],
    )
    if page.get("next_cursor"):
        yield more()


def _tell_facts(facts: Json) -> str:
    """Facts in one line; what was not given is left out."""
    return ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in facts.items()
        if value not in (None, "", [], {})
    )
