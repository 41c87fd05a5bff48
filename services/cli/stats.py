"""`driftwarden stats`: what has been measured lately, in one view."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.help import LOOK, examples
from services.cli.numbers import count, moment, seconds, share
from services.cli.options import AsJson
from services.cli.render import facts, show_answer, table
from services.cli.server import Json, connect

commands = typer.Typer()


class Period(StrEnum):
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    ALL = "all"


@commands.command(rich_help_panel=LOOK, epilog=examples("stats", "stats --period 30d --json"))
def stats(
    period: Annotated[
        Period, typer.Option(metavar="24h|7d|30d|90d|all", help="How far back to look.")
    ] = Period.WEEK,
    as_json: AsJson = False,
) -> None:
    """Sum up the completed runs of a period."""
    with connect() as client:
        summary = client.get("/stats", period=period)
    show_answer(summary, describe_stats, as_json)


def describe_stats(stats: Json) -> Iterator[RenderableType]:
    """The period's totals, its models and suites, and how it went from day to day."""
    summary, scores = stats["summary"], stats["score_distribution"]
    yield facts(
        [
            ("period", stats["period"]),
            ("completed runs", count(summary["runs"])),
            ("answers", count(summary["items"])),
            ("average score", share(summary["average_score"])),
            ("scores", ", ".join(f"{count(number)} {name}" for name, number in scores.items())),
        ]
    )
    if not summary["runs"]:
        return
    yield table(
        ["~model", ">accuracy", ">questions", ">runs"],
        [
            [top["model"], share(top["accuracy"]), count(top["questions"]), count(top["runs"])]
            for top in stats["top_models"]
        ],
    )
    yield table(
        ["~suite", ">average score", ">answers", ">runs"],
        [
            [top["suite"], share(top["average_score"]), count(top["items"]), count(top["runs"])]
            for top in stats["top_datasets"]
        ],
    )
    yield _describe_time(stats)


def _describe_time(stats: Json) -> RenderableType:
    latency = {row["at"]: row for row in stats["latency_over_time"]}
    return table(
        ["from (UTC)", ">runs", ">answers", ">average score", ">mean s", ">p95 s"],
        [
            [
                moment(row["at"]),
                count(row["runs"]),
                count(row["items"]),
                share(row["average_score"]),
                seconds(latency[row["at"]]["latency_mean_seconds"]),
                seconds(latency[row["at"]]["latency_p95_seconds"]),
            ]
            for row in stats["runs_over_time"]
        ],
    )
