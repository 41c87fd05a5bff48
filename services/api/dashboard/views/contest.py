"""The fleet side by side on one suite: places, categories, costs and seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.api.dashboard import numbers
from services.api.dashboard.charts.scatter import ScatterDrawing, Spot, draw_scatter, find_front, scale_of
from services.api.dashboard.views.fleet import Mark
from services.api.recommending import cost_of_answer
from services.api.schemas.models import Standing
from shared.db.incidents import Incident
from shared.db.measurements import Measurement
from shared.domain.drift.detections import CATEGORY
from shared.domain.figures.ranking import Ranking
from shared.domain.telling.wording import name_some

HEAT_LEVELS = 8
NARROWEST_HEAT, WIDEST_HEAT = 0.2, 0.4  # less would paint chance in strong colours, more would hide the rest


@dataclass(frozen=True, slots=True)
class Place:
    """One model on the leaderboard. `gone`: why it was not measured; costs are of 1000 answers, in USD."""

    place: str
    model: str
    provider: str
    mark: Mark
    accuracy: float | None
    lower: float | None
    upper: float | None
    cost: float | None
    cost_of_right: float | None
    p50: float | None
    p95: float | None
    coverage: float
    note: str
    gone: str
    incident: str | None
    moved: str


@dataclass(frozen=True, slots=True)
class Cell:
    """`share` is None where nothing was measured; `level` is that of its colour."""

    share: float | None
    level: int = 0
    is_best: bool = False
    has_moved: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A category: how many questions, what differs by chance, who is highest, and who could be as well."""

    category: str
    questions: int
    tie_width: float | None
    best: tuple[str, ...]
    share: float | None
    told: str


@dataclass(frozen=True, slots=True)
class Heat:
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class Scatter:
    """`left_out`: models without a known price."""

    wide: ScatterDrawing
    narrow: ScatterDrawing
    plot: Mapping[str, object]
    told: str
    left_out: tuple[str, ...]


def describe_place(
    standing: Standing, each: Measurement, provider: str, incident: Incident | None, is_watched: bool
) -> Place:
    cost = cost_of_answer(each)
    since = incident.changed_on if incident else None
    mark = Mark.STEADY
    if each.accuracy is None:
        mark = Mark.UNMEASURED
    elif since is not None:
        mark = Mark.DRIFTING
    elif is_watched:
        mark = Mark.WATCH
    return Place(
        place=_write_place(standing),
        model=each.model,
        provider=provider,
        mark=mark,
        accuracy=each.accuracy,
        lower=each.accuracy_lower,
        upper=each.accuracy_upper,
        cost=None if cost is None else 1000 * cost,
        cost_of_right=1000 * cost / each.accuracy if cost is not None and each.accuracy else None,
        p50=each.latency_p50_seconds,
        p95=each.latency_p95_seconds,
        coverage=each.coverage,
        note=(standing.note or "") if each.accuracy is not None else "",
        gone=(standing.note or "no answer") if each.accuracy is None else "",
        incident=str(incident.id) if incident and since else None,
        moved=f"drifting since {numbers.night(since)}" if since else "",
    )


def _write_place(standing: Standing) -> str:
    if standing.rank_best is None:
        return numbers.NOT_MEASURED
    return f"{standing.rank_best}–{standing.rank_worst}" if standing.tied else str(standing.rank_best)


def draw_up_heat(
    models: Sequence[str],
    measured: Sequence[Measurement],
    rankings: Mapping[str, Ranking],
    open_incidents: Mapping[str, Incident],
) -> Heat:
    """`models` in order of the leaderboard; a column for each category that anybody was measured in."""
    shares = {(one.model, one.category): one.accuracy for one in measured}
    known = [share for share in shares.values() if share is not None]
    high = max(known, default=1.0)
    low = high - min(max(high - min(known, default=0.0), NARROWEST_HEAT), WIDEST_HEAT)
    columns = tuple(
        _head(category, models, shares, measured, ranking) for category, ranking in rankings.items()
    )
    moved = {model: _moved_categories(incident) for model, incident in open_incidents.items()}

    def cell(model: str, column: Column) -> Cell:
        share = shares.get((model, column.category))
        if share is None:
            return Cell(None)
        level = min(max(int(HEAT_LEVELS * (share - low) / (high - low)), 0), HEAT_LEVELS - 1)
        return Cell(share, level, model in column.best, column.category in moved.get(model, ()))

    return Heat(columns, tuple((model, tuple(cell(model, column) for column in columns)) for model in models))


def _moved_categories(incident: Incident) -> set[str]:
    """Those that alarmed by themselves, or are worse by the findings."""
    streams = {one.removeprefix(CATEGORY) for one in incident.findings["streams"] if one.startswith(CATEGORY)}
    worse = {one["category"] for one in incident.findings.get("categories") or () if one["is_worse"]}
    return streams | worse


def _head(
    category: str,
    models: Sequence[str],
    shares: Mapping[tuple[str, str], float | None],
    measured: Sequence[Measurement],
    ranking: Ranking,
) -> Column:
    known = {model: share for model in models if (share := shares.get((model, category))) is not None}
    questions = max((one.questions for one in measured if one.category == category), default=0)
    if not known:
        return Column(category, questions, None, (), None, "Not measured.")
    highest = max(known.values())
    best = tuple(model for model, share in known.items() if share == highest)
    leaders = ranking.list_leaders([model for model in ranking.models if model in known])
    others = [model for model in known if model in leaders and model not in best]
    told = f"Could be the first as well: {name_some(others)}." if others else ""
    if len(known) == 1:
        told = "No other model was measured."
    elif not others and len(best) == 1:
        told = "Ahead of all others."
    return Column(category, questions, ranking.tie_width, best, highest, told)


def draw_costs(places: Sequence[Place]) -> Scatter | None:
    """None where no price is known."""
    spots = [
        Spot(one.model, one.cost, one.accuracy, one.lower, one.upper, one.mark is Mark.DRIFTING)
        for one in places
        if one.cost is not None
        and one.accuracy is not None
        and one.lower is not None
        and one.upper is not None
    ]
    if not spots:
        return None
    front = find_front(spots)
    names = ", ".join(
        f"{spot.model} ({numbers.share(spot.accuracy)}, {numbers.usd(spot.cost)} USD)" for spot in front
    )
    wide = draw_scatter(spots, 560, 390)
    return Scatter(
        wide, draw_scatter(spots, 350, 320), _plot(spots, wide, [spot.model for spot in front]),
        f"Accuracy against the cost of 1000 answers. On the Pareto front: {names}",
        tuple(one.model for one in places if one.cost is None and one.accuracy is not None),
    )  # fmt: skip


def _plot(spots: Sequence[Spot], drawing: ScatterDrawing, front: Sequence[str]) -> Mapping[str, object]:
    """The same for the script: percent, and where each name stands."""
    low, high, _ = scale_of(spots)
    shown = {one.model: one for one in drawing.spots}

    def side(model: str) -> str:
        one = shown[model]
        above = "top" if one.label_y < one.y else "middle" if one.label_y < one.y + 8 else "bottom"
        return f"{above} {'right' if one.anchor == 'start' else 'left'}"

    return {
        "kind": "scatter",
        "range": [100 * low, 100 * high],
        "ticks": [mark.value for mark in drawing.costs if mark.value > 0],
        "spots": [
            {
                "model": one.model, "cost": one.cost, "value": 100 * one.accuracy,
                "lower": 100 * (one.accuracy - one.lower), "upper": 100 * (one.upper - one.accuracy),
                "front": one.model in front, "drifting": one.is_drifting,
                "label": shown[one.model].label, "side": side(one.model),
            }
            for one in sorted(spots, key=lambda spot: spot.cost)
        ],
    }  # fmt: skip
