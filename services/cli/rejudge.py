"""`driftwarden rejudge`: the same answers, scored by another judge."""

from typing import Annotated
from uuid import uuid4

import typer

from services.cli.failures import Refused
from services.cli.help import MEASURE, examples
from services.cli.numbers import many
from services.cli.options import AllowSelfJudging, AsJson, Wait
from services.cli.render import sentence, show, show_json, state, table, tell
from services.cli.server import Json, connect, segment
from services.cli.submit import announce, wait_and_show

commands = typer.Typer()


@commands.command(
    rich_help_panel=MEASURE,
    epilog=examples("rejudge RUN --judge strict --wait", "rejudge --schedule nightly --judge strict"),
)
def rejudge(
    judge: Annotated[str, typer.Option(metavar="JUDGE", help="A judge's or a model's name.")],
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run's id, as `driftwarden runs` lists it.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="Judge the last nights of this schedule again.")
    ] = None,
    nights: Annotated[
        int | None, typer.Option(metavar="N", help="How many nights of the schedule [default: 30].")
    ] = None,
    allow_self_judging: AllowSelfJudging = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Score stored answers again with another judge.

    No model is asked, and only the judge costs anything. The original run stays as it is: `driftwarden
    compare RUN NEW-RUN` sets the two judges side by side. Of a schedule, each night then counts as scored by
    this judge.
    """
    if (run is None) == (schedule is None):
        raise Refused("Give a RUN, or a --schedule.")
    if run is not None and nights is not None:
        raise Refused("--nights: is for a --schedule.")
    if schedule is not None and wait:
        raise Refused("--wait: is for one RUN. Look at those of a schedule with `driftwarden runs`.")
    body: Json = {"judge": judge, **({"allow_self_judging": True} if allow_self_judging else {})}
    if schedule is not None:
        _rejudge_nights(schedule, {**body, **({"nights": nights} if nights is not None else {})}, as_json)
        return
    assert run is not None
    with connect() as client:
        accepted = client.post_once(f"/runs/{segment(run)}/rejudge", body, idempotency_key=str(uuid4()))
        if wait:
            wait_and_show(client, accepted, as_json)
        else:
            announce(accepted, as_json)


def _rejudge_nights(schedule: str, body: Json, as_json: bool) -> None:
    with connect() as client:
        accepted = client.post(f"/schedules/{segment(schedule)}/rejudge", body)
    if as_json:
        show_json(accepted)
        return
    runs = accepted["runs"]
    if not runs:
        show(sentence(f"These nights of {schedule} count as scored by {body['judge']} already."))
        return
    show(
        table(["run", "judges", "state"], [[run["id"], run["rejudges"], state(run["state"])] for run in runs])
    )
    tell(
        f"{many(len(runs), 'run')} accepted. Each night counts as scored by {body['judge']} once it is done."
    )
