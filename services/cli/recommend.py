"""`driftwarden recommend`: which model for which need."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.help import LOOK, examples
from services.cli.numbers import NOT_MEASURED, plain
from services.cli.options import (
    AsJson,
    Category,
    SuiteOfNewestRun,
)
from services.cli.render import sentence, show_answer, table
from services.cli.server import Json, connect

NEEDS = {
    "best": "best answers",
    "value": "best value",
    "fastest": "fastest",
    "cheapest_within_loss": "cheapest within {loss} points",
}

commands = typer.Typer()


@commands.command(rich_help_panel=LOOK, epilog=examples("recommend", "recommend --suite golden --loss 0.05"))
def recommend(
    suite: SuiteOfNewestRun = None,
    category: Category = None,
    loss: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="How far behind the best is good enough, such as 0.03 for 3 points."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recommend a model for each need, with the reason.

    The best value is the cheapest of the models that could be the first. Each side of an interval holds with
    95 %.
    """
    with connect() as client:
        advice = client.get("/recommendation", suite=suite, category=category, loss=loss)
    show_answer(advice, describe_recommendation, as_json)


def describe_recommendation(advice: Json) -> Iterator[RenderableType]:
    """One line for each need, then what to know before."""
    if not advice["items"] and not advice["warnings"]:
        yield sentence("No run has been completed yet. Start one with `driftwarden run --suite NAME`.")
        return
    loss = f"{100 * advice['loss']:g}"
    rows = [
        [NEEDS[item["need"]].format(loss=loss), item["model"] or NOT_MEASURED, plain(item["reason"])]
        for item in advice["items"]
    ]
    rows += [["warning", ", ".join(one["models"]), plain(one["told"])] for one in advice["warnings"]]
    yield table(["for", "~take", "~because"], rows)
