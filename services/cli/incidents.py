"""`driftwarden incidents`: what moved, its whole story, and what to do about it."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from services.cli.help import examples
from services.cli.ids import find_incident
from services.cli.incident_story import describe_incidents, tell_story
from services.cli.options import AsJson, Limit
from services.cli.render import show, show_answer, show_json, tell
from services.cli.server import connect

SHOW = "show"


class ByIdOrName(TyperGroup):
    """A group in which what is no command is an incident's id: `incidents 191b2cbd` shows it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else [SHOW, *args])


commands = typer.Typer(
    name="incidents",
    cls=ByIdOrName,
    help="List incidents, read them, act on them.",
    epilog=examples(
        "incidents",
        "incidents --status open",
        "incidents 191b2cbd",
        'incidents acknowledge 191b2cbd --note "I look into it."',
        "incidents accept-baseline 191b2cbd",
    ),
    subcommand_metavar="[ID | COMMAND [ARGS]...]",
)

IncidentId = Annotated[
    str, typer.Argument(metavar="ID", help="The incident's id, or the first 4 digits of it or more.")
]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for those who read it later.")]


@commands.callback(invoke_without_command=True)
def incidents(
    context: typer.Context,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only these: open, acknowledged or closed.")
    ] = None,
    schedule: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this schedule.")] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only about this model.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    context.obj = as_json
    if context.invoked_subcommand is not None:
        return
    with connect() as client:
        page = client.list_items("/incidents", limit, status=status, schedule=schedule, model=model)
    show_answer(page, describe_incidents, as_json)


@commands.command(SHOW)
def show_incident(context: typer.Context, incident: IncidentId, as_json: AsJson = False) -> None:
    """Tell an incident's whole story: what moved, since when, how sure that is, and who probably did it."""
    with connect() as client:
        found = client.get(f"/incidents/{find_incident(client, incident)}")
    if as_json or context.obj:
        show_json(found)
    else:
        show(*tell_story(found))


@commands.command()
def acknowledge(incident: IncidentId, note: Note = None, as_json: AsJson = False) -> None:
    """Say that you look after it: reminders stop, the incident stays open."""
    _act(incident, "acknowledge", note, "It is yours now; nobody is reminded of it any more.", as_json)


@commands.command()
def resolve(incident: IncidentId, note: Note = None, as_json: AsJson = False) -> None:
    """Close it because its cause is gone."""
    _act(incident, "resolve", note, "It is closed as resolved.", as_json)


@commands.command()
def dismiss(incident: IncidentId, note: Note = None, as_json: AsJson = False) -> None:
    """Close it as a false alarm."""
    _act(incident, "dismiss", note, "It is closed as a false alarm.", as_json)


@commands.command("accept-baseline")
def accept_baseline(
    incident: IncidentId,
    night: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="The new normal begins with this night [default: that of the change]."
        ),
    ] = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Close it because the model is now as it will be: from the change on, that is its normal."""
    said = "It is closed. From {night} on, the model's answers are its new normal."
    _act(incident, "accept-baseline", note, said, as_json, night=night)


def _act(incident: str, act: str, note: str | None, said: str, as_json: bool, **more: str | None) -> None:
    body = {name: value for name, value in {"note": note, **more}.items() if value is not None}
    with connect() as client:
        found = client.post(f"/incidents/{find_incident(client, incident)}/{act}", body)
    if as_json:
        show_json(found)
        return
    facts: Sequence[Any] = [event["facts"] for event in found["events"]]
    tell(said.format(night=facts[-1].get("night", "")))
