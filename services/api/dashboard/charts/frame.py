"""The plane that a chart is drawn on: nights to the right, values upwards, in SVG's units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Frame:
    """`left`, `top` … are the margins in which the axes' words stand. Values lie from `low` to `high`."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    first: date
    last: date
    low: float
    high: float

    @property
    def x0(self) -> float:
        return self.left

    @property
    def x1(self) -> float:
        return self.width - self.right

    @property
    def y0(self) -> float:
        return self.height - self.bottom

    @property
    def y1(self) -> float:
        return self.top

    def x(self, night: date) -> float:
        days = (self.last - self.first).days
        if not days:
            return round((self.x0 + self.x1) / 2, 1)
        return round(self.x0 + (self.x1 - self.x0) * (night - self.first).days / days, 1)

    def between(self, night: date) -> float:
        """The place between a night and the one before."""
        days = max((self.last - self.first).days, 1)
        return round(max(self.x0, self.x(night) - (self.x1 - self.x0) / days / 2), 1)

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return round(self.y0 - (self.y0 - self.y1) * (inside - self.low) / (self.high - self.low), 1)

    def path(self, points: Sequence[tuple[date, float]]) -> str:
        return "M" + "L".join(f"{self.x(night)} {self.y(value)}" for night, value in points)

    def ticks(self, most: int) -> tuple[date, ...]:
        """Nights to be named below, evenly spread, the first and the last among them."""
        days = (self.last - self.first).days
        if not days:
            return (self.first,)
        count = min(most - 1, days)
        places = sorted({round(days * place / count) for place in range(count + 1)})
        return tuple(date.fromordinal(self.first.toordinal() + place) for place in places)
