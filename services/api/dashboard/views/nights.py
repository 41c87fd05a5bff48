"""A model's nights as a trend: with the band that they kept to before anything changed."""

from collections.abc import Mapping, Sequence
from datetime import date

from services.api.dashboard import numbers
from services.api.dashboard.charts.frame import Frame
from services.api.dashboard.charts.trends import Trend, TrendDrawing, TrendPoint, draw_trend, scale_of
from shared.db.incidents import Incident
from shared.db.measured_nights import MeasuredNight
from shared.domain.figures.bands import no_drift_band


def draw_up_trend(
    nights: Sequence[date], measured: Mapping[date, MeasuredNight], incident: Incident | None
) -> Trend:
    """A model's nights, with the band of those before its change. What was not asked yet is left out."""
    changed = incident_night(incident)
    begin = min(measured, default=None)
    points = tuple(
        TrendPoint(
            night,
            measured[night].accuracy if night in measured else None,
            night in measured and measured[night].is_set_aside,
        )
        for night in nights
        if begin is not None and night >= begin
    )
    quiet = [
        point.value
        for point in points
        if point.value is not None and not point.is_set_aside and (changed is None or point.night < changed)
    ]
    return Trend(points, no_drift_band(quiet), changed)


def incident_night(incident: Incident | None) -> date | None:
    """The first changed night that an incident names; None for one that is about missing data."""
    return incident.changed_on if incident else None


def tell_trend(model: str, trend: Trend) -> str:
    values = [point.value for point in trend.points if point.value is not None]
    if not values:
        return f"{model}: nothing measured"
    told = (
        f"{model}: accuracy over {numbers.many(len(trend.points), 'night')}, last {numbers.share(values[-1])}"
    )
    if trend.band:
        told += f", usually {numbers.percent(trend.band.lower)} to {numbers.share(trend.band.upper)}"
    return told + (f", changed on {numbers.long_night(trend.changed_on)}" if trend.changed_on else "")


def draw_spark(trend: Trend) -> TrendDrawing | None:
    if not trend.points:
        return None
    low, high, _ = scale_of([trend])
    frame = Frame(150, 36, 3, 4, 3, 4, trend.points[0].night, trend.points[-1].night, low, high)
    return draw_trend(trend, frame)
