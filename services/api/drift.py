"""The watch in words and numbers: where each watched thing stands now."""

import math
from typing import assert_never

from services.api.schemas.drift import Accuracy, Standing
from shared.db.standings import MeasuredAccuracy, StandingRow
from shared.domain.drift.detections import Outcome, Subject
from shared.domain.drift.nightly import NOISY_ABOVE
from shared.domain.telling.incidents import MonitorState
from shared.domain.telling.wording import name_stream, tell_evidence

LARGEST_LOG = 300.0  # beyond, a ratio is as good as infinite, and JSON knows no infinity


def describe_standing(row: StandingRow) -> Standing:
    """With an open incident, what it is about; else the stream that is nearest to its alarm."""
    lead, incident = row.lead, row.incident
    stream: str | None = None
    ratio: float | None = None
    if incident is not None:
        stream, ratio = incident.stream, incident.evidence_ratio
    elif lead is not None:
        stream, ratio = lead.stream, as_ratio(lead.log_ratio)
    return Standing(
        schedule=row.schedule,
        subject=row.subject,
        model=row.model,
        state=row.state,
        since_night=row.since_night,
        last_night=row.last_night,
        accuracy=describe_accuracy(row.accuracy),
        evidence_ratio=ratio,
        leading_stream=stream,
        overdispersion=lead.overdispersion if lead else None,
        is_noisy=lead.overdispersion > NOISY_ABOVE if lead else None,
        incident_id=incident.id if incident else None,
        told=_tell(row, ratio),
    )


def describe_accuracy(measured: MeasuredAccuracy | None) -> Accuracy | None:
    if measured is None:
        return None
    return Accuracy(
        value=measured.value,
        lower=measured.lower,
        upper=measured.upper,
        n=measured.n,
        detectable_difference=measured.detectable_difference,
    )


def as_ratio(log_ratio: float) -> float | None:
    """Evidence over a threshold; None where there is no threshold to speak of."""
    return math.exp(min(log_ratio, LARGEST_LOG)) if not math.isnan(log_ratio) else None


def _tell(row: StandingRow, ratio: float | None) -> str:
    match row.state:
        case MonitorState.PAUSED if row.incident is not None:
            return f"The schedule is paused. Still open: {row.incident.headline}"
        case MonitorState.PAUSED:
            return "The schedule is paused: nothing is measured."
        case MonitorState.ALERT if row.incident is not None:
            return row.incident.headline
        case MonitorState.NO_DATA:
            why = f" {row.incident.headline}" if row.incident else ""
            return f"Not measured on {row.last_night}.{why}"
        case MonitorState.ALERT:
            return "Something moved; its incident is closed."
        case MonitorState.WATCH:
            return _tell_watched(row, ratio)
        case MonitorState.OK:
            return _tell_steady(row)
        case state:
            assert_never(state)


def _tell_watched(row: StandingRow, ratio: float | None) -> str:
    if row.lead is None or row.lead.outcome is not Outcome.WATCHED:
        return "On watch: something may have become worse; it is too early to say."
    stream = name_stream(row.lead.stream)
    return f"On watch: {stream} may have become worse, but the evidence is {tell_evidence(ratio)}."


def _tell_steady(row: StandingRow) -> str:
    if row.subject is Subject.HARNESS:
        return "The controls answer as on the night before: the harness holds still."
    if row.lead is None or row.lead.outcome is Outcome.SILENT:
        return "Nothing has varied from night to night so far, so there is no change to tell."
    least = row.accuracy.detectable_difference if row.accuracy else None
    if row.subject is Subject.JUDGE or least is None:
        return "No change was found."
    return (
        f"No change was found. One night alone shows a drop of {100 * least:.1f} points in 8 of 10 cases;"
        " a smaller one takes more nights."
    )
