"""Who is told of what."""

import pytest

from shared.domain.drift.detections import Subject
from shared.domain.telling.alerts import Alert
from shared.domain.telling.incidents import EventKind
from shared.domain.telling.routing import ENDS, MinSeverity, Routing, is_meant
from tests.unit.alerting import DRIFT, OUTAGE, alert


@pytest.mark.parametrize(
    ("routing", "notice", "meant"),
    [
        (Routing(), DRIFT, True),
        (Routing(MinSeverity.MAJOR), DRIFT, True),
        (Routing(MinSeverity.CRITICAL), DRIFT, False),
        (Routing(MinSeverity.MAJOR), alert(severity="minor"), False),
        (Routing(MinSeverity.MINOR), alert(severity="statistical, small"), False),
        (Routing(MinSeverity.MAJOR), OUTAGE, True),
        (Routing(MinSeverity.CRITICAL), OUTAGE, False),
        (Routing(models=["atlas-large"]), DRIFT, True),
        (Routing(models=["atlas-small"]), DRIFT, False),
        (Routing(models=["atlas-small"]), alert(subject=Subject.JUDGE, model="sim-judge"), True),
        (Routing(models=["atlas-small"]), alert(subject=Subject.HARNESS, model="echo"), True),
        (Routing(suites=["golden"]), DRIFT, True),
        (Routing(suites=["other"]), DRIFT, False),
        (Routing(suites=["other"]), alert(subject=Subject.JUDGE), False),
    ],
)
def test_a_channel_is_told_of_what_it_asked_for(routing: Routing, notice: Alert, meant: bool) -> None:
    assert is_meant(routing, notice, was_told=False) is meant


@pytest.mark.parametrize("event", EventKind)
def test_who_was_told_of_an_incident_is_told_of_its_end(event: EventKind) -> None:
    smaller = alert(event=event, severity="minor")
    assert is_meant(Routing(MinSeverity.CRITICAL), smaller, was_told=True) == (event in ENDS)
