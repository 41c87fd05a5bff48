"""What a backtest records of each watched thing: what would have been told, and what came near it."""

from dataclasses import dataclass
from datetime import date

from shared.domain.drift.detections import Subject
from shared.domain.figures.sensitivity import Sensitivity
from shared.domain.telling.findings import Findings, Size
from shared.domain.telling.incidents import EventKind, MonitorState


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people would have been told on a night, by the entry at this place, with what was known
    of the incident then. `joined`: the streams that came to it.
    """

    place: int
    night: date
    kind: EventKind
    findings: Findings
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Improvement:
    """Told without an alarm. The headline is about the stream with the most evidence, the first one."""

    place: int
    night: date
    streams: tuple[str, ...]
    since: date | None
    headline: str
    size: Size | None


@dataclass(frozen=True, slots=True)
class Nearest:
    """Where evidence came nearest to an alarm without one, as a share of what an alarm takes."""

    night: date
    stream: str
    evidence_ratio: float


@dataclass(frozen=True, slots=True)
class Record:
    """All of one watched thing, from its first entry to its last one."""

    subject: Subject
    model: str
    entries: int
    state: MonitorState
    events: tuple[Event, ...]
    improvements: tuple[Improvement, ...]
    watched: tuple[date, ...]
    quarantined: tuple[date, ...]
    nearest: Nearest | None
    sensitivity: Sensitivity | None
    current: Findings | None

    @property
    def opened(self) -> tuple[Event, ...]:
        """The events by which an incident opened."""
        return tuple(event for event in self.events if event.kind is EventKind.OPENED)
