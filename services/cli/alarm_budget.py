"""`driftwarden budget`: how easily the watch may alarm."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.help import examples
from services.cli.numbers import NOT_MEASURED, count, many, moment
from services.cli.options import AsJson
from services.cli.render import sentence, show_answer, table
from services.cli.server import Json, connect

commands = typer.Typer()


@commands.command("budget", epilog=examples("budget", "budget 730", "budget --suite golden"))
def alarm_budget(
    nights: Annotated[
        float | None,
        typer.Argument(metavar="NIGHTS", help="At most one false alarm in so many nights, from now on."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="The suite to tell it for [default: a schedule's].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or set how easily the watch may alarm.

    It is one budget for all models and schedules. Rarer false alarms cost sight: the table tells how much.
    Nights that were measured keep the budget that they had.
    """
    with connect() as client:
        if nights is not None:
            client.put("/alarm-budget", {"nights_per_false_alarm": nights})
        budget = client.get("/alarm-budget", suite=suite)
    show_answer(budget, describe_budget, as_json)


def describe_budget(budget: Json) -> Iterator[RenderableType]:
    by = (
        f"set by {budget['set_by']}, {moment(budget['set_at'])}"
        if budget["set_at"]
        else "the server's setting"
    )
    yield sentence(
        f"At most one false alarm in {budget['nights_per_false_alarm']:g} nights, over"
        f" {many(budget['watched_models'], 'watched model')} ({by})."
    )
    if budget["suite"] is None:
        return
    yield table(
        [">nights", ">false alarms a year", ">drop seen in 7 nights", ">nights to 10 points"],
        [
            [
                f"{one['nights_per_false_alarm']:g}",
                f"{one['false_alarms_a_year']:.2f}",
                NOT_MEASURED
                if one["drop_within_week"] is None
                else f"{100 * one['drop_within_week']:.1f} points",
                count(one["nights_to_ten_points"]),
            ]
            for one in budget["choices"]
        ],
    )
    yield sentence(
        f"Drops are those of {budget['suite']}, {many(budget['questions'], 'question')} a night, seen in"
        " 8 of 10 cases; measured on simulated models."
    )
