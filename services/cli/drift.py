"""`driftwarden drift`: is anything drifting, and how did it come to that?"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from services.cli.failures import Refused
from services.cli.help import LOOK, examples
from services.cli.ids import shorten
from services.cli.numbers import NOT_MEASURED, interval, ordinal, share
from services.cli.options import AsJson, Limit
from services.cli.render import Cell, more, sentence, show_answer, state, table
from services.cli.server import Json, connect
from shared.domain.telling.wording import name_stream, tell_budget

if TYPE_CHECKING:
    from services.cli.client import Client

NOTHING_WATCHED = (
    "Nothing is watched yet: settle a schedule with `driftwarden schedules set NAME --suite SUITE`,"
    " and wait for its first night."
)
OUTCOMES = {
    "quiet": "no change",
    "watched": "watch",
    "set_aside": "set aside",
    "silent": "nothing varied",
}
BREAK = "A new series: not to be compared with the nights before."

commands = typer.Typer()


@commands.command(
    rich_help_panel=LOOK,
    epilog=examples("drift", "drift --model atlas-large --history", "drift --stream category:math --json"),
)
def drift(
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this schedule watches.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only this model.")] = None,
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="STREAM", help="Only this, such as accuracy, category:math, latency or refusal."
        ),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Tell a model's nights one by one, the latest last.")
    ] = False,
    limit: Limit = 30,
    as_json: AsJson = False,
) -> None:
    """Tell whether anything drifts: where each watched model stands after its last night.

    `ok`: no change was found. `watch`: something may have moved, it is too early to say. `alert`: it moved,
    see the incident. `no data`: too little was measured.
    """
    if history:
        _show_history(schedule, model, stream, limit, as_json)
        return
    with connect() as client:
        answer = client.get("/drift", schedule=schedule, model=model, stream=stream)
    show_answer(answer, describe_standings, as_json)


def _show_history(
    schedule: str | None, model: str | None, stream: str | None, limit: int, as_json: bool
) -> None:
    if model is None:
        raise Refused("--history: is about one model. Name it with --model.")
    with connect() as client:
        page = client.list_items(
            "/drift/history", limit,
            schedule=schedule or _find_schedule(client, model), model=model, stream=stream,
        )  # fmt: skip
    show_answer(page, describe_history, as_json)


def _find_schedule(client: "Client", model: str) -> str:
    """The one schedule there is, or the one that watches this model."""
    known = [each["name"] for each in client.list_items("/schedules", 10_000)["items"]]
    if len(known) == 1:
        return str(known[0])
    watching = sorted({each["schedule"] for each in client.get("/drift", model=model)["items"]})
    if len(watching) != 1:
        candidates = ", ".join(watching or known) or "none yet"
        raise Refused(f"--schedule: tell which one is meant. There are: {candidates}.")
    return str(watching[0])


def describe_standings(answer: Json) -> Iterator[RenderableType]:
    """A table for each schedule, then a sentence for whatever is not well."""
    if not answer["items"]:
        yield sentence(NOTHING_WATCHED)
        return
    for schedule in dict.fromkeys(item["schedule"] for item in answer["items"]):
        rows = [item for item in answer["items"] if item["schedule"] == schedule]
        yield table(
            ["~model", "state", "since", "last night", ">correct", ">95 %", ">evidence", "~strongest in"],
            [_row(item) for item in rows],
            title=f"Schedule {schedule}",
        )
    unwell = [item for item in answer["items"] if item["state"] != "ok"]
    if unwell:
        yield Group(*(sentence(_say(item)) for item in unwell))
    budget = tell_budget(answer["nights_per_false_alarm"], answer["watched_models"])
    yield sentence(f"Evidence from ×1 on raises an alarm. {budget}")


def _row(item: Json) -> Sequence[Cell]:
    accuracy = item["accuracy"] or {}
    name = item["model"] if item["subject"] == "model" else _name_subject(item)
    return [
        name,
        state(item["state"]),
        item["since_night"] or NOT_MEASURED,
        item["last_night"] or NOT_MEASURED,
        share(accuracy.get("value")),
        interval(accuracy.get("lower"), accuracy.get("upper")),
        write_evidence(item["evidence_ratio"]),
        name_stream(item["leading_stream"]) if item["leading_stream"] else NOT_MEASURED,
    ]


def _name_subject(item: Json) -> str:
    return "the harness" if item["subject"] == "harness" else f"judge {item['model']}"


def _say(item: Json) -> str:
    incident = item["incident_id"]
    where = f" See `driftwarden incidents {shorten(incident)}`." if incident else ""
    told = str(item["told"])
    name = item["model"] if item["subject"] == "model" else _name_subject(item)
    return f"{told if told.startswith(name) else f'{name}: {told}'}{where}"


def write_evidence(ratio: float | None) -> str:
    """Evidence over what an alarm takes: `0.06`, `×1.3`, `×10^8`."""
    if ratio is None:
        return NOT_MEASURED
    if ratio < 1:
        return "<0.001" if ratio < 0.001 else f"{min(ratio, 0.999):.3f}"
    if ratio < 1000:
        return f"×{ratio:.{1 if ratio < 10 else 0}f}"
    return f"×10^{math.floor(math.log10(ratio))}"


def describe_history(page: Json) -> Iterator[RenderableType]:
    """A line for each entry, oldest first, with all that is special about it."""
    if not page["items"]:
        yield sentence("It has had no night yet.")
        return
    entries = page["items"][::-1]
    yield sentence(f"{page['model']} in {page['schedule']}: {name_stream(page['stream'])}, night by night.")
    former = [None, *entries]
    yield table(
        ["night", ">correct", ">95 %", ">evidence", "outcome", "~what happened"],
        [
            [
                entry["night"] + (f" ({ordinal(entry['attempt'])} again)" if entry["attempt"] else ""),
                share((entry["accuracy"] or {}).get("value")),
                interval((entry["accuracy"] or {}).get("lower"), (entry["accuracy"] or {}).get("upper")),
                write_evidence(entry["evidence_worse"]),
                _outcome(entry),
                " ".join(_notes(before, entry)),
            ]
            for before, entry in zip(former, entries, strict=False)
        ],
    )
    if page.get("next_cursor"):
        yield more()


def _outcome(entry: Json) -> Text:
    said = entry["outcome"] or "not seen yet"
    return Text(OUTCOMES.get(said, said), style=state(said).style)


def _notes(before: Json | None, entry: Json) -> Iterator[str]:
    if before is not None and before["series"] != entry["series"]:
        yield BREAK
    if entry["baseline_accepted"]:
        yield f"{entry['baseline_accepted']['by']} accepted a new baseline from here on."
    yield from entry["changes"]
    yield from entry["identity_changes"]
    if entry["told"]:
        yield entry["told"]
    if entry["incident_id"]:
        yield f"Incident {shorten(entry['incident_id'])}."
    if entry["is_imported"]:
        yield "Imported."
