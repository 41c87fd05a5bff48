"""`driftwarden models`, `history` and `check-models`: who is best, since when, and who answers."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.help import LOOK, MANAGE, examples
from services.cli.leaderboard import describe_history, describe_leaderboard
from services.cli.numbers import NOT_MEASURED, seconds
from services.cli.options import (
    AsJson,
    Category,
    Limit,
    SuiteOfNewestRun,
)
from services.cli.render import busy, show_answer, table
from services.cli.server import Json, connect

# The server gives up on a model after 90 s.
CHECK_SECONDS = 120.0

commands = typer.Typer()


@commands.command(rich_help_panel=LOOK, epilog=examples("models", "models --suite golden --category math"))
def models(
    suite: SuiteOfNewestRun = None,
    category: Category = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only what this run measured.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rank the models by their newest completed runs.

    The 95 % interval is for other questions of this kind. A dash means that nothing was measured: it is never
    a zero.
    """
    with connect() as client:
        board = client.get("/models", suite=suite, category=category, run=run)
    show_answer(board, describe_leaderboard, as_json)


@commands.command(
    rich_help_panel=LOOK,
    epilog=examples("history --model atlas-large", "history --model atlas-large --category math"),
)
def history(
    model: Annotated[str, typer.Option(metavar="MODEL", help="Which model.")],
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="Only runs of this suite.")] = None,
    category: Category = None,
    limit: Limit = 30,
    as_json: AsJson = False,
) -> None:
    """Show how one model has done, run by run."""
    with connect() as client:
        past = client.list_items("/models/history", limit, model=model, suite=suite, category=category)
    show_answer(past, describe_history, as_json)


@commands.command(
    "check-models", rich_help_panel=MANAGE, epilog=examples("check-models", "check-models openai/gpt-4o")
)
def check_models(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Which [default: all of models.yaml].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask each model who it is, to see whether it answers.

    Exit code 1 if a model does not answer.
    """
    with connect() as client, busy("asking the models"):
        found = client.post(
            "/models:check", {"models": models} if models else {}, answer_seconds=CHECK_SECONDS
        )
    show_answer(found, describe_check, as_json)
    if not all(item["ok"] for item in found["items"]):
        raise typer.Exit(1)


def describe_check(found: Json) -> Iterator[RenderableType]:
    yield table(
        ["~model", "answers", ">seconds", "~served model", "~says"],
        [
            [
                item["model"],
                "yes" if item["ok"] else "no",
                seconds(item.get("latency_seconds")),
                item.get("served_model") or NOT_MEASURED,
                (item.get("says_it_is") if item["ok"] else item.get("error") or item.get("error_kind")) or "",
            ]
            for item in found["items"]
        ],
    )
