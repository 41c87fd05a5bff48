"""How things stand, as Prometheus' gauges: what each is called, and which labels it may have."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from services.api.drift import as_ratio
from shared import metrics
from shared.db.measures import Calendar, NewestMeasurement, Present, Standing
from shared.domain.calendar import nights_due
from shared.domain.drift.dating import Severity
from shared.domain.drift.detections import Subject
from shared.domain.errors import InvalidInput
from shared.domain.telling.findings import NOT_MEASURED
from shared.domain.telling.incidents import MonitorState
from shared.metrics import OTHER, ModelLabels
from shared.models import Catalogue
from shared.queue import QueueState, model_of

MOST_CATEGORIES = 50  # of a suite that has more, only the whole is told
WHOLE = "all"
CONTROL = "control"


def describe_quality(present: Present, now: datetime) -> list[GaugeMetricFamily]:
    """Every gauge whose truth is in the database. Models beyond the cap are left out, and counted."""
    models = {each.model: None for each in present.measurements}  # the newest first
    models |= {each.model: None for each in present.standings if each.subject == Subject.MODEL}
    labels = ModelLabels()
    told = {model for model in models if labels.name(model) != OTHER}
    standings = [each for each in present.standings if _is_told(each.subject, each.model, told)]
    return [
        *_describe_measurements([each for each in present.measurements if each.model in told]),
        *_describe_standings(standings),
        metrics.INCIDENTS.tell(_count_incidents(present)),
        metrics.EVIDENCE.tell(_list_evidence(present, told)),
        *_describe_calendars(present.calendars, now),
        metrics.AGREEMENT.tell(((judge, suite), found.share) for judge, suite, found in present.agreements),
        metrics.KAPPA.tell(
            ((judge, suite), found.kappa.value if found.kappa else None)
            for judge, suite, found in present.agreements
        ),
        metrics.ANCHOR_SHIFT.tell(((each.schedule, each.judge), each.shift) for each in present.shifts),
        metrics.RUNS_OPEN.tell([((), present.open_runs)]),
        metrics.MODELS_LEFT_OUT.tell([((), len(models) - len(told))]),
    ]


def _describe_measurements(measurements: Sequence[NewestMeasurement]) -> Iterator[GaugeMetricFamily]:
    categories: dict[str, set[str]] = defaultdict(set)
    for each in measurements:
        categories[each.suite].add(each.category)
    rows = [
        ((each.model, each.suite, each.category), each)
        for each in measurements
        if each.category == WHOLE or len(categories[each.suite]) <= MOST_CATEGORIES + 1
    ]
    yield metrics.ACCURACY.tell((labels, each.accuracy) for labels, each in rows)
    yield metrics.ACCURACY_LOWER.tell((labels, each.accuracy_lower) for labels, each in rows)
    yield metrics.ACCURACY_UPPER.tell((labels, each.accuracy_upper) for labels, each in rows)
    yield metrics.DETECTABLE.tell((labels, each.detectable_difference) for labels, each in rows)
    yield metrics.COVERAGE.tell((labels, each.coverage) for labels, each in rows)
    yield metrics.PASS_RATE.tell((labels, each.pass_rate) for labels, each in rows)
    whole = [((each.model, each.suite), each) for _, each in rows if each.category == WHOLE]
    yield metrics.MEASURED_AT.tell((labels, each.measured_at.timestamp()) for labels, each in whole)
    yield metrics.RUN_COST.tell((labels, each.run_cost_usd) for labels, each in whole)


def _describe_standings(standings: Sequence[Standing]) -> Iterator[GaugeMetricFamily]:
    yield metrics.STATE.tell(
        ((each.schedule, each.subject, each.model, state), each.state == state)
        for each in standings
        for state in MonitorState
    )


def _count_incidents(present: Present) -> Iterator[tuple[Sequence[str], float]]:
    """Zeros included: for each schedule, whatever can happen."""
    open_now = Counter((each.schedule, each.subject, each.severity) for each in present.standings)
    for calendar in present.calendars:
        for subject in Subject:
            for severity in (*Severity, NOT_MEASURED):
                labels = (calendar.schedule, subject, severity)
                yield labels, open_now[labels]


def _list_evidence(present: Present, told: set[str]) -> Iterator[tuple[Sequence[str], float | None]]:
    streams = Counter((each.schedule, each.subject, each.model) for each in present.evidence)
    for each in present.evidence:
        if not _is_told(each.subject, each.model, told):
            continue
        few = streams[each.schedule, each.subject, each.model] <= MOST_CATEGORIES
        if few or not each.stream.startswith("category:"):
            yield (each.schedule, each.subject, each.model, each.stream), as_ratio(each.log_ratio)


def _is_told(subject: str, model: str, told: set[str]) -> bool:
    return subject != Subject.MODEL or model in told


def _describe_calendars(calendars: Sequence[Calendar], now: datetime) -> Iterator[GaugeMetricFamily]:
    yield metrics.LAST_NIGHT.tell(((each.schedule,), _seconds(each.last_finished_at)) for each in calendars)
    yield metrics.NIGHT_DUE.tell(((each.schedule,), _seconds(_find_due(each, now))) for each in calendars)
    yield metrics.NIGHTS_MISSED.tell(((each.schedule,), each.missed) for each in calendars)


def _find_due(calendar: Calendar, now: datetime) -> datetime | None:
    """When the newest night that should have begun by now was due; None: none was, or it is paused."""
    if calendar.is_paused:
        return None
    stored = calendar.last_due_at
    since = max(calendar.active_since, stored or calendar.active_since)
    try:
        due = nights_due(calendar.cron, calendar.time_zone, since, now)
    except InvalidInput:  # its time zone is not known here any more
        return None
    if due:
        return due[-1].due_at
    return stored if stored is not None and stored > calendar.active_since else None


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None


def describe_queues(
    states: Sequence[QueueState], catalogue: Catalogue, model_slots: int
) -> list[GaugeMetricFamily]:
    """How much waits and runs, by model: 0 for those of models.yaml of which nothing does.

    `model_slots` is the limit of a model that states none. Models beyond the cap are told together.
    """
    by_model = {model_of(state.queue): state for state in states}
    labels = ModelLabels()
    gathered: dict[str, list[QueueState]] = {CONTROL: [by_model[None]] if None in by_model else []}
    slots: dict[str, int] = defaultdict(int)
    for model in dict.fromkeys((*catalogue.names(), *sorted(name for name in by_model if name is not None))):
        label = labels.name(model)
        gathered.setdefault(label, []).extend([by_model[model]] if model in by_model else [])
        slots[label] += catalogue.max_parallel_requests(model) or model_slots
    return [
        metrics.QUEUE_DEPTH.tell(
            ((label,), sum(one.waiting for one in of)) for label, of in gathered.items()
        ),
        metrics.IN_FLIGHT.tell(((label,), sum(one.running for one in of)) for label, of in gathered.items()),
        metrics.QUEUE_OLDEST.tell(((label,), _oldest(of)) for label, of in gathered.items()),
        metrics.SLOTS.tell(((label,), count) for label, count in slots.items()),
        metrics.LEARNED_SLOTS.tell(
            ((label,), sum(known))
            for label, of in gathered.items()
            if (known := [one.learned_slots for one in of if one.learned_slots is not None])
        ),
    ]


def _oldest(states: Sequence[QueueState]) -> float | None:
    return max((one.oldest_seconds for one in states if one.oldest_seconds is not None), default=None)
