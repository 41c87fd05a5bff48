"""Which channel is told of which alert."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.drift.dating import Severity
from shared.domain.drift.detections import Subject
from shared.domain.telling.alerts import Alert
from shared.domain.telling.incidents import CLOSING_EVENT, ENDED_BY_ITSELF


class MinSeverity(StrEnum):
    """The least severity that a channel is told of; `small` is all of them."""

    SMALL = "small"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


ENDS = ENDED_BY_ITSELF | set(CLOSING_EVENT.values())
# Missing answers have no size; a model that can't be measured at all is no small matter.
_UNSIZED = MinSeverity.MAJOR
_RANKS = {severity: rank for rank, severity in enumerate(MinSeverity)}
_MEANS = {
    Severity.SMALL: MinSeverity.SMALL,
    Severity.MINOR: MinSeverity.MINOR,
    Severity.MAJOR: MinSeverity.MAJOR,
    Severity.CRITICAL: MinSeverity.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Routing:
    """What a channel wants to be told of. None: every model, every suite."""

    min_severity: MinSeverity = MinSeverity.SMALL
    models: Collection[str] | None = None
    suites: Collection[str] | None = None


def is_meant(routing: Routing, alert: Alert, *, was_told: bool) -> bool:
    """Whether a channel is told of an alert; `was_told`: it has been told of this incident before.

    Who was told of an incident is told of its end, even if the incident has become smaller meanwhile. What
    the judge or the harness does concerns every model.
    """
    if was_told and alert.event in ENDS:
        return True
    if routing.suites is not None and alert.suite not in routing.suites:
        return False
    about_model = alert.subject is Subject.MODEL
    if routing.models is not None and about_model and alert.model not in routing.models:
        return False
    return rank(alert.severity) >= _RANKS[routing.min_severity]


def rank(severity: str) -> int:
    """Where an incident's severity stands among the least ones that a channel may want."""
    return _RANKS[_MEANS.get(Severity(severity), _UNSIZED) if severity in list(Severity) else _UNSIZED]
