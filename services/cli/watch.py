"""Waiting for a run: its progress as the server tells it, on a bar or line by line."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from services.cli.client import Client
from services.cli.failures import Unreachable
from services.cli.numbers import count
from services.cli.render import tell
from services.cli.server import Json, segment

# The server sends a heartbeat more often than this.
SILENCE_SECONDS = 45.0
POLL_SECONDS = 2.0
PATIENCE_SECONDS = 300.0
UNMEASURED_STATES = ("unscored", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, in pairs; `planned` is None until it has been planned."""

    state: str
    planned: int | None = None
    done: int = 0
    not_measured: int = 0

    @classmethod
    def of(cls, state: str, planned: int | None, models: Sequence[Json]) -> "Progress":
        """Add up what the server tells of each model."""
        not_measured = sum(model[name] for model in models for name in UNMEASURED_STATES)
        scored = sum(model["scored"] for model in models)
        return cls(state, planned, scored + not_measured, not_measured)

    def __str__(self) -> str:
        if self.planned is None:
            return self.state
        unmeasured = f", {count(self.not_measured)} not measured" if self.not_measured else ""
        return f"{count(self.done)} of {count(self.planned)} done{unmeasured}"


Display: TypeAlias = Callable[[Progress], None]


def wait_for_run(client: Client, run_id: str) -> Json:
    """Show a run's progress until it is finished, and return it as it is then.

    Raises:
        Unreachable: the server has not answered for five minutes. The run may go on without us.
    """
    with _open_display() as display:
        for progress in follow_run(client, run_id):
            display(progress)
    return client.get(f"/runs/{segment(run_id)}")


def follow_run(client: Client, run_id: str) -> Iterator[Progress]:
    """Yield a run's progress until it is finished: from its events, by asking where they break off."""
    path = f"/runs/{segment(run_id)}"
    heard_at = time.monotonic()
    while True:
        try:
            for event in client.events(f"{path}/events", silence_seconds=SILENCE_SECONDS):
                heard_at = time.monotonic()
                told = json.loads(event.data)
                yield Progress.of(told["state"], told["planned_pairs"], told["models"])
                if event.name == "finished":
                    return
        except Unreachable:
            pass
        try:
            run = client.get(path)
        except Unreachable:
            if time.monotonic() - heard_at > PATIENCE_SECONDS:
                raise
        else:
            heard_at = time.monotonic()
            if run["finished_at"] is not None:
                return
            yield Progress.of(run["state"], run["planned_pairs"], run["progress"] or ())
        time.sleep(POLL_SECONDS)


@contextmanager
def _open_display() -> Iterator[Display]:
    """A bar if someone looks at stderr, else a line whenever another tenth is done."""
    if sys.stderr.isatty():
        with _open_bar() as display:
            yield display
    else:
        yield TenthsInLines()


class TenthsInLines:
    """Says how far it is, once for each tenth and each change of state."""

    def __init__(self) -> None:
        self._said: tuple[str, int] | None = None

    def __call__(self, progress: Progress) -> None:
        tenth = 10 * progress.done // progress.planned if progress.planned else 0
        if (progress.state, tenth) != self._said:
            self._said = (progress.state, tenth)
            tell(str(progress))


@contextmanager
def _open_bar() -> Iterator[Display]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("submitted", total=None)

        def display(progress: Progress) -> None:
            bar.update(task, description=str(progress), total=progress.planned, completed=progress.done)

        yield display
