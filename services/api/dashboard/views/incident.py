"""What the page of an incident shows: what, how big, since when; who moved; the evidence; what to do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from services.api.acts import list_possible_acts
from services.api.dashboard import numbers
from services.api.dashboard.charts.evidence import EvidenceChart, EvidenceDrawing, draw_evidence
from services.api.dashboard.views.evidence import draw_up_evidence
from services.api.dashboard.views.flips import FLIPS_SHOWN, Flipped, read_flips
from services.api.dashboard.views.happenings import Choice, Happening, offer, tell_event
from services.api.dashboard.views.lede import WHO, Fact, headline_of, tell_size
from services.api.dashboard.views.nights import incident_night
from services.api.dashboard.views.streams import name_briefly
from services.api.dashboard.views.suspects import LineUp, line_up, span
from shared.db import incidents, measured_nights
from shared.db.incidents import Incident, IncidentEvent
from shared.db.measured_nights import EvidenceAt
from shared.db.pool import Connection
from shared.domain.causes.blame import Cause
from shared.domain.drift.detections import CATEGORY, Subject
from shared.domain.telling.incidents import Status

NIGHTS_BEFORE = 20
CURVES = 7


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category's shift with its interval. `evidence`: of its stream at its highest, over the alarm line."""

    category: str
    value: float
    lower: float
    upper: float
    is_worse: bool
    evidence: float | None
    flipped: int


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """Numbers behind the chart: one stream's evidence on the last night, and at its highest."""

    stream: str
    last: float
    highest: float
    night: date
    log_worse: float
    log_alarm: float
    overdispersion: float


@dataclass(frozen=True, slots=True)
class IncidentView:
    id: UUID
    name: str
    mark: str
    status: str
    kick: tuple[str, ...]
    headline: str
    story: tuple[str, ...]
    facts: tuple[Fact, ...]
    is_noisy: bool
    overdispersion: float
    suspects: LineUp
    verdict: str
    chart: EvidenceChart | None
    wide: EvidenceDrawing | None
    narrow: EvidenceDrawing | None
    numbers_behind: tuple[EvidenceRow, ...]
    budget: str
    categories: tuple[CategoryRow, ...]
    category_low: float
    category_high: float
    flips: tuple[Flipped, ...]
    flips_in_all: int
    flip_page: int
    flip_pages: int
    choices: tuple[Choice, ...]
    happenings: tuple[Happening, ...]
    model: str
    schedule: str
    is_model: bool


async def read_incident(connection: Connection, incident: Incident, flip_page: int) -> IncidentView:
    found, since = incident.findings, incident_night(incident)
    events = await incidents.list_events(connection, incident.id)
    monitors = await incidents.list_monitors(connection, incident.schedule_id)
    begin = (since or date.fromisoformat(found["night"])) - timedelta(days=NIGHTS_BEFORE)
    read = await measured_nights.list_evidence(
        connection, incident.schedule_id, incident.subject, incident.model, since=begin
    )
    end = incident.closed_at.date() if incident.closed_at else date.max
    evidence = [one for one in read if one.night <= end]
    chart = _draw_up(incident, evidence, since)
    categories = _list_categories(found, evidence)
    questions = found.get("questions") or ()
    pages = max(1, -(-len(questions) // FLIPS_SHOWN))
    page = min(max(flip_page, 1), pages)
    low, high = span(categories)
    return IncidentView(
        id=incident.id,
        name=name_incident(incident.id),
        mark=_mark(incident),
        status=_tell_status(incident),
        kick=_kick(incident),
        headline=headline_of(incident),
        story=tuple(filter(None, (tell_size(incident), *found["because"]))),
        facts=_facts(incident, since, events),
        is_noisy=found["is_noisy"],
        overdispersion=found["overdispersion"],
        suspects=line_up(incident, any(one.subject is Subject.HARNESS for one in monitors)),
        verdict="{}: {}.".format(*WHO[Cause(incident.cause)]),
        chart=chart,
        wide=draw_evidence(chart, 1180, 380) if chart else None,
        narrow=draw_evidence(chart, 350, 260, labels=False) if chart else None,
        numbers_behind=_list_numbers(evidence),
        budget=_tell_budget(found),
        categories=categories,
        category_low=low,
        category_high=high,
        flips=await read_flips(connection, incident, page),
        flips_in_all=len(questions),
        flip_page=page,
        flip_pages=pages,
        choices=tuple(offer(act, incident, since) for act in list_possible_acts(incident)),
        happenings=tuple(tell_event(event) for event in events),
        model=incident.model,
        schedule=incident.schedule,
        is_model=incident.subject is Subject.MODEL,
    )


def name_incident(incident_id: UUID) -> str:
    return f"INC-{incident_id.hex[:8]}"


def _mark(incident: Incident) -> str:
    if incident.cause == Cause.OUTAGE:
        return "outage"
    if incident.status is Status.CLOSED:
        return "steady"
    return "judge" if incident.cause == Cause.JUDGE else "drifting"


def _tell_status(incident: Incident) -> str:
    if incident.status is Status.CLOSED:
        return f"Closed, {(incident.resolution or '').replace('_', ' ')}"
    return f"{incident.status.capitalize()}, {incident.severity}"


def _kick(incident: Incident) -> tuple[str, ...]:
    told = [f"{incident.model} on {incident.suite}, schedule {incident.schedule}"]
    told.append(f"opened {numbers.moment(incident.opened_at)} UTC")
    if incident.closed_at is not None:
        told.append(f"closed {numbers.moment(incident.closed_at)} UTC")
    elif incident.status is Status.OPEN:
        told.append("not acknowledged")
    return tuple(told)


def _facts(incident: Incident, since: date | None, events: Sequence[IncidentEvent]) -> tuple[Fact, ...]:
    found = incident.findings
    size, verdict = found.get("size") or {}, found.get("verdict")
    facts = [Fact("Size so far", *_tell_size(size, found["stream"]))]
    if verdict is not None:
        corrected = verdict["corrected"]
        spread = f"{_range(corrected)}, the judge's part taken off"
        facts.append(Fact("Judge-corrected size", f"{numbers.points(corrected['value'])} points", spread))
    elif incident.subject is Subject.MODEL and size.get("value") is not None:
        facts.append(
            Fact("Judge-corrected size", "Not measured", "no anchors on both sides, or no judge takes part")
        )
    if since is not None:
        early, late = found["since_earliest"], found["since_latest"]
        where = "plausible range: that night alone"
        if early != late:
            range_ends = (numbers.night(date.fromisoformat(end)) for end in (early, late))
            where = f"plausible range: {' to '.join(range_ends)}"
        facts.append(Fact("Dated", numbers.night(since), where))
    night, ratio = date.fromisoformat(found["night"]), found.get("evidence_ratio")
    first = (
        f"{name_briefly(found['stream'])} crossed its line, at {numbers.evidence(ratio)}"
        if ratio
        else "counted, not inferred"
    )
    facts.append(Fact("Alarm", "Same night" if night == since else numbers.night(night), first))
    return tuple(facts)


def _tell_size(size: Mapping[str, Any], stream: str) -> tuple[str, str]:
    if size.get("value") is not None:
        return f"{numbers.points(size['value'])} points", (f"95{numbers.HARD_SPACE}% interval {_range(size)}")
    if size.get("ratio") is not None:
        return f"×{size['ratio']:.2f}", f"{name_briefly(stream)}, against what it was"
    return "Not sized", "too little was measured"


def _range(size: Mapping[str, Any]) -> str:
    return f"{numbers.points(size['lower'])} to {numbers.points(size['upper'])}"


def _draw_up(incident: Incident, evidence: Sequence[EvidenceAt], since: date | None) -> EvidenceChart | None:
    if not evidence:
        return None
    found, last = incident.findings, evidence[-1]
    watch = (last.log_watch - last.log_alarm) / math.log(10)
    title = f"Evidence that {incident.model} moved, against the alarm line"
    return draw_up_evidence(
        title, evidence, found["stream"], watch, since, most=CURVES, also=found["streams"]
    )


def _list_categories(found: Mapping[str, Any], evidence: Sequence[EvidenceAt]) -> tuple[CategoryRow, ...]:
    flipped: dict[str, int] = {}
    for one in found.get("questions") or ():
        flipped[one["category"]] = flipped.get(one["category"], 0) + 1
    highest = {row.stream: row.highest for row in _list_numbers(evidence, brief=False)}
    rows = [
        CategoryRow(
            one["category"], one["value"], one["lower"], one["upper"], one["is_worse"],
            highest.get(CATEGORY + one["category"]), flipped.get(one["category"], 0),
        )
        for one in found.get("categories") or ()
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (not row.is_worse, row.value)))


def _list_numbers(evidence: Sequence[EvidenceAt], *, brief: bool = True) -> tuple[EvidenceRow, ...]:
    by_stream: dict[str, list[EvidenceAt]] = {}
    for one in evidence:
        if one.took_part:
            by_stream.setdefault(one.stream, []).append(one)
    rows = [
        EvidenceRow(
            name_briefly(stream) if brief else stream, _ratio(read[-1]), max(_ratio(one) for one in read),
            max(read, key=_ratio).night, read[-1].log_worse, read[-1].log_alarm, read[-1].overdispersion,
        )
        for stream, read in by_stream.items()
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: -row.highest))


def _ratio(one: EvidenceAt) -> float:
    return math.exp(min(one.log_worse - one.log_alarm, 300.0))


def _tell_budget(found: Mapping[str, Any]) -> str:
    nights, models = found["nights_per_false_alarm"], found["watched_models"]
    return (
        f"All streams of {numbers.many(models, 'watched model')} together cross a line by chance at most"
        f" once in {numbers.count(round(nights))} nights, as long as nights do not echo each other."
    )
