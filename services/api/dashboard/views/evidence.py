"""Evidence of a model's streams over its nights, as curves on one axis."""

import math
from collections.abc import Collection, Sequence
from datetime import date

from services.api.dashboard.charts.evidence import Curve, EvidenceChart, EvidencePoint, power_of
from services.api.dashboard.views.streams import name_briefly
from shared.db.measured_nights import EvidenceAt
from shared.domain.drift.budget import Budget
from shared.domain.drift.detections import Outcome

QUIET_SHOWN = 2


def watch_power(budget: Budget) -> float:
    """Where the watch line lies below the alarm line, as a power of ten; the same for every stream."""
    lines = budget.of_each_model([1.0])
    return float(lines.log_watch[0] - lines.log_alarm[0]) / math.log(10)


def draw_up_evidence(
    title: str,
    found: Sequence[EvidenceAt],
    lead: str | None,
    watch: float,
    changed_on: date | None,
    *,
    most: int,
    also: Collection[str] = (),
) -> EvidenceChart | None:
    """The leading stream, those in `also` and the strongest others, and some that stayed quiet: what did not
    move is part of the proof. None where no stream has two nights.
    """
    by_stream: dict[str, list[EvidenceAt]] = {}
    for one in found:
        by_stream.setdefault(one.stream, []).append(one)
    drawn = {stream: _thread(rows) for stream, rows in by_stream.items()}
    drawn = {stream: points for stream, points in drawn.items() if len(points) > 1}
    if not drawn:
        return None
    ranked = sorted(drawn, key=lambda stream: (-max(point.power for point in drawn[stream]), stream))
    lead = lead if lead in drawn else ranked[0]
    wanted = [lead, *(one for one in ranked if one in also and one != lead)][:most]
    rest = [one for one in ranked if one not in wanted]
    loud = rest[: max(0, most - len(wanted) - QUIET_SHOWN)]
    quiet = [one for one in rest if one not in loud][-QUIET_SHOWN:]
    curves = tuple(
        Curve(name_briefly(stream), drawn[stream], is_lead=stream == lead, is_quiet=stream in quiet)
        for stream in (*quiet, *loud, *wanted[::-1])
    )
    highest = max(point.power for point in drawn[lead])
    summary = (
        f"{name_briefly(lead)} crossed its alarm line" if highest >= 0 else "no stream crossed its alarm line"
    )
    return EvidenceChart(title, f"{title}: {summary}", curves, watch, changed_on)


def _thread(rows: Sequence[EvidenceAt]) -> tuple[EvidencePoint, ...]:
    """One point a night: what its last entry came to. Entries that took no part are left out."""
    by_night: dict[date, EvidencePoint] = {}
    for row in rows:
        if not row.took_part:
            continue
        before = by_night.get(row.night)
        is_alarm = row.outcome is Outcome.ALARM or (before is not None and before.is_alarm)
        by_night[row.night] = EvidencePoint(row.night, power_of(row.log_worse, row.log_alarm), is_alarm)
    return tuple(by_night.values())
