"""Evidence against the alarm line: all streams on one axis, because each is told relative to its own line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.api.dashboard.charts.frame import Frame
from services.api.dashboard.charts.trends import Level, Tick

LOWEST, HIGHEST = -6.0, 12.0  # powers of ten; what lies beyond says no more
LABEL_HEIGHT = 14.0


@dataclass(frozen=True, slots=True)
class EvidencePoint:
    """`power`: the logarithm, to ten, of the evidence over the alarm line."""

    night: date
    power: float
    is_alarm: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """One stream. After an alarm its evidence starts again, so the line breaks there."""

    name: str
    points: tuple[EvidencePoint, ...]
    is_lead: bool = False
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceChart:
    """`watch`: where the watch line lies below the alarm line, as a power of ten."""

    title: str
    summary: str
    curves: tuple[Curve, ...]
    watch: float
    changed_on: date | None = None


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    name: str
    kind: str
    lines: tuple[str, ...]
    alarms: tuple[tuple[float, float], ...]
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class EvidenceDrawing:
    frame: Frame
    curves: tuple[DrawnCurve, ...]
    alarm: float
    watch: float
    mark: float | None
    ticks: tuple[Tick, ...]
    levels: tuple[Level, ...]


def power_of(log_evidence: float, log_alarm: float) -> float:
    """Natural logarithms in, a power of ten out, within what is drawn."""
    return min(max((log_evidence - log_alarm) / math.log(10), LOWEST), HIGHEST)


def draw_evidence(
    chart: EvidenceChart, width: float, height: float, *, labels: bool = True
) -> EvidenceDrawing:
    nights = [point.night for curve in chart.curves for point in curve.points]
    powers = [point.power for curve in chart.curves for point in curve.points]
    low = max(LOWEST, math.floor(min([*powers, chart.watch, -3.0])) - 0.3)
    high = min(HIGHEST, math.ceil(max([*powers, 1.0])) + 0.3)
    frame = Frame(width, height, 78, 12, 132 if labels else 12, 26, min(nights), max(nights), low, high)
    step = 2 if high - low <= 12 else 4
    drawn = [_draw(curve, frame) for curve in chart.curves]
    near = {0.0, chart.watch}
    levels = [
        power for power in range(math.ceil(low), math.floor(high) + 1)
        if power % step == 0 and all(abs(power - line) >= (high - low) / 16 for line in near)
    ]  # fmt: skip
    return EvidenceDrawing(
        frame=frame,
        curves=tuple(_spread_labels(drawn, frame)) if labels else tuple(drawn),
        alarm=frame.y(0),
        watch=frame.y(chart.watch),
        mark=frame.x(chart.changed_on) if chart.changed_on and chart.changed_on >= frame.first else None,
        ticks=tuple(Tick(frame.x(night), night) for night in frame.ticks(4 if labels else 3)),
        levels=tuple(Level(frame.y(power), 10.0**power) for power in levels),
    )


def _draw(curve: Curve, frame: Frame) -> DrawnCurve:
    stretches: list[list[tuple[date, float]]] = [[]]
    for point in curve.points:
        stretches[-1].append((point.night, point.power))
        if point.is_alarm:
            stretches.append([])
    last = curve.points[-1]
    return DrawnCurve(
        curve.name,
        "lead" if curve.is_lead else "quiet" if curve.is_quiet else "",
        tuple(frame.path(stretch) for stretch in stretches if len(stretch) > 1),
        tuple((frame.x(point.night), frame.y(point.power)) for point in curve.points if point.is_alarm),
        frame.x1 + 8,
        frame.y(last.power) + 4,
    )


def _spread_labels(curves: Sequence[DrawnCurve], frame: Frame) -> list[DrawnCurve]:
    """Move labels apart, downwards first, and back up where they would leave the frame."""
    ordered = sorted(curves, key=lambda curve: curve.label_y)
    places: list[float] = []
    for curve in ordered:
        places.append(max(curve.label_y, places[-1] + LABEL_HEIGHT) if places else curve.label_y)
    limit = frame.y0 + 4
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - LABEL_HEIGHT
    moved = {curve.name: replace(curve, label_y=place) for curve, place in zip(ordered, places, strict=True)}
    return [moved[curve.name] for curve in curves]
