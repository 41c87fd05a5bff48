"""What a finished run came to, model by model and category by category."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlencode

from services.api.dashboard import numbers
from shared.db.aggregates import RunAggregate
from shared.db.runs import Run

ALL = "all"
MOST_CELLS = 1500
WIDE = 12  # more categories than these stand below each other
SHADES = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """One model in one category; `shade` is None where nothing was measured."""

    value: float | None
    shade: int | None
    to: str
    told: str


@dataclass(frozen=True, slots=True)
class CategoryGrid:
    """Categories and models crosswise, as `columns` and the `rows` below them."""

    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    deck: str


@dataclass(frozen=True, slots=True)
class RunTotals:
    """`models`: on the whole suite, the best first, what was not measured last; `low`: where the column of
    intervals begins, a share of 1. `categories` are those of the one model that is asked for or there is."""

    models: tuple[RunAggregate, ...]
    low: float
    grid: CategoryGrid | None
    categories: tuple[RunAggregate, ...]
    categories_of: str
    categories_low: float
    too_many: bool


def describe_totals(run: Run, found: Sequence[RunAggregate], model: str | None) -> RunTotals:
    models = sorted((one for one in found if one.category == ALL), key=_by_score)
    parts = [one for one in found if one.category != ALL]
    names = sorted({one.category for one in parts})
    chosen = model or (models[0].model if len(models) == 1 else None)
    categories = [one for one in parts if one.model == chosen] if len(names) > 1 else []
    fits = len(parts) <= MOST_CELLS
    has_grid = len(names) > 1 and chosen is None
    return RunTotals(
        tuple(models),
        find_low(models),
        _draw_grid(run, models, parts, names) if has_grid and fits else None,
        tuple(categories),
        chosen or "",
        find_low(categories),
        has_grid and not fits,
    )


def find_low(measured: Sequence[RunAggregate]) -> float:
    """Where an axis begins that holds all these intervals: at a tenth."""
    lowest = min((one.accuracy_lower for one in measured if one.accuracy_lower is not None), default=0.0)
    return int(lowest * 10) / 10


def _by_score(one: RunAggregate) -> tuple[bool, float, str]:
    return one.accuracy is None, -(one.accuracy or 0.0), one.model


def _draw_grid(
    run: Run, models: Sequence[RunAggregate], parts: Sequence[RunAggregate], names: Sequence[str]
) -> CategoryGrid:
    cells = dict(_draw_cells(run, parts))
    by_model = [one.model for one in models]
    missing = Cell(None, None, "", "not asked")
    if len(names) <= WIDE:
        rows = ((model, tuple(cells.get((model, name), missing) for name in names)) for model in by_model)
        return CategoryGrid("Model", tuple(names), tuple(rows), _write_deck(parts))
    rows = ((name, tuple(cells.get((model, name), missing) for model in by_model)) for name in names)
    return CategoryGrid("Category", tuple(by_model), tuple(rows), _write_deck(parts))


def _draw_cells(run: Run, parts: Sequence[RunAggregate]) -> Iterator[tuple[tuple[str, str], Cell]]:
    measured = [one.accuracy for one in parts if one.accuracy is not None]
    low, high = min(measured, default=0.0), max(measured, default=1.0)
    for one in parts:
        to = f"/runs/{run.id}?{urlencode({'model': one.model, 'category': one.category})}#answers"
        yield (
            (one.model, one.category),
            Cell(one.accuracy, _shade(one.accuracy, low, high), to, tell_measured(one)),
        )


def _shade(value: float | None, low: float, high: float) -> int | None:
    if value is None:
        return None
    return min(SHADES - 1, int(SHADES * (value - low) / (high - low))) if high > low else SHADES // 2


def tell_measured(one: RunAggregate) -> str:
    if one.accuracy is None:
        return f"not measured: {numbers.tally(one.errors)}"
    interval = f"{numbers.percent(one.accuracy_lower)} to {numbers.percent(one.accuracy_upper)}"
    return f"{numbers.share(one.accuracy)}, interval {interval}, {numbers.many(one.questions, 'question')}"


def _write_deck(parts: Sequence[RunAggregate]) -> str:
    told = "Mean score, %. n/m: not measured."
    halves = [
        (one.accuracy_upper - one.accuracy_lower) / 2
        for one in parts
        if one.accuracy_lower is not None and one.accuracy_upper is not None
    ]
    if not halves:
        return told
    counts = round(median(one.questions for one in parts if one.questions))
    return (
        f"{told} About {numbers.many(counts, 'question')} a cell, so the 95 % interval of most reaches"
        f" {numbers.size(median(halves))} points to either side: small differences mean nothing."
    )


def list_reasons(models: Sequence[RunAggregate]) -> Mapping[str, int]:
    """Why pairs have no score, over all models."""
    reasons: dict[str, int] = {}
    for one in models:
        for kind, number in one.errors.items():
            reasons[kind] = reasons.get(kind, 0) + number
    return reasons
