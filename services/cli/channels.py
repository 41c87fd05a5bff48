"""`driftwarden channels`: where people and programs are told of incidents."""

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.failures import Refused
from services.cli.help import examples
from services.cli.numbers import NOT_MEASURED
from services.cli.options import AsJson
from services.cli.render import sentence, show_answer, show_json, table, tell
from services.cli.server import Json, connect, segment

WAIT_SECONDS = 25.0
POLL_SECONDS = 0.3

commands = typer.Typer(
    name="channels",
    help="Say where people are told of incidents. Changing channels needs a key of scope admin.",
    epilog=examples(
        "channels add team slack https://hooks.slack.com/services/T000/B000/XXXX",
        "channels add pipeline webhook https://ci.example.org/drift --min-severity major",
        "channels test team",
        "channels",
    ),
)


class Kind(StrEnum):
    SLACK = "slack"
    WEBHOOK = "webhook"
    EMAIL = "email"
    APPRISE = "apprise"


Name = Annotated[str, typer.Argument(metavar="NAME", help="The channel's name.")]


@commands.callback(invoke_without_command=True)
def channels(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_channels(as_json)


@commands.command("list")
def list_channels(as_json: AsJson = False) -> None:
    """List all channels. Of where they lead, only a hint is shown."""
    with connect() as client:
        page = client.list_items("/channels", 10_000)
    show_answer(page, describe_channels, as_json)


@commands.command(
    "add",
    epilog=examples(
        "channels add team slack https://hooks.slack.com/services/T000/B000/XXXX --weekly",
        "channels add oncall email oncall@example.org --min-severity critical",
        "channels add chat apprise discord://ID/TOKEN --model atlas-large",
    ),
)
def add_channel(
    name: Name,
    kind: Annotated[Kind, typer.Argument(metavar="slack|webhook|email|apprise", help="How it is reached.")],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Its address; of e-mail, addresses with commas between; - reads it from stdin.",
        ),
    ],
    min_severity: Annotated[
        str | None,
        typer.Option(metavar="SEVERITY", help="The least to tell: small, minor, major or critical."),
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="Only this model; repeat for more.")
    ] = None,
    suites: Annotated[
        list[str] | None, typer.Option("--suite", metavar="SUITE", help="Only this suite; repeat for more.")
    ] = None,
    weekly: Annotated[bool, typer.Option("--weekly", help="Also tell the fleet's week on Mondays.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a channel. A webhook's secret is printed; it can't be shown again.

    The address is stored encrypted. To keep it out of the shell's history, give - and type it in.
    """
    body: Json = {"name": name, "kind": kind, "target": input() if target == "-" else target}
    chosen = {"min_severity": min_severity, "models": models or None, "suites": suites or None}
    body |= {key: value for key, value in chosen.items() if value is not None}
    with connect() as client:
        channel = client.post("/channels", {**body, "weekly_digest": weekly})
    if as_json:
        show_json(channel)
        return
    if channel["secret"]:
        print(channel["secret"])
        tell("This is what its messages are signed with. Keep it now: it can't be shown again.")
    tell(f"Added. Try it with `driftwarden channels test {name}`.")


@commands.command("test")
def try_channel(name: Name, as_json: AsJson = False) -> None:
    """Send a test message, and say what came of it."""
    with connect() as client:
        delivery = client.post(f"/channels/{segment(name)}/test")
        until = time.monotonic() + WAIT_SECONDS
        while delivery["state"] == "pending" and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            delivery = client.get(f"/deliveries/{delivery['id']}")
    if as_json:
        show_json(delivery)
    if delivery["state"] == "dead":
        raise Refused(f"It did not get through. {delivery['last_error']}")
    if delivery["state"] == "pending":
        raise Refused("Nobody has sent it yet: is a scheduler running?")
    if not as_json:
        tell(f"It has arrived: {delivery['receiver']}.")


@commands.command("rotate")
def rotate_secret(name: Name, as_json: AsJson = False) -> None:
    """Give a webhook another secret. For 24 hours its messages are signed with both."""
    with connect() as client:
        answer = client.post(f"/channels/{segment(name)}/rotate-secret")
    if as_json:
        show_json(answer)
        return
    print(answer["secret"])
    tell("For 24 hours messages carry both signatures. Give this one to the receiver until then.")


@commands.command("enable")
def enable_channel(name: Name) -> None:
    """Send over a disabled channel again, from now on."""
    with connect() as client:
        client.patch(f"/channels/{segment(name)}", {"is_enabled": True})
    tell("It is enabled. What was missed are dead letters: `driftwarden deliveries list --state dead`.")


@commands.command("remove")
def remove_channel(name: Name) -> None:
    """Remove a channel with its secrets. What was sent over it stays on record."""
    with connect() as client:
        client.delete(f"/channels/{segment(name)}")
    tell("The channel is removed.")


@commands.command("callback-secret")
def show_callback_secret(as_json: AsJson = False) -> None:
    """Print what callbacks of runs are signed with, for those who receive them."""
    with connect() as client:
        answer = client.get("/callback-secret")
    if as_json:
        show_json(answer)
    else:
        print(answer["secret"])


def describe_channels(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("There is no channel yet. Add one with `driftwarden channels add NAME KIND TARGET`.")
        return
    yield table(
        ["channel", "kind", "~target", "from", "~told of", "weekly", "~state"],
        [
            [
                one["name"],
                one["kind"],
                one["target"],
                one["min_severity"],
                _name_routing(one),
                "yes" if one["weekly_digest"] else NOT_MEASURED,
                one["disabled_because"] or one["state"],
            ]
            for one in page["items"]
        ],
    )


def _name_routing(channel: Json) -> str:
    chosen = [*(channel["models"] or ()), *(f"suite {name}" for name in channel["suites"] or ())]
    return ", ".join(chosen) or "everything"
