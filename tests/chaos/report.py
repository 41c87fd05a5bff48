"""The table of what was tried and what came of it: for a terminal, for docs/operations.md, for machines."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.trial import Trial

HEADS = (
    "fault",
    "trials",
    "pairs",
    "lost",
    "doubled",
    "extra calls / in flight",
    "seconds to recover",
    "worst",
)
BEGIN, END = "<!-- chaos:begin -->", "<!-- chaos:end -->"


@dataclass(frozen=True, slots=True)
class Row:
    """All trials of one fault. Seconds are None where all was never well again."""

    fault: Fault
    trials: int
    pairs: int
    lost: int
    doubled: int
    extra_calls: int
    most_extra_calls: int
    median_seconds: float | None
    worst_seconds: float | None

    def cells(self) -> list[str]:
        return [
            self.fault.title,
            str(self.trials),
            f"{self.pairs:,}",
            str(self.lost),
            str(self.doubled),
            f"{self.extra_calls} / {self.most_extra_calls}",
            _seconds(self.median_seconds),
            _seconds(self.worst_seconds),
        ]


def sum_up(trials: Iterable[Trial]) -> list[Row]:
    """One row for each fault that was tried, in the order in which they are listed."""
    by_fault: dict[str, list[Trial]] = {}
    for trial in trials:
        by_fault.setdefault(trial.fault, []).append(trial)
    return [_sum_up(fault, by_fault[fault.name]) for fault in FAULTS if fault.name in by_fault]


def _sum_up(fault: Fault, trials: Sequence[Trial]) -> Row:
    seconds = [trial.recovered_seconds for trial in trials]
    known = [each for each in seconds if each is not None]
    return Row(
        fault,
        len(trials),
        sum(trial.pairs for trial in trials),
        sum(trial.lost for trial in trials),
        sum(trial.doubled for trial in trials),
        sum(trial.extra_calls for trial in trials),
        sum(trial.most_extra_calls for trial in trials),
        median(known) if known else None,
        max(known) if len(known) == len(seconds) else None,
    )


def print_table(console: Console, rows: Sequence[Row], skipped: Mapping[str, str]) -> None:
    table = Table(*HEADS)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row.cells())
    console.print(table)
    for title, reason in skipped.items():
        console.print(f"Not tried: {title}: {reason}.")


def write_page(page: Path, rows: Sequence[Row]) -> None:
    """Put the table between the two markers of a page, which is made where it is not there."""
    text = page.read_text() if page.exists() else f"{BEGIN}\n{END}\n"
    lines = ["| " + " | ".join(HEADS) + " |", "|---" + "|---:" * (len(HEADS) - 1) + "|"]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    table = "\n".join((BEGIN, *lines, END))
    new, times = re.subn(f"{BEGIN}.*?{END}", lambda _: table, text, flags=re.DOTALL)
    if times != 1:
        raise ValueError(f"{page} must have {BEGIN} and {END} once each.")
    page.write_text(new)


def as_json(rows: Sequence[Row], trials: Sequence[Trial]) -> dict[str, Any]:
    return {
        "faults": [{**asdict(row), "fault": row.fault.name} for row in rows],
        "trials": [asdict(trial) for trial in trials],
    }


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"
