"""A gate's findings on the terminal."""

from collections.abc import Iterator

from rich.console import RenderableType

from services.cli.comparison import describe_comparison
from services.cli.gate.outcome import GateOutcome
from services.cli.gate.words import HEADS, headline, name_runs, rows, tell_deciding, tell_power
from services.cli.render import sentence, table


def describe_gate(outcome: GateOutcome) -> Iterator[RenderableType]:
    """The finding first, then what it rests on, then what would decide it."""
    yield sentence(f"GATE: {headline(outcome)}")
    yield sentence(name_runs(outcome))
    if outcome.criteria:
        criterion, model, *others = HEADS
        yield table([criterion, f"~{model}", *others], rows(outcome.criteria))
    for note in outcome.notes:
        yield sentence(note)
    if outcome.comparison is not None:
        yield from describe_comparison(outcome.comparison)
        yield sentence(tell_power(outcome.comparison))
    if outcome.deciding is not None:
        yield sentence(tell_deciding(outcome.deciding))
