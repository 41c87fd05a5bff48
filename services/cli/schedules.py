"""`driftwarden schedules`: what runs by itself, night after night, and is watched for drift."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from services.cli.help import examples
from services.cli.numbers import NOT_MEASURED, count, many, moment, ordinal, usd
from services.cli.options import AsJson, JudgeOfModelsFile, Limit, Models, Repeats, Wait
from services.cli.render import facts, more, sentence, show, show_answer, show_json, state, table, tell
from services.cli.server import Json, connect, segment
from services.cli.submit import announce, wait_and_show

commands = typer.Typer(
    name="schedules",
    help="List schedules, settle them, open their nights.",
    epilog=examples(
        "schedules",
        'schedules set nightly --suite golden --cron "0 2 * * *" --time-zone Europe/Berlin',
        "schedules show nightly",
        "schedules trigger nightly --wait",
    ),
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


PromptOfNights = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A prompt: its newest version each night, or NAME@2 for that one."),
]


@commands.callback(invoke_without_command=True)
def schedules(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_schedules(as_json)


@commands.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List all schedules with their last nights."""
    with connect() as client:
        page = client.list_items("/schedules", 10_000)
    show_answer(page, describe_schedules, as_json)


@commands.command(
    "set",
    epilog=examples(
        "schedules set nightly --suite golden",
        "schedules set weekly --suite golden --repeats 3 --cron '30 4 * * SUN' --max-cost-usd 20",
    ),
)
def set_schedule(
    name: Name,
    suite: Annotated[
        str, typer.Option(metavar="NAME", help="The suite; each night asks its newest version.")
    ],
    models: Models = None,
    judge: JudgeOfModelsFile = None,
    prompt: PromptOfNights = None,
    cron: Annotated[
        str | None,
        typer.Option(metavar="CRON", help="When it comes due, once a day at most [default: 0 2 * * *]."),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Whose clock that is, such as Europe/Berlin [default: UTC]."),
    ] = None,
    repeats: Repeats = None,
    sample: Annotated[
        int | None, typer.Option(metavar="N", help="Ask only so many questions, the same each night.")
    ] = None,
    max_cost_usd: Annotated[
        float | None, typer.Option(metavar="USD", help="Stop a night's run when it has cost this much.")
    ] = None,
    confirmations: Annotated[
        int | None,
        typer.Option(metavar="0..2", help="Ask suspicious models again so often at once [default: 2]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Settle a schedule, new or known. What is left out has its default, whatever it was before.

    A schedule that is paused stays so.
    """
    terms = {
        "models": models or None,
        "judge": judge,
        "prompt": prompt,
        "cron": cron,
        "time_zone": time_zone,
        "repeats": repeats,
        "sample": sample,
        "max_cost_usd": max_cost_usd,
        "confirmations": confirmations,
    }
    # What was not chosen is the server's to choose.
    chosen: Json = {key: value for key, value in terms.items() if value is not None}
    with connect() as client:
        known = {each["name"]: each for each in client.list_items("/schedules", 10_000)["items"]}
        kept = {key: known[name][key] for key in ("is_paused", "renotify_days")} if name in known else {}
        schedule = client.put(f"/schedules/{segment(name)}", {"suite": suite, **chosen, **kept})
    if as_json:
        show_json(schedule)
        return
    show(_describe_terms(schedule))
    tell(_say_what_comes(schedule))


@commands.command("show")
def show_schedule(name: Name, limit: Limit = 10, as_json: AsJson = False) -> None:
    """Show a schedule and its latest nights.

    The newest night comes first. As JSON, both are in one object.
    """
    with connect() as client:
        schedule = client.get(f"/schedules/{segment(name)}")
        nights = client.list_items(f"/schedules/{segment(name)}/nights", limit)
    if as_json:
        show_json({"schedule": schedule, "nights": nights})
    else:
        show(_describe_terms(schedule), *describe_nights(nights))


@commands.command("trigger", epilog=examples("schedules trigger nightly --wait"))
def trigger_night(
    name: Name,
    night: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Open the night of this date, such as 2026-11-21 [default: today]."
        ),
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Open a night now, without waiting until it comes due.

    A night that has run is confirmed: its models are asked once more, twice at most. Nights only go forward,
    so after a later date the schedule goes on behind that one.
    """
    with connect() as client:
        run = client.post(f"/schedules/{segment(name)}/trigger", {"night": night} if night else {})
        if not as_json:
            again = f"the {ordinal(run['attempt'])} confirmation of " if run["attempt"] else ""
            tell(f"This is {again}the night of {run['night']}.")
        if wait:
            wait_and_show(client, run, as_json)
        else:
            announce(run, as_json)


@commands.command("pause")
def pause_schedule(name: Name, as_json: AsJson = False) -> None:
    """Pause a schedule. No night of it is opened, and none counts as missed; a run that is open goes on."""
    _change(name, "pause", as_json)


@commands.command("resume")
def resume_schedule(name: Name, as_json: AsJson = False) -> None:
    """Let a paused schedule go on with the next night that comes due."""
    _change(name, "resume", as_json)


@commands.command("set-aside", epilog=examples("schedules set-aside nightly 2026-11-21 --model gpt-4o"))
def set_night_aside(
    name: Name,
    night: Annotated[str, typer.Argument(metavar="NIGHT", help="Its date, such as 2026-11-21.")],
    model: Annotated[str, typer.Option(metavar="M", help="The model that it says nothing about.")],
    attempt: Annotated[
        int, typer.Option(min=0, max=2, metavar="N", help="1 or 2: the run that confirmed it.")
    ] = 0,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who read it later.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Let it count again.")] = False,
) -> None:
    """Set a night aside for a model, as if it had not been measured. Evidence is computed anew."""
    path = f"/schedules/{segment(name)}/nights/{segment(night)}/quarantine"
    with connect() as client:
        if undo:
            client.delete(path, model=model, attempt=attempt)
            tell(f"The night of {night} counts for {model}.")
        else:
            client.post(path, {"model": model, "attempt": attempt, "note": note})
            tell(f"The night of {night} is set aside for {model}. --undo lets it count again.")


def _change(name: str, act: str, as_json: bool) -> None:
    with connect() as client:
        schedule = client.post(f"/schedules/{segment(name)}/{act}")
    if as_json:
        show_json(schedule)
    else:
        tell(_say_what_comes(schedule))


def describe_schedules(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence(
            "There is no schedule yet. Settle one with `driftwarden schedules set NAME --suite SUITE`."
        )
        return
    yield table(
        ["schedule", "~suite", "~when", "~last night", "next (UTC)"],
        [
            [
                each["name"],
                each["suite"],
                f"{each['cron']} {each['time_zone']}",
                _name_last(each["last_night"]),
                state("paused") if each["is_paused"] else moment(each["next_due_at"]),
            ]
            for each in page["items"]
        ],
    )


def describe_nights(page: Json) -> Iterator[RenderableType]:
    """A row for each run of each night, and one for each night that was missed."""
    if not page["items"]:
        yield sentence("It has had no night yet.")
        return
    yield table(
        ["night", "state", "run", "~note"],
        [row for night in page["items"] for row in _describe_night(night)],
    )
    if page.get("next_cursor"):
        yield more()


def _describe_night(night: Json) -> Iterator[list[str | Text]]:
    if not night["runs"]:
        yield [night["night"], state(night["state"]), NOT_MEASURED, night["reason"] or ""]
    for run in night["runs"]:
        note = f"{ordinal(run['attempt'])} confirmation" if run["attempt"] else ""
        yield [night["night"], state(run["state"]), run["run_id"], note]


def _describe_terms(schedule: Json) -> RenderableType:
    limit = schedule["max_cost_usd"]
    return facts(
        [
            ("schedule", schedule["name"]),
            ("suite", f"{schedule['suite']}, its newest version"),
            ("models", ", ".join(schedule["models"] or ["all of models.yaml but the judge"])),
            ("judge", schedule["judge"] or "the default one"),
            ("prompt", schedule["prompt"] and _name_prompt(schedule["prompt"])),
            ("when", _name_times(schedule)),
            ("repeats", count(schedule["repeats"]) if schedule["repeats"] > 1 else None),
            ("questions", f"a sample of {count(schedule['sample'])}" if schedule["sample"] else None),
            ("stops at", f"{usd(limit)} USD" if limit is not None else None),
            ("confirms", f"{many(schedule['confirmations'], 'time')} at most"),
            ("next", state("paused") if schedule["is_paused"] else f"{moment(schedule['next_due_at'])} UTC"),
            ("missed", many(schedule["nights_missed"], "night") if schedule["nights_missed"] else None),
        ]
    )


def _name_prompt(reference: str) -> str:
    return reference if "@" in reference else f"{reference}, its newest version"


def _name_times(schedule: Json) -> str:
    """`At 02:00 every day, Europe/Berlin time (0 2 * * *)`."""
    from cronsim import CronSim

    spoken = CronSim(schedule["cron"], datetime.min).explain()
    return f"{spoken}, {schedule['time_zone']} time ({schedule['cron']})"


def _name_last(night: Json | None) -> Text:
    if night is None:
        return Text(NOT_MEASURED)
    return Text(f"{night['night']} ").append_text(state(night["run_state"] or night["state"]))


def _say_what_comes(schedule: Json) -> str:
    if schedule["is_paused"]:
        return f"It is paused. Let it go on with `driftwarden schedules resume {schedule['name']}`."
    return f"Its next night comes due at {moment(schedule['next_due_at'])} UTC."
