"""The fleet on its last night: each model's state, what was measured, and how sure one can be."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.api.dashboard import numbers
from services.api.dashboard.charts.frame import Frame
from services.api.dashboard.charts.trends import Trend, TrendDrawing, draw_trend, scale_of
from services.api.dashboard.views.nights import draw_spark, draw_up_trend, incident_night, tell_trend
from services.api.dashboard.views.streams import name_briefly
from services.api.drift import describe_standing
from services.api.schemas.drift import Standing
from shared.db.incidents import Incident
from shared.db.measured_nights import MeasuredNight
from shared.db.standings import StandingRow
from shared.domain.drift.detections import Subject
from shared.domain.telling.incidents import MonitorState

ROWS = 25
CALM_MULTIPLES = 8


class Mark(StrEnum):
    """How a model is marked, most urgent first."""

    DRIFTING = "drifting"
    WATCH = "watch"
    IMPROVED = "improved"
    STEADY = "steady"
    UNMEASURED = "unmeasured"


WORDS = {
    Mark.DRIFTING: "Drifting",
    Mark.WATCH: "On watch",
    Mark.IMPROVED: "Improved",
    Mark.STEADY: "Steady",
    Mark.UNMEASURED: "Not measured",
}


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One model. `power`: its strongest evidence over the alarm line, as a power of ten; None: there is none.

    `gone` says why nothing was measured, with the last score there is; empty for the others.
    """

    model: str
    provider: str
    mark: Mark
    word: str
    accuracy: float | None
    lower: float | None
    upper: float | None
    spark: TrendDrawing | None
    spark_told: str
    moved: float | None
    moved_told: str
    power: float | None
    evidence: float | None
    stream: str
    coverage: float | None
    detectable: float | None
    cost_usd: float | None
    gone: str
    incident: str | None


@dataclass(frozen=True, slots=True)
class Multiple:
    """One of the small multiples."""

    model: str
    mark: Mark
    word: str
    accuracy: float | None
    drawing: TrendDrawing
    told: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """All models in order of urgency. `watch`: the watch line below the alarm line, as a power of ten."""

    rows: tuple[FleetRow, ...]
    multiples: tuple[Multiple, ...]
    watch: float
    nights: int

    def count(self, mark: Mark) -> int:
        return sum(row.mark == mark for row in self.rows)


def describe_fleet(
    standings: Sequence[StandingRow],
    measured: Sequence[MeasuredNight],
    open_incidents: Sequence[Incident],
    improved: Mapping[str, date],
    providers: Mapping[str, str],
    watch: float,
) -> Fleet:
    """Put together what is known of each model that is watched."""
    nights = sorted({one.night for one in measured})
    by_model: dict[str, dict[date, MeasuredNight]] = {}
    for one in measured:
        by_model.setdefault(one.model, {})[one.night] = one
    incidents = {one.model: one for one in open_incidents if one.subject is Subject.MODEL}
    rows = [row for row in standings if row.subject is Subject.MODEL]
    trends = {
        row.model: draw_up_trend(nights, by_model.get(row.model, {}), incidents.get(row.model))
        for row in rows
    }
    fleet = sorted(
        (
            _describe(
                row, describe_standing(row), by_model.get(row.model, {}), nights, incidents.get(row.model),
                improved.get(row.model), providers.get(row.model, ""), trends[row.model],
            )
            for row in rows
        ),
        key=lambda row: (list(Mark).index(row.mark), -(row.accuracy or 0), row.model),
    )  # fmt: skip
    return Fleet(tuple(fleet), _draw_multiples(fleet, trends), watch, len(nights))


def powers_of_ten(ratio: float | None) -> float | None:
    return None if ratio is None else math.log10(ratio) if ratio > 0 else -99.0


def _describe(
    row: StandingRow,
    standing: Standing,
    measured: Mapping[date, MeasuredNight],
    nights: Sequence[date],
    incident: Incident | None,
    improved: date | None,
    provider: str,
    trend: Trend,
) -> FleetRow:
    tonight = measured.get(nights[-1]) if nights else None
    accuracy = tonight.accuracy if tonight else None
    mark = mark_standing(standing, accuracy, improved)
    moved, told = _tell_change(mark, standing, incident, improved)
    stream = standing.leading_stream
    return FleetRow(
        model=row.model,
        provider=provider,
        mark=mark,
        word="Paused" if standing.state is MonitorState.PAUSED and mark is Mark.STEADY else WORDS[mark],
        accuracy=accuracy,
        lower=tonight.accuracy_lower if tonight else None,
        upper=tonight.accuracy_upper if tonight else None,
        spark=draw_spark(trend),
        spark_told=tell_trend(row.model, trend),
        moved=moved,
        moved_told=told,
        power=powers_of_ten(standing.evidence_ratio),
        evidence=standing.evidence_ratio,
        stream=name_briefly(stream) if stream else "",
        coverage=tonight.coverage if tonight else 0.0,
        detectable=tonight.detectable_difference if tonight else None,
        cost_usd=add_costs(tonight) if tonight else None,
        gone=_tell_gone(measured, nights, tonight) if mark is Mark.UNMEASURED else "",
        incident=str(standing.incident_id) if standing.incident_id else None,
    )


def mark_standing(standing: Standing, accuracy: float | None, improved: date | None) -> Mark:
    if accuracy is None or standing.state is MonitorState.NO_DATA:
        return Mark.UNMEASURED
    if standing.incident_id is not None:
        return Mark.DRIFTING
    if standing.state is MonitorState.WATCH:
        return Mark.WATCH
    return Mark.IMPROVED if improved else Mark.STEADY


def _tell_change(
    mark: Mark, standing: Standing, incident: Incident | None, improved: date | None
) -> tuple[float | None, str]:
    """The size in shares of 1, if it is one, and the words after it."""
    match mark:
        case Mark.DRIFTING if incident is not None:
            size, since = incident.findings.get("size") or {}, incident_night(incident)
            when = f" since {numbers.night(since)}" if since else ""
            if size.get("value") is not None:
                return size["value"], when.strip()
            if size.get("ratio") is not None:
                return None, f"×{size['ratio']:.2f}{when}"
            return None, f"changed{when}"
        case Mark.WATCH:
            stream = name_briefly(standing.leading_stream) if standing.leading_stream else "one stream"
            return None, f"{stream}, too early to say"
        case Mark.IMPROVED if improved is not None:
            return None, f"better since {numbers.night(improved)}"
        case _:
            return None, "no change found"


def _tell_gone(
    measured: Mapping[date, MeasuredNight], nights: Sequence[date], tonight: MeasuredNight | None
) -> str:
    last = max((one.night for one in measured.values() if one.accuracy is not None), default=None)
    why = (
        f"{numbers.tally(tonight.errors)} on {numbers.night(tonight.night)}"
        if tonight and tonight.errors
        else ""
    )
    told = f"No scored answer: {why}." if why else "No scored answer on the last night."
    if tonight is not None and tonight.accuracy is not None:
        told = f"Too few answers to tell: {numbers.whole_share(tonight.coverage)} were scored" + (
            f" ({numbers.tally(tonight.errors)})." if tonight.errors else "."
        )
    if last is None or last == nights[-1]:
        return told
    kept = numbers.share(measured[last].accuracy)
    return f"{told} Its last score, {kept} on {numbers.night(last)}, is kept and not carried forward."


def add_costs(one: MeasuredNight) -> float | None:
    """What a night's answers and their judging cost; None where a price is not known."""
    if one.cost_usd is None or one.judge_cost_usd is None:
        return None
    return float(one.cost_usd + one.judge_cost_usd)


def _draw_multiples(fleet: Sequence[FleetRow], trends: Mapping[str, Trend]) -> tuple[Multiple, ...]:
    """One scale for all; of a large fleet the urgent ones and eight others."""
    shown = list(fleet)
    if len(fleet) > ROWS:
        urgent = [row for row in fleet if row.mark in (Mark.DRIFTING, Mark.WATCH, Mark.IMPROVED)]
        shown = urgent + [row for row in fleet if row not in urgent][:CALM_MULTIPLES]
    shown = [row for row in shown if trends[row.model].points]
    if not shown:
        return ()
    low, high, levels = scale_of([trends[row.model] for row in shown])
    nights = [point.night for row in shown for point in trends[row.model].points]
    frame = Frame(270, 128, 30, 10, 8, 22, min(nights), max(nights), low, high)
    return tuple(
        Multiple(
            row.model, row.mark, row.word, row.accuracy,
            draw_trend(trends[row.model], frame, levels=levels), row.spark_told,
        )
        for row in shown
    )  # fmt: skip
