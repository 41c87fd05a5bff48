"""`driftwarden anchors`: frozen answers by which the judge itself is watched."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.failures import Refused
from services.cli.help import examples
from services.cli.numbers import count, many, moment, score, share
from services.cli.options import AsJson, Limit
from services.cli.render import facts, more, sentence, show, show_answer, show_json, table
from services.cli.server import Json, connect

HEADS = ("id", "score")
SHOWN_CHARACTERS = 60

commands = typer.Typer(
    name="anchors",
    help="Choose and label the answers that watch the judge.",
    epilog=examples(
        "anchors create --suite golden",
        "anchors label 17 0.5",
        "anchors label --file labels.csv",
        "anchors agreement --suite golden",
    ),
    no_args_is_help=True,
)

Suite = Annotated[str, typer.Option(metavar="NAME", help="The suite's name.")]


@commands.command("create", epilog=examples("anchors create --suite golden --borderline 60 --clear 30"))
def create_anchors(
    suite: Suite,
    borderline: Annotated[
        int | None,
        typer.Option(metavar="N", help="So many answers on which the judge wavers [default: 40]."),
    ] = None,
    clear: Annotated[
        int | None,
        typer.Option(metavar="N", help="So many that it always gave 0, or always 1 [default: 40]."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(metavar="N", help="Look at so many of the newest runs [default: 14].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Choose a suite's anchors from its stored answers; the judge scores them again every night.

    Choose them while the judge is one that you trust: from then on it is measured against them.
    """
    request = {"suite": suite, "borderline": borderline, "clear": clear, "runs": runs}
    with connect() as client:
        stored = client.post(
            "/anchors", {name: given for name, given in request.items() if given is not None}
        )
    if as_json:
        show_json(stored)
    else:
        show(describe_set(stored), sentence("They are judged from the next night on."))


@commands.command(
    "list", epilog=examples("anchors list --suite golden", "anchors list --suite golden --json")
)
def list_anchors(suite: Suite, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List a suite's anchors: what was asked and answered, the judge's score, and a person's."""
    with connect() as client:
        page = client.list_items("/anchors", limit, suite=suite)
    show_answer(page, describe_anchors, as_json)


@commands.command("label", epilog=examples("anchors label 17 1", "anchors label --file labels.csv"))
def label_anchors(
    anchor: Annotated[
        int | None,
        typer.Argument(metavar="ID", help="The anchor, as `driftwarden anchors list` numbers it."),
    ] = None,
    worth: Annotated[
        float | None, typer.Argument(metavar="SCORE", help="What its answer is worth, from 0 to 1.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Labels of many anchors, in the columns id and score.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what an anchor's answer is worth, as a person sees it."""
    if (file is None) == (anchor is None or worth is None) or (file and anchor is not None):
        raise Refused("Give an anchor's ID and a SCORE, or --file with many of them.")
    labels = read_labels(file) if file else [(anchor, worth)]
    with connect() as client:
        labelled = [client.post(f"/anchors/{number}/label", {"score": given}) for number, given in labels]
    if as_json:
        show_json({"items": labelled})
    else:
        show(sentence(f"{many(len(labelled), 'anchor')} labelled."))


def read_labels(file: Path) -> list[tuple[int, float]]:
    """Read a CSV file of `id,score`.

    Raises:
        Refused: it can't be read, or a line holds no such label; nothing has been sent.
    """
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"--file: {file} can't be read: {error}.") from error
    rows = csv.DictReader(lines)
    if not set(HEADS) <= set(rows.fieldnames or ()):
        raise Refused(f"--file: {file}, line 1: the columns id and score are needed.")
    labels: dict[int, float] = {}
    for row in rows:
        where = f"--file: {file}, line {rows.line_num}"
        try:
            number, given = int(row["id"]), float(row["score"])
        except (TypeError, ValueError):
            problem = f"{row['id']!r}, {row['score']!r} is no label. Write the anchor's number and its score."
            raise Refused(f"{where}: {problem}") from None
        if not 0 <= given <= 1:
            raise Refused(f"{where}: score {given:g} is outside 0 to 1.")
        if number in labels:
            raise Refused(f"{where}: anchor {number} is labelled twice.")
        labels[number] = given
    return list(labels.items())


@commands.command("agreement", epilog=examples("anchors agreement --suite golden"))
def show_agreement(suite: Suite, as_json: AsJson = False) -> None:
    """Tell how far the judge agrees with people, on the anchors that people have labelled."""
    with connect() as client:
        agreement = client.get("/anchors/agreement", suite=suite)
    show_answer(agreement, describe_agreement, as_json)


def describe_set(stored: Json) -> RenderableType:
    return facts(
        [
            ("suite", stored["suite"]),
            ("anchors", f"{count(stored['borderline'])} borderline, {count(stored['clear'])} clear"),
            ("weight", f"{share(stored['borderline_share'])} of the suite's answers are borderline"),
            ("labelled", count(stored["labelled"])),
            ("created", f"{moment(stored['created_at'])} by {stored['by']}"),
        ]
    )


def describe_anchors(page: Json) -> Iterator[RenderableType]:
    yield describe_set(page["set"])
    yield table(
        [">id", "stratum", "question", "~model", "~answer", ">score", ">label"],
        [
            [
                str(anchor["id"]),
                anchor["stratum"],
                anchor["question"],
                anchor["model"],
                anchor["response"][:SHOWN_CHARACTERS],
                score(anchor["score"]),
                score(anchor["label"]),
            ]
            for anchor in page["items"]
        ],
    )
    if page["next_cursor"]:
        yield more()


def describe_agreement(agreement: Json) -> Iterator[RenderableType]:
    """The finding, the four counts, and the strata, of which the borderline one is hard by its making."""
    if agreement["n"] == 0:
        yield sentence(
            "No anchor is labelled yet. Look at them with `driftwarden anchors list`,"
            " and label them with `driftwarden anchors label`."
        )
        return
    kappa = agreement["kappa"]
    told = (
        f"kappa {kappa['value']:.2f} ({kappa['lower']:.2f} to {kappa['upper']:.2f})"
        if kappa
        else "no kappa, for one of the two rates them all alike"
    )
    yield sentence(
        f"Judge and people agree on {share(agreement['share'])} of {many(agreement['n'], 'answer')}: {told}."
    )
    strata = agreement["by_stratum"]
    yield table(
        ["answers", ">labelled", ">agree", ">both pass", ">judge only", ">people only", ">both fail"],
        [
            [name, count(each["n"]), share(each["share"])]
            + [count(each[cell]) for cell in ("both_pass", "judge_only", "person_only", "both_fail")]
            for name, each in [*strata.items(), ("all", agreement)]
        ],
    )
    yield sentence(
        f"Borderline answers are {share(agreement['set']['borderline_share'])} of the suite's:"
        " on the whole suite the judge agrees more than on its anchors."
    )
