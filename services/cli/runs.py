"""`driftwarden runs`, `show` and `cancel`: what has been measured, and what is being measured."""

from typing import Annotated

import typer

from services.cli.help import LOOK, MEASURE, examples
from services.cli.ids import find_run
from services.cli.options import AsJson, Limit, RunArgument
from services.cli.render import show_answer, show_json, tell
from services.cli.run_tables import describe_run, describe_runs
from services.cli.server import connect, segment

commands = typer.Typer()


@commands.command(rich_help_panel=LOOK, epilog=examples("runs", "runs --suite golden --state failed --json"))
def runs(
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Only runs in this state, such as running or completed."),
    ] = None,
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="Only runs of this suite.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Only runs that measure this model.")
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    with connect() as client:
        page = client.list_items("/runs", limit, state=state, suite=suite, model=model)
    show_answer(page, describe_runs, as_json)


@commands.command("show", rich_help_panel=LOOK)
def show_run(run: RunArgument, as_json: AsJson = False) -> None:
    """Show one run: its progress, in the end its results."""
    with connect() as client:
        detail = client.get(f"/runs/{segment(find_run(client, run))}")
    show_answer(detail, describe_run, as_json)


@commands.command(rich_help_panel=MEASURE)
def cancel(run: RunArgument, as_json: AsJson = False) -> None:
    """Stop a run. Questions that are being answered at this moment are still scored; the rest is skipped."""
    with connect() as client:
        stopping = client.post(f"/runs/{segment(find_run(client, run))}/cancel")
    if as_json:
        show_json(stopping)
    else:
        tell(f"The run stops. See what it has measured with `driftwarden show {run}`.")
