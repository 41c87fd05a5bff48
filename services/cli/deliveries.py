"""`driftwarden deliveries`: what was sent to whom, and dead letters to be sent again."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.help import examples
from services.cli.ids import find_delivery, find_incident, shorten
from services.cli.numbers import NOT_MEASURED, moment
from services.cli.options import AsJson, Limit
from services.cli.render import facts, more, sentence, show_answer, show_json, state, table, tell
from services.cli.server import Json, connect

commands = typer.Typer(
    name="deliveries",
    help="List what was sent to whom, and send dead letters again.",
    epilog=examples(
        "deliveries",
        "deliveries list --state dead",
        "deliveries show 191b2cbd",
        "deliveries replay 191b2cbd",
    ),
)

DeliveryId = Annotated[
    str, typer.Argument(metavar="ID", help="The delivery's id, or the first 4 digits of it or more.")
]


@commands.callback(invoke_without_command=True)
def deliveries(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_deliveries()


@commands.command("list")
def list_deliveries(
    in_state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="Only these: pending, delivered, dead or gathered."),
    ] = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Only over this channel.")] = None,
    incident: Annotated[str | None, typer.Option(metavar="ID", help="Only about this incident.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List deliveries, newest first."""
    with connect() as client:
        about = find_incident(client, incident) if incident else None
        page = client.list_items("/deliveries", limit, state=in_state, channel=channel, incident=about)
    show_answer(page, describe_deliveries, as_json)


@commands.command("show")
def show_delivery(delivery: DeliveryId, as_json: AsJson = False) -> None:
    """Show a delivery and every attempt at it."""
    with connect() as client:
        found = client.get(f"/deliveries/{find_delivery(client, delivery)}")
    show_answer(found, describe_delivery, as_json)


@commands.command("replay")
def replay_delivery(delivery: DeliveryId, as_json: AsJson = False) -> None:
    """Send a dead letter again; a webhook also when it was delivered, under the same id."""
    with connect() as client:
        found = client.post(f"/deliveries/{find_delivery(client, delivery)}/replay")
    if as_json:
        show_json(found)
    else:
        tell("It is sent again.")


def describe_deliveries(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("Nothing of the kind was sent.")
        return
    yield table(
        ["delivery", "when (UTC)", "event", "~to", "state", ">attempts", "~last error"],
        [
            [
                shorten(one["id"]),
                moment(one["created_at"]),
                one["event"],
                one["channel"] or one["receiver"],
                state(one["state"]),
                str(one["attempts"]),
                one["last_error"] or "",
            ]
            for one in page["items"]
        ],
    )
    if page.get("next_cursor"):
        yield more()


def describe_delivery(delivery: Json) -> Iterator[RenderableType]:
    yield facts(
        [
            ("delivery", delivery["id"]),
            ("event", delivery["event"]),
            ("to", f"{delivery['channel'] or 'callback'} ({delivery['receiver']})"),
            ("state", state(delivery["state"])),
            ("told in", delivery["gathered_into"]),
            ("next", f"{moment(delivery['next_attempt_at'])} UTC" if delivery["next_attempt_at"] else None),
            ("last error", delivery["last_error"]),
        ]
    )
    yield table(
        [">attempt", "when (UTC)", "outcome", "status", "~detail"],
        [
            [
                str(one["number"]),
                moment(one["begun_at"]),
                one["outcome"] or "under way",
                str(one["status"] or NOT_MEASURED),
                one["detail"],
            ]
            for one in delivery["log"]
        ],
    )
