"""Accuracy against cost: who is cheaper, who is better, and on which front nobody is both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LETTER_WIDTH, LETTER_HEIGHT = 6.6, 13.0
BESIDE, ABOVE = 13.0, 8.0  # a name nearer than that to another dot would pass for its name
SIDES = (
    (9, -7, "start"), (9, 4, "start"), (9, 15, "start"), (-9, 4, "end"), (-9, -7, "end"), (-9, 15, "end"),
    (9, -17, "start"), (-9, -17, "end"),
)  # fmt: skip
STEPS = (1, 2, 5)
MOST_TICKS = 7


@dataclass(frozen=True, slots=True)
class Spot:
    """One model. `cost` in US dollars, from 0 on; accuracy and its interval as shares."""

    model: str
    cost: float
    accuracy: float
    lower: float
    upper: float
    is_drifting: bool = False


@dataclass(frozen=True, slots=True)
class DrawnSpot:
    """`label` is empty where no place was left for it; `anchor` as in SVG."""

    model: str
    x: float
    y: float
    top: float
    bottom: float
    is_front: bool
    is_drifting: bool
    label: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Mark:
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class ScatterDrawing:
    """Costs on a log scale, which holds a cost of 0 at its left end; `front` is the path of its steps."""

    width: float
    height: float
    x0: float
    x1: float
    y0: float
    y1: float
    spots: tuple[DrawnSpot, ...]
    front: str
    costs: tuple[Mark, ...]
    levels: tuple[Mark, ...]


def find_front(spots: Sequence[Spot]) -> list[Spot]:
    """Those than which nobody is cheaper and at least as good, or as cheap and better; the cheapest first."""
    front: list[Spot] = []
    for spot in sorted(spots, key=lambda one: (one.cost, -one.accuracy, one.model)):
        is_equal = bool(front) and (spot.cost, spot.accuracy) == (front[-1].cost, front[-1].accuracy)
        if is_equal or not front or spot.accuracy > front[-1].accuracy:
            front.append(spot)
    return front


def draw_scatter(spots: Sequence[Spot], width: float, height: float) -> ScatterDrawing:
    """Draw at least one spot."""
    x0, x1, y0, y1 = 40.0, width - 16.0, height - 44.0, 12.0
    low, high, levels = scale_of(spots)
    costs = [spot.cost for spot in spots if spot.cost > 0] or [1.0]
    has_free = any(spot.cost == 0 for spot in spots)
    left = math.log10(min(costs)) - (0.5 if has_free else 0.15)
    right = max(math.log10(max(costs)) + 0.15, left + 0.6)

    def x(cost: float) -> float:
        place = math.log10(cost) if cost > 0 else left
        return round(x0 + (x1 - x0) * (place - left) / (right - left), 1)

    def y(share: float) -> float:
        return round(y0 - (y0 - y1) * (min(max(share, low), high) - low) / (high - low), 1)

    front = find_front(spots)
    placed = [(spot, x(spot.cost), y(spot.accuracy)) for spot in spots]
    labels = _place_labels(placed, front, (x0, x1 + 12, y1 - 8, y0))
    return ScatterDrawing(
        width, height, x0, x1, y0, y1,
        tuple(
            DrawnSpot(
                spot.model, px, py, y(spot.upper), y(spot.lower), spot in front, spot.is_drifting,
                *labels.get(spot.model, ("", px, py, "start")),
            )
            for spot, px, py in placed
        ),
        _draw_front([(x(spot.cost), y(spot.accuracy)) for spot in front], x1),
        tuple(Mark(x(cost), cost) for cost in _ticks(left, right, has_free)),
        tuple(Mark(y(level), level) for level in levels),
    )  # fmt: skip


def scale_of(spots: Sequence[Spot]) -> tuple[float, float, tuple[float, ...]]:
    """From a multiple of 5 % to another, so that every interval is inside; and the levels to be named."""
    low = math.floor(20 * min(spot.lower for spot in spots) + 1e-9)
    high = math.ceil(20 * max(spot.upper for spot in spots) - 1e-9)
    step = 1 if high - low <= 6 else 2 if high - low <= 12 else 4
    low -= low % step
    return (
        low / 20,
        max(high, low + step) / 20,
        tuple(at / 20 for at in range(low, max(high, low + step) + 1, step)),
    )


def _ticks(left: float, right: float, has_free: bool) -> list[float]:
    """1, 2 and 5 times powers of ten, as far as there is room; else the powers alone. 0 if it has a place."""
    begin = left + 0.4 if has_free else left
    powers = range(math.floor(left) - 1, math.ceil(right) + 1)
    for steps in (STEPS, (1, 3), (1,)):
        found = [step * 10.0**power for power in powers for step in steps]
        found = [cost for cost in found if begin <= math.log10(cost) <= right]
        if len(found) <= MOST_TICKS:
            break
    return [*([0.0] if has_free else []), *found[:: math.ceil(len(found) / MOST_TICKS) or 1]]


def _draw_front(points: Sequence[tuple[float, float]], right: float) -> str:
    """Steps: a model's accuracy can be had for its cost, and for every higher one."""
    path = f"M{points[0][0]} {points[0][1]}"
    for _, (x, y) in pairwise(points):
        path += f"H{x}V{y}"
    return f"{path}H{right}"


Box = tuple[float, float, float, float]


def _place_labels(
    placed: Sequence[tuple[Spot, float, float]], front: Sequence[Spot], inside: Box
) -> dict[str, tuple[str, float, float, str]]:
    """A name beside each dot where it covers neither a dot nor another name: those that matter come first."""
    dots = {spot.model: (x - BESIDE, x + BESIDE, y - ABOVE, y + ABOVE) for spot, x, y in placed}
    taken: list[Box] = []
    found: dict[str, tuple[str, float, float, str]] = {}
    for spot, x, y in sorted(
        placed, key=lambda one: (one[0] not in front, not one[0].is_drifting, -one[0].accuracy)
    ):
        width = LETTER_WIDTH * len(spot.model)
        others = [*taken, *(dot for model, dot in dots.items() if model != spot.model)]
        for dx, dy, anchor in SIDES:
            begin = x + dx if anchor == "start" else x + dx - width
            box = (begin, begin + width, y + dy - LETTER_HEIGHT + 3, y + dy + 3)
            if _is_within(box, inside) and not any(_overlap(box, other) for other in others):
                taken.append(box)
                found[spot.model] = (spot.model, round(x + dx, 1), round(y + dy, 1), anchor)
                break
    return found


def _is_within(box: Box, other: Box) -> bool:
    return box[0] >= other[0] and box[1] <= other[1] and box[2] >= other[2] and box[3] <= other[3]


def _overlap(box: Box, other: Box) -> bool:
    return box[0] < other[1] and other[0] < box[1] and box[2] < other[3] and other[2] < box[3]
