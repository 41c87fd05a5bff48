"""Bars over the same nights as a trend: who answered, who judged, and when that changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.api.dashboard.charts.frame import Frame

ROW_HEIGHT, BAR_HEIGHT = 30.0, 22.0
LETTER_WIDTH = 7.0


@dataclass(frozen=True, slots=True)
class Track:
    """One part and what it was, by the night from which it was so; None: not known."""

    name: str
    values: tuple[tuple[date, str | None], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """`shown` is as much of `text` as fits. `is_new`: it differs from the one before."""

    x: float
    width: float
    text: str
    shown: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class DrawnTrack:
    name: str
    y: float
    bars: tuple[Bar, ...]


def draw_tracks(tracks: Sequence[Track], frame: Frame) -> tuple[DrawnTrack, ...]:
    return tuple(
        DrawnTrack(track.name, frame.y1 + ROW_HEIGHT * row, tuple(_bars(track, frame)))
        for row, track in enumerate(tracks)
    )


def height_of(tracks: Sequence[Track]) -> float:
    return ROW_HEIGHT * len(tracks)


def _bars(track: Track, frame: Frame) -> list[Bar]:
    bars: list[Bar] = []
    before: str | None = None
    for index, (begin, value) in enumerate(track.values):
        is_last = index == len(track.values) - 1
        left = frame.x0 if index == 0 else frame.between(begin)
        right = frame.x1 if is_last else frame.between(track.values[index + 1][0]) - 2
        if value is not None:
            width = round(max(right - left, 1), 1)
            bars.append(Bar(left, width, value, _shorten(value, width - 12), before not in (None, value)))
            before = value
    return bars


def _shorten(text: str, width: float) -> str:
    letters = int(width / LETTER_WIDTH)
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if letters > 3 else ""
