"""What commands print: tables without boxes, facts, JSON; readable at 80 columns and in a pipe."""

import codecs
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.numbers import plain

T = TypeVar("T")
Cell: TypeAlias = str | Text

# In a pipe nothing is wrapped: one row is one line.
PIPE_COLUMNS = 10_000

# For outputs that can't show these characters, such as LC_ALL=POSIX.
SPELLED_PLAINLY = {
    "−": "-",
    "–": "-",
    "\N{NO-BREAK SPACE}": " ",
    "×": "x",
    "…": "...",
    "·": "-",
    "“": '"',
    "”": '"',
}

STATE_STYLES = {
    "completed": "",
    "failed": "red",
    "cancelled": "yellow",
    "stopped_by_budget": "yellow",
    "submitted": "cyan",
    "planned": "cyan",
    "running": "cyan",
    "pending": "cyan",
    "delivered": "",
    "dead": "red",
    "missed": "yellow",
    "paused": "yellow",
    "alert": "red",
    "alarm": "red",
    "watch": "yellow",
    "watched": "yellow",
    "no_data": "yellow",
    "open": "red",
    "acknowledged": "yellow",
}


def make_printable() -> None:
    """Let both outputs take every character, in plainer spelling where their encoding lacks it."""

    def spell_plainly(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        missing = error.object[error.start : error.end]
        return "".join(SPELLED_PLAINLY.get(char, "?") for char in missing), error.end

    codecs.register_error("spell_plainly", spell_plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="spell_plainly")


def show(*parts: RenderableType) -> None:
    """Print to stdout, one blank line between the parts."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        for number, part in enumerate(parts):
            if number:
                console.print()
            console.print(part)
    # Cells are filled up with spaces, which nobody wants in a pipe.
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def show_json(answer: Any) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def show_answer(answer: T, describe: Callable[[T], Iterable[RenderableType]], as_json: bool) -> None:
    """Print what the API answered: as it came, or described for people."""
    if as_json:
        show_json(answer)
    else:
        show(*describe(answer))


def tell(line: str) -> None:
    """Say something to the person at the terminal; stdout stays free for what was asked for."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on stderr that something takes its time, if anyone looks."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(what):
        yield


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str | None = None
) -> RenderableType:
    """Rows under heads. A head with `>` is a column of numbers, one with `~` a column of text that may wrap;
    all others keep each cell on one line.
    """
    body = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        name = column.lstrip(">~")
        if column.startswith("~"):
            body.add_column(name, overflow="fold")
        else:
            body.add_column(name, no_wrap=True, justify="right" if column.startswith(">") else "left")
    for row in rows:
        body.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    if title is None:
        return body
    return Group(Text(title, style="bold"), body)


def facts(pairs: Iterable[tuple[str, Cell | None]]) -> RenderableType:
    """Names with their values, one a line; what is absent is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(name, value if isinstance(value, Text) else Text(plain(value)))
    return grid


def sentence(text: str) -> RenderableType:
    return Text(plain(text))


def more() -> RenderableType:
    return sentence("There are more; --limit lists them.")


def state(name: str) -> Text:
    """The state of a run or a night as a word; colour is spent on what did not go as it should."""
    return Text(name.replace("_", " "), style=STATE_STYLES.get(name, ""))
