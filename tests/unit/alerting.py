"""Alerts made up for tests: an incident as the watch finds them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from shared.domain.causes.blame import Cause
from shared.domain.drift.detections import Subject
from shared.domain.telling.alerts import Alert, Flip
from shared.domain.telling.findings import Size, Where
from shared.domain.telling.incidents import EventKind

URL = "https://drift.example"
INCIDENT = UUID("11111111-2222-3333-4444-555555555555")
DRIFT = Alert(
    event=EventKind.OPENED,
    at=datetime(2026, 1, 12, 3, tzinfo=UTC),
    by="driftwarden",
    note="",
    incident=INCIDENT,
    schedule="nightly",
    suite="golden",
    subject=Subject.MODEL,
    model="atlas-large",
    severity="major",
    cause=Cause.MODEL,
    headline="atlas-large: accuracy fell by 6.3 points (95 %: 4.5 to 8.1), since 2026-01-11.",
    opened_at=datetime(2026, 1, 12, 3, tzinfo=UTC),
    stream="accuracy",
    streams=("accuracy",),
    joined=(),
    night=date(2026, 1, 12),
    since=date(2026, 1, 11),
    since_earliest=date(2026, 1, 10),
    since_latest=date(2026, 1, 12),
    size=Size(-0.063, -0.081, -0.045, 210),
    evidence_ratio=3.2,
    nights_per_false_alarm=365.0,
    watched_models=11,
    overdispersion=1.0,
    is_noisy=False,
    because=("No judge takes part: deterministic scorers see the change.", "Nothing on your side changed."),
    your_side=(),
    categories=(
        Where("coding", -0.194, -0.25, -0.13, True),
        Where("math", 0.01, -0.02, 0.04, False),
    ),
    flips=tuple(
        Flip(
            f"cod-{number}", "coding", 24, 24, 0, 6, "What is 2 + 2?", "4",
            "4", date(2026, 1, 10), "5", date(2026, 1, 12),
        )
        for number in range(3)
    ),
    flipped=17,
    run=UUID("99999999-2222-3333-4444-555555555555"),
)  # fmt: skip
OUTAGE = replace(
    DRIFT,
    severity="not measured",
    cause=Cause.OUTAGE,
    headline="atlas-large could not be measured on 2026-01-12: 50 × timeout.",
    stream="coverage",
    streams=("coverage",),
    size=None,
    evidence_ratio=None,
    because=("Its answers are missing, so nothing is said about its quality.",),
    categories=(),
    flips=(),
    flipped=0,
)


def alert(**changed: Any) -> Alert:
    return replace(DRIFT, **changed)
