"""A model's nights as a line: what broke it, where it was usual, and where it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.api.dashboard.charts.frame import Frame
from shared.domain.figures.bands import Band


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One night; `value` is None where nothing was measured."""

    night: date
    value: float | None
    is_set_aside: bool = False


@dataclass(frozen=True, slots=True)
class Trend:
    """Nights in order. `changed_on`: the first night of a dated change."""

    points: tuple[TrendPoint, ...]
    band: Band | None = None
    changed_on: date | None = None

    def is_changed(self, point: TrendPoint) -> bool:
        return self.changed_on is not None and point.night >= self.changed_on


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    night: date


@dataclass(frozen=True, slots=True)
class Level:
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Gap:
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class TrendDrawing:
    """What an SVG of `frame` shows. `lines` break where nothing was measured."""

    frame: Frame
    lines: tuple[str, ...]
    lone: tuple[tuple[float, float], ...]
    changed: tuple[tuple[float, float], ...]
    set_aside: tuple[tuple[float, float], ...]
    gaps: tuple[Gap, ...]
    band: tuple[float, float, float] | None
    mark: float | None
    ticks: tuple[Tick, ...]
    levels: tuple[Level, ...]


def draw_trend(trend: Trend, frame: Frame, *, ticks: int = 3, levels: Sequence[float] = ()) -> TrendDrawing:
    stretches = _stretch(trend.points)
    told = [
        (point, frame.x(point.night), frame.y(point.value))
        for point in trend.points
        if point.value is not None
    ]
    return TrendDrawing(
        frame=frame,
        lines=tuple(frame.path(stretch) for stretch in stretches if len(stretch) > 1),
        lone=tuple((frame.x(s[0][0]), frame.y(s[0][1])) for s in stretches if len(s) == 1),
        changed=tuple((x, y) for point, x, y in told if trend.is_changed(point) and not point.is_set_aside),
        set_aside=tuple((x, y) for point, x, y in told if point.is_set_aside),
        gaps=_find_gaps(trend, frame),
        band=(
            (frame.y(trend.band.upper), frame.y(trend.band.mean), frame.y(trend.band.lower))
            if trend.band
            else None
        ),
        mark=frame.between(trend.changed_on)
        if trend.changed_on and trend.changed_on >= frame.first
        else None,
        ticks=tuple(Tick(frame.x(night), night) for night in frame.ticks(ticks)),
        levels=tuple(Level(frame.y(value), value) for value in levels),
    )


def scale_of(trends: Sequence[Trend]) -> tuple[float, float, tuple[float, ...]]:
    """One scale for several trends of shares: from a multiple of ten percent to the next, and its levels."""
    values = [point.value for trend in trends for point in trend.points if point.value is not None]
    bands = [trend.band for trend in trends if trend.band]
    lowest = min([*values, *(band.lower for band in bands)], default=0.0)
    highest = max([*values, *(band.upper for band in bands)], default=1.0)
    low = max(0, int(lowest * 10 + 1e-9)) * 10
    high = min(100, -int(-highest * 10 // 1) * 10)
    if high - low < 20:
        low, high = max(0, high - 20), max(high, 20)
    step = 10 if high - low <= 40 else 20 if high - low <= 60 else 50 if high - low > 80 else 20
    return low / 100, high / 100, tuple(level / 100 for level in range(low, high + 1, step))


def _stretch(points: Sequence[TrendPoint]) -> list[list[tuple[date, float]]]:
    """The stretches of nights without a break; one that was set aside is not connected."""
    stretches: list[list[tuple[date, float]]] = [[]]
    for point in points:
        if point.value is None or point.is_set_aside:
            stretches.append([])
        else:
            stretches[-1].append((point.night, point.value))
    return [stretch for stretch in stretches if stretch]


def _find_gaps(trend: Trend, frame: Frame) -> tuple[Gap, ...]:
    """Where nothing was measured: from the last night that was to the next one."""
    gaps, begin = [], None
    before: TrendPoint | None = None
    for point in trend.points:
        if point.value is None and begin is None:
            begin = frame.x(before.night) if before else frame.x0
        elif point.value is not None and begin is not None:
            gaps.append(Gap(begin, round(frame.x(point.night) - begin, 1)))
            begin = None
        before = point
    if begin is not None:
        gaps.append(Gap(begin, round(frame.x1 - begin, 1)))
    return tuple(gaps)
