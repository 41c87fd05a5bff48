"""Whom the watch accuses, where it is known: `python -m tests.simulation.accusations [--write] [ROW ...]`.

With --write the numbers go into accusations.json and into docs/drift.md. About 15 minutes on one core.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from shared.domain.causes.blame import Cause
from tests.simulation.culprits import CULPRITS, NO_INCIDENT, Told, try_culprit
from tests.simulation.experiments import FLEET

STORED = Path(__file__).with_name("accusations.json")
PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
BEGIN, END = "<!-- culprits: begin -->", "<!-- culprits: end -->"
TRIALS = 60
COLUMNS = (
    Cause.MODEL, Cause.JUDGE, Cause.MIXED, Cause.UNDETERMINED, Cause.OUTAGE, Cause.HARNESS, Cause.SERVICE,
    NO_INCIDENT,
)  # fmt: skip

Row = TypedDict(
    "Row",
    {
        "trials": int,
        "at first": dict[str, int],
        "in the end": dict[str, int],
        "set aside": int,
        "closed by itself": int,
    },
)


def accuse(row: str, trials: int = TRIALS) -> Row:
    """How often which cause was told when the incident opened and two weeks later; counts of trials."""
    together = 1 if CULPRITS[row].hinges_on_anchors else FLEET
    told = [
        one
        for first in range(0, trials, together)
        for one in try_culprit(row, first, min(together, trials - first))
    ]
    return {
        "trials": trials,
        "at first": _count(told, "at_first"),
        "in the end": _count(told, "in_the_end"),
        "set aside": sum(one.quarantined for one in told),
        "closed by itself": sum(one.closed_by_itself for one in told),
    }


def _count(told: Sequence[Told], when: str) -> dict[str, int]:
    return dict(sorted(Counter(str(getattr(one, when)) for one in told).items()))


def show(accused: Mapping[str, Row]) -> str:
    """The table as Markdown: trials in which the cause was told at first, then two weeks later."""
    heads = ["what happened", "trials", *COLUMNS, "night set aside", "closed by itself"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, row in accused.items():
        cells = [_cell(row, cause) for cause in COLUMNS]
        ends = [str(row["set aside"]), str(row["closed by itself"])]
        lines.append(f"| {' | '.join([name, str(row['trials']), *cells, *ends])} |")
    return "\n".join(lines)


def _cell(row: Row, cause: str) -> str:
    first, end = row["at first"].get(cause, 0), row["in the end"].get(cause, 0)
    return f"{first} → {end}" if first or end else ""


def main(arguments: Sequence[str]) -> None:
    rows = [argument for argument in arguments if argument != "--write"] or list(CULPRITS)
    accused = json.loads(STORED.read_text()) if "--write" in arguments and STORED.exists() else {}
    for row in rows:
        accused[row] = accuse(row)
        print(row, file=sys.stderr)
    accused = {row: accused[row] for row in CULPRITS if row in accused}
    if "--write" in arguments:
        STORED.write_text(json.dumps(accused, indent=1) + "\n")
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{show(accused)}\n{END}{after}", encoding="utf-8")
    print(show(accused))


if __name__ == "__main__":
    main(sys.argv[1:])
