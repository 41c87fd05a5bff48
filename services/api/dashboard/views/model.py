"""What the page of a model shows: its nights, who answered, its streams, and what it is measured against."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.api.chronicle import Chronicle, read_chronicle
from services.api.dashboard import numbers
from services.api.dashboard.charts.bars import DrawnTrack, draw_tracks, height_of
from services.api.dashboard.charts.frame import Frame
from services.api.dashboard.charts.trends import Trend, TrendDrawing, TrendPoint, draw_trend, scale_of
from services.api.dashboard.views.fleet import WORDS, Mark, mark_standing, powers_of_ten
from services.api.dashboard.views.identity import read_tracks
from services.api.dashboard.views.incidents import IncidentRow, describe_incidents
from services.api.dashboard.views.nights import draw_up_trend, tell_trend
from services.api.dashboard.views.streams import explain_stream, name_briefly
from services.api.drift import describe_standing
from services.api.schemas.drift import HistoryEntry, Standing
from services.api.schemas.stats import Period
from services.api.statistics import PERIODS
from shared.db import baselines, incidents, measured_nights, standings
from shared.db.baselines import Baseline
from shared.db.measured_nights import EvidenceAt, MeasuredNight
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.domain.drift.decay import COMPARED_NIGHTS
from shared.domain.drift.detections import ACCURACY, Outcome, Subject
from shared.domain.drift.nightly import NOISY_ABOVE

NIGHTS_LISTED = 30
INCIDENTS_LISTED = 10
_MARKS = {
    Outcome.ALARM: ("alarm", "alarm"),
    Outcome.WATCHED: ("watch", "watch"),
    Outcome.IMPROVED: ("improved", "improved"),
    Outcome.QUIET: ("steady", "quiet"),
    Outcome.SILENT: ("steady", "never varied"),
    Outcome.SET_ASIDE: ("unmeasured", "took no part"),
}


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream on its last entry. `line`: the evidence that an alarm takes; `noise`: φ."""

    name: str
    means: str
    mark: str
    word: str
    power: float
    evidence: float
    watch: float
    line: float
    noise: float
    is_noisy: bool


@dataclass(frozen=True, slots=True)
class ModelView:
    model: str
    provider: str
    schedule: str
    suite: str
    periods: tuple[tuple[str, str], ...]
    period: Period
    schedules: tuple[tuple[str, str], ...]
    mark: Mark
    word: str
    story: tuple[str, ...]
    incident: str | None
    nights: int
    trend: TrendDrawing | None
    trend_narrow: TrendDrawing | None
    trend_told: str
    plot: dict[str, Any] | None
    tracks: tuple[DrawnTrack, ...]
    tracks_frame: Frame | None
    streams: tuple[StreamRow, ...]
    entries: tuple[HistoryEntry, ...]
    entries_in_all: int
    baseline: Baseline | None
    baseline_nights: str
    incidents: tuple[IncidentRow, ...]


async def read_model(
    connection: Connection,
    schedule: Schedule,
    model: str,
    period: Period,
    provider: str,
    periods: tuple[tuple[str, str], ...],
    schedules: tuple[tuple[str, str], ...],
) -> ModelView:
    """Read what one schedule knows of a model.

    Raises:
        NotFound: the schedule never asked it.
    """
    chronicle = await read_chronicle(connection, schedule, model, ACCURACY)
    last = chronicle.places[chronicle.numbers[-1]].night
    length = PERIODS[period]
    since = date.min if length is None else last - length + timedelta(days=1)
    measured = await measured_nights.list_measured_nights(
        connection, schedule.id, category="all", since=since, model=model
    )
    found = await incidents.list_incidents(
        connection, schedule=schedule.name, model=model, limit=INCIDENTS_LISTED
    )
    about = [one for one in found if one.subject is Subject.MODEL]
    opened = next((one for one in about if one.closed_at is None), None)
    rows = await standings.list_standings(connection, schedule=schedule.name, model=model)
    standing = next((describe_standing(row) for row in rows if row.subject is Subject.MODEL), None)
    evidence = await measured_nights.list_last_evidence(connection, schedule.id, model)
    pinned = await baselines.list_baselines(connection, schedule=schedule.name, model=model, limit=1)
    trend = draw_up_trend([one.night for one in measured], {one.night: one for one in measured}, opened)
    first = trend.points[0].night if trend.points else last
    tracks = await read_tracks(connection, chronicle, schedule.id, model, first)
    wide = _draw(trend, 1180, 280)
    frame = Frame(1180, 30 + height_of(tracks), 130, 4, 12, 22, first, last, 0, 1) if tracks else None
    newest = measured[-1] if measured else None
    mark = mark_standing(standing, newest.accuracy if newest else None, None) if standing else Mark.UNMEASURED
    page = chronicle.newest_first(None, NIGHTS_LISTED)
    return ModelView(
        model=model,
        provider=provider,
        schedule=schedule.name,
        suite=schedule.suite,
        periods=periods,
        period=period,
        schedules=schedules,
        mark=mark,
        word=WORDS[mark],
        story=tuple(_tell(trend, newest, standing)),
        incident=str(opened.id) if opened else None,
        nights=len(trend.points),
        trend=wide,
        trend_narrow=_draw(trend, 350, 200, narrow=True),
        trend_told=tell_trend(model, trend),
        plot=_plot(trend) if wide else None,
        tracks=draw_tracks(tracks, frame) if frame else (),
        tracks_frame=frame,
        streams=tuple(_describe_stream(one) for one in evidence),
        entries=tuple(chronicle.describe(run_id) for run_id in page),
        entries_in_all=len(chronicle.numbers),
        baseline=pinned[0] if pinned else None,
        baseline_nights=_tell_baseline(chronicle),
        incidents=describe_incidents(about),
    )


def _draw(trend: Trend, width: float, height: float, *, narrow: bool = False) -> TrendDrawing | None:
    if not trend.points:
        return None
    low, high, levels = scale_of([trend])
    left = 34 if narrow else 130
    first, last = trend.points[0].night, trend.points[-1].night
    frame = Frame(width, height, left, 12, 12, 24, first, last, low, high)
    return draw_trend(trend, frame, ticks=3 if narrow else 8, levels=levels)


def _plot(trend: Trend) -> dict[str, Any]:
    """The same for Plotly: percentages by night, nothing where nothing was measured."""

    def percent(point: TrendPoint) -> float | None:
        return None if point.value is None or point.is_set_aside else round(100 * point.value, 2)

    low, high, _ = scale_of([trend])
    band = trend.band
    return {
        "kind": "trend",
        "nights": [point.night.isoformat() for point in trend.points],
        "values": [percent(point) for point in trend.points],
        "aside": [
            round(100 * point.value, 2) if point.is_set_aside and point.value is not None else None
            for point in trend.points
        ],
        "band": [round(100 * end, 2) for end in (band.lower, band.mean, band.upper)] if band else None,
        "changed": trend.changed_on.isoformat() if trend.changed_on else None,
        "range": [100 * low, 100 * high],
    }


def _tell(trend: Trend, newest: MeasuredNight | None, standing: Standing | None) -> list[str]:
    told = []
    if newest is None:
        return ["No night of this period has measured it."]
    if newest.accuracy is None:
        errors = f": {numbers.tally(newest.errors)}" if newest.errors else ""
        told.append(
            f"No scored answer on {numbers.long_night(newest.night)}{errors}."
            " That isn't a score of 0, and it isn't drift."
        )
    else:
        told.append(
            f"{numbers.share(newest.accuracy)} on {numbers.long_night(newest.night)}"
            f" (95{numbers.HARD_SPACE}% interval {numbers.percent(newest.accuracy_lower)} to"
            f" {numbers.percent(newest.accuracy_upper)}, other questions of this kind)."
        )
    if trend.band:
        before = f" before {numbers.long_night(trend.changed_on)}" if trend.changed_on else ""
        told.append(
            f"95 of 100 of its nights{before} lie between {numbers.percent(trend.band.lower)}"
            f" and {numbers.share(trend.band.upper)}."
        )
    if standing is not None and standing.incident_id is None:
        told.append(standing.told)
    return told


def _describe_stream(one: EvidenceAt) -> StreamRow:
    mark, word = _MARKS[one.outcome]
    ratio = math.exp(min(one.log_worse - one.log_alarm, 300.0))
    return StreamRow(
        name_briefly(one.stream), explain_stream(one.stream), mark, word, powers_of_ten(ratio) or -99.0,
        ratio, (one.log_watch - one.log_alarm) / math.log(10), math.exp(min(one.log_alarm, 300.0)),
        one.overdispersion, one.overdispersion > NOISY_ABOVE,
    )  # fmt: skip


def _tell_baseline(chronicle: Chronicle) -> str:
    """The nights of the present series that are the baseline unless a person names others."""
    series = chronicle.series[chronicle.numbers[-1]]
    mine = [chronicle.places[n].night for n in chronicle.numbers if chronicle.series[n] == series]
    first = mine[:COMPARED_NIGHTS]
    if len(first) < COMPARED_NIGHTS:
        return f"{numbers.many(len(first), 'night')} so far; a baseline takes {COMPARED_NIGHTS}."
    ends = f"{numbers.night(first[0])} to {numbers.night(first[-1])}"
    return f"The first {COMPARED_NIGHTS} nights of its present series, {ends}."
