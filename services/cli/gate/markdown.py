"""A gate's findings as Markdown, for a job's summary and a comment below a pull request.

Ids, names and answers are other people's text: they stand in code spans, where nothing is a link, a mention,
an image or a tag. What may be long is cut, so that the whole stays far below what GitHub takes (65 536).
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from services.cli.comparison import write_difference
from services.cli.gate.outcome import GateOutcome
from services.cli.gate.words import HEADS, headline, name_runs, rows, tell_deciding, tell_power
from services.cli.numbers import count, many, plain
from services.cli.server import Json

SHOWN_ROWS = 20
SHOWN_CHARACTERS = 100
SHOWN_NOTES = 20
NUMBERS = ("before", "after", "points", "interval", "broke", "fixed")
FINDINGS = {"pass": "not worse", "fail": "**worse**", "inconclusive": "open"}


def write_markdown(outcome: GateOutcome) -> str:
    """The finding first, then what it rests on, then what would decide it."""
    return "\n\n".join(_write_blocks(outcome)) + "\n"


def _write_blocks(outcome: GateOutcome) -> Iterator[str]:
    yield f"### Driftwarden gate: {headline(outcome)}"
    yield name_runs(outcome)
    if outcome.criteria:
        cells = [
            [criterion, code(model), found, wanted, so]
            for criterion, model, found, wanted, so in rows(outcome.criteria)
        ]
        yield _write_table(HEADS, cells)
    if outcome.notes:
        yield "\n".join(f"- {code(note, 500)}" for note in outcome.notes[:SHOWN_NOTES])
    if outcome.comparison is not None:
        yield from _write_comparison(outcome.comparison)
    if outcome.deciding is not None:
        yield tell_deciding(outcome.deciding)


def _write_comparison(comparison: Json) -> Iterator[str]:
    models = comparison["models"]
    yield _write_table(
        ("model", *NUMBERS, "so"),
        [[code(m["candidate_model"]), *write_difference(m), FINDINGS[m["verdict"]]] for m in models],
    )
    worse = [
        [code(model["candidate_model"]), code(category["category"]), *write_difference(category)]
        for model in models
        for category in model["categories"]
        if category["is_worse"]
    ]
    if worse:
        yield _write_table(("model", "worse in", *NUMBERS), worse)
    yield tell_power(comparison)
    flips = comparison["flips"]
    broken = [flip for flip in flips["items"] if flip["score_after"] < flip["score_before"]]
    if broken:
        yield f"<details><summary>{_tell_flips(flips)}</summary>"
        yield _write_table(
            ("question", "model", "answer before", "answer after"),
            [
                [
                    code(flip["question"]),
                    code(flip["model"]),
                    code(flip["answer_before"]),
                    code(flip["answer_after"]),
                ]
                for flip in broken
            ],
        )
        yield "</details>"


def _tell_flips(flips: Json) -> str:
    return f"{many(flips['broke'], 'question')} broke, {count(flips['fixed'])} were fixed"


def _write_table(heads: Sequence[str], cells: Sequence[Iterable[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *cells[:SHOWN_ROWS]]
    unseen = len(cells) - SHOWN_ROWS
    return "\n".join(
        [*(f"| {' | '.join(line)} |" for line in lines), *([f"\n… and {unseen} more."] if unseen > 0 else [])]
    )


def code(text: str | None, most: int = SHOWN_CHARACTERS) -> str:
    """Any text on one line as a code span that may stand in a table."""
    shown = plain(text or "")
    if not shown:
        return "–"
    if len(shown) > most:
        shown = shown[: most - 1] + "…"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    padding = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{padding}{shown}{padding}{fence}".replace("|", r"\|")
