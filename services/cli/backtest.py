"""`driftwarden backtest`: what the watch would have told over history, night by night."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from services.cli.failures import Refused
from services.cli.help import LOOK, examples
from services.cli.numbers import many, points, share
from services.cli.options import AsJson
from services.cli.render import busy, sentence, show_answer, table
from services.cli.server import Json, connect

PATIENCE_SECONDS = 900.0
SHOWN_REASONS = 3
KINDS = {
    "opened": "ALARM",
    "joined": "more",
    "reminded": "reminder",
    "recovered": "recovered",
    "outage_over": "outage over",
    "left": "asked no more",
}

commands = typer.Typer()


@commands.command(
    rich_help_panel=LOOK,
    epilog=examples(
        "backtest --suite golden --model atlas-large",
        "backtest --schedule nightly --nights-per-false-alarm 90",
    ),
)
def backtest(
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go over a schedule's sequence …")
    ] = None,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="… or over all completed runs of a suite.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="Only this; repeat for more.")
    ] = None,
    runs: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the last N entries.")] = None,
    nights_per_false_alarm: Annotated[
        float | None, typer.Option(metavar="NIGHTS", min=1, help="How rarely to alarm without a reason.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what the watch would have told, had it been there: when, and why; and what it would not have.

    Imported results count like any other run. Nothing is stored.
    """
    if (schedule is None) == (suite is None):
        raise Refused("backtest: name one of --schedule and --suite.")
    asked: dict[str, Any] = {
        "schedule": schedule, "suite": suite, "models": models or None, "runs": runs,
        "nights_per_false_alarm": nights_per_false_alarm,
    }  # fmt: skip
    body = {name: value for name, value in asked.items() if value is not None}
    with connect() as client, busy("Going over history …"):
        found = client.post("/backtest", body, answer_seconds=PATIENCE_SECONDS)
    show_answer(found, describe_backtest, as_json)


def describe_backtest(found: Json) -> Iterator[RenderableType]:
    """What would have been told, night by night; what came near it; one line that sums it up."""
    told = sorted(_tell_nights(found["items"]), key=lambda row: row[0])
    if told:
        yield table(["night", "what", "~told"], told)
    else:
        yield sentence("Nothing would have been told.")
    yield table(
        ["~watched", ">entries", "now", ">nights in watch", "~came nearest to an alarm", "would notice"],
        [_describe_record(record) for record in found["items"]],
    )
    yield sentence(found["summary"]["sentence"])


def _tell_nights(records: list[Json]) -> Iterator[list[str]]:
    for record in records:
        for event in record["events"]:
            yield [event["night"], KINDS.get(event["kind"], event["kind"]), _tell_event(record, event)]
        for better in record["improvements"]:
            yield [better["night"], "better", better["headline"]]
        for night in record["quarantined_nights"]:
            told = f"{record['model']}: an outage that passed; the night does not count."
            yield [night, "set aside", told]


def _tell_event(record: Json, event: Json) -> str:
    from shared.domain.telling.wording import name_stream  # numpy comes with it

    match event["kind"]:
        case "opened":
            reasons = " ".join(event["because"][:SHOWN_REASONS])
            return f"{event['headline']} {event['severity']}, cause: {event['cause']}. {reasons}{_why(event)}"
        case "joined":
            names = ", ".join(name_stream(stream) for stream in event["joined"])
            return f"{record['model']}: it shows in {names}, too."
        case "reminded":
            return f"{event['headline']} Cause: {event['cause']}."
        case _:
            return f"{record['model']} is back where it was (cause: {event['cause']})."


def _why(event: Json) -> str:
    from shared.domain.telling.wording import tell_evidence

    where = [
        f"{each['category']} {points(each['value'])}" for each in event["categories"] if each["is_worse"]
    ]
    named = f" Worse: {', '.join(where)}." if where else ""
    if event["evidence_ratio"] is None:
        return named
    return f"{named} {_sentence(tell_evidence(event['evidence_ratio']))}"


def _describe_record(record: Json) -> list[str]:
    from shared.domain.telling.wording import name_stream

    nearest, sensitivity = record["nearest"], record["sensitivity"]
    return [
        record["model"] if record["subject"] == "model" else f"{record['subject']} {record['model']}",
        str(record["entries"]),
        record["state"].replace("_", " "),
        str(len(record["watched_nights"])),
        f"{name_stream(nearest['stream'])} on {nearest['night']}: {_percent(nearest['evidence_ratio'])}"
        if nearest
        else "",
        f"{share(sensitivity['drop'])} in {many(sensitivity['nights'], 'night')}" if sensitivity else "",
    ]


def _percent(ratio: float) -> str:
    return share(min(ratio, 1.0))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
