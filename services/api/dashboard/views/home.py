"""What Home shows: the last night of a schedule in the light of those before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.api.dashboard import numbers
from services.api.dashboard.charts.evidence import EvidenceChart, EvidenceDrawing, draw_evidence
from services.api.dashboard.views.choices import ALL, Chosen, Filters
from services.api.dashboard.views.evidence import draw_up_evidence, watch_power
from services.api.dashboard.views.fleet import ROWS, Fleet, FleetRow, describe_fleet
from services.api.dashboard.views.lede import Lede, write_lede
from services.api.dashboard.views.nights import incident_night
from services.api.dashboard.views.tonight import (
    Part,
    Scores,
    Seconds,
    Totals,
    add_up,
    draw_seconds,
    list_scores,
    look_into_machine_room,
)
from services.api.desk import Desk
from services.api.drift import describe_standing
from services.api.schemas.drift import Standing
from services.api.schemas.stats import Dataset
from shared.db import incidents, measured_nights, schedules, standings
from shared.db.incidents import Incident
from shared.db.measured_nights import HardQuestion, MeasuredNight
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.db.standings import StandingRow
from shared.domain.calendar import next_due
from shared.domain.drift.budget import Budget
from shared.domain.drift.detections import CATEGORY, Subject
from shared.domain.runs import RunId

HARDEST_NIGHTS = 7
IMPROVED_NIGHTS = 7
LEDE_NIGHTS = 14
CURVES = 4


@dataclass(frozen=True, slots=True)
class Home:
    """`rows`: the page of the fleet's; `others`: the judge and the harness, in a sentence each.

    `run`: the last measured night's; `running`: that of a night which is not over yet.
    """

    filters: Filters
    dateline: tuple[str, str]
    run: RunId | None
    running: RunId | None
    lede: Lede
    fleet: Fleet
    rows: tuple[FleetRow, ...]
    page: int
    pages: int
    evidence: EvidenceChart | None
    wide: EvidenceDrawing | None
    narrow: EvidenceDrawing | None
    others: tuple[Standing, ...]
    scores: tuple[Scores, ...]
    hardest: tuple[HardQuestion, ...]
    hardest_runs: int
    datasets: tuple[Dataset, ...]
    seconds: Seconds | None
    totals: Totals
    parts: tuple[Part, ...]
    nights_per_false_alarm: float
    category: str
    suite: str
    schedule: str


@dataclass(frozen=True, slots=True)
class Read:
    """What Home is made of, as it was read."""

    schedule: Schedule
    measured: Sequence[MeasuredNight]
    standings: Sequence[StandingRow]
    open_incidents: Sequence[Incident]
    improved: Mapping[str, date]
    budget: Budget
    nights: Sequence[schedules.Night]


async def read_home(
    connection: Connection, desk: Desk, chosen: Chosen, datasets: Sequence[Dataset], page: int, now: datetime
) -> Home | None:
    """Read the schedule's last nights; None before the first one is measured."""
    assert chosen.schedule is not None
    found = await measured_nights.find_last_measured_night(connection, chosen.schedule.id)
    if found is None:
        return None
    last, budget = found
    read = await _read(connection, chosen, last, budget)
    providers = {
        name: entry.litellm_model.partition("/")[0] for name, entry in desk.catalogue.entries.items()
    }
    watch = watch_power(read.budget)
    fleet = describe_fleet(
        read.standings, read.measured, read.open_incidents, read.improved, providers, watch
    )
    chart = await _read_evidence(connection, read, fleet, last)
    runs = list(dict.fromkeys(one.run_id for one in reversed(read.measured)))[:HARDEST_NIGHTS]
    hardest, hardest_runs = await measured_nights.list_hardest_questions(connection, runs, chosen.category)
    counted = len({one.night for one in read.measured})
    watched = {row.model for row in fleet.rows}
    of_fleet = [one for one in read.measured if one.model in watched]
    pages = max(1, -(-len(fleet.rows) // ROWS))
    page = min(max(page, 1), pages)
    return Home(
        filters=chosen.filters,
        dateline=_write_dateline(read, chosen, of_fleet, last, now),
        run=runs[0] if runs else None,
        running=_find_open(read.nights, last),
        lede=write_lede(fleet, read.open_incidents, counted, read.budget.nights_per_false_alarm),
        fleet=fleet,
        rows=fleet.rows[(page - 1) * ROWS : page * ROWS],
        page=page,
        pages=pages,
        evidence=chart,
        wide=draw_evidence(chart, 470, 300) if chart else None,
        narrow=draw_evidence(chart, 350, 250, labels=False) if chart else None,
        others=tuple(describe_standing(row) for row in read.standings if row.subject is not Subject.MODEL),
        scores=list_scores(of_fleet),
        hardest=tuple(hardest),
        hardest_runs=hardest_runs,
        datasets=tuple(datasets),
        seconds=draw_seconds(of_fleet),
        totals=add_up(of_fleet),
        parts=await look_into_machine_room(desk.redis, of_fleet),
        nights_per_false_alarm=read.budget.nights_per_false_alarm,
        category=chosen.category,
        suite=chosen.suite.name,
        schedule=chosen.schedule.name,
    )


async def _read(connection: Connection, chosen: Chosen, last: date, budget: Budget) -> Read:
    schedule = chosen.schedule
    assert schedule is not None
    since = chosen.since(last)
    stream = None if chosen.category == ALL else CATEGORY + chosen.category
    return Read(
        schedule,
        await measured_nights.list_measured_nights(
            connection, schedule.id, category=chosen.category, since=since
        ),
        await standings.list_standings(connection, schedule=schedule.name, stream=stream),
        await incidents.list_open_incidents(connection, schedule.id),
        await measured_nights.list_improvements(
            connection, schedule.id, since=last - timedelta(days=IMPROVED_NIGHTS - 1)
        ),
        budget,
        await schedules.list_nights(connection, schedule.id, limit=1),
    )


async def _read_evidence(
    connection: Connection, read: Read, fleet: Fleet, last: date
) -> EvidenceChart | None:
    """Of the open incident's model, else of the one that is nearest to an alarm."""
    about = next(
        (one for one in read.open_incidents if one.subject is Subject.MODEL and incident_night(one)), None
    )
    nearest = max(
        (row for row in fleet.rows if row.power is not None), key=lambda row: row.power or -99, default=None
    )
    model = about.model if about else nearest.model if nearest else None
    if model is None:
        return None
    begin = last - timedelta(days=LEDE_NIGHTS - 1)
    changed = incident_night(about)
    if changed is not None:
        begin = min(begin, changed - timedelta(days=5))
    found = await measured_nights.list_evidence(
        connection, read.schedule.id, Subject.MODEL, model, since=begin
    )
    title = (
        f"Evidence that {model} got worse, against the alarm line"
        if about
        else f"The strongest evidence there is: {model}, below the alarm line"
    )
    lead = about.findings["stream"] if about else None
    also = about.findings["streams"] if about else ()
    return draw_up_evidence(title, found, lead, fleet.watch, changed, most=CURVES, also=also)


def _find_open(nights: Sequence[schedules.Night], last: date) -> RunId | None:
    """The run of a newer night that is not over yet."""
    return next(
        (
            run.run_id
            for night in nights
            if night.night > last
            for run in night.runs
            if not run.state.is_final
        ),
        None,
    )


def _write_dateline(
    read: Read, chosen: Chosen, measured: Sequence[MeasuredNight], last: date, now: datetime
) -> tuple[str, str]:
    tonight = [one for one in measured if one.night == last]
    finished = max((one.finished_at for one in tonight), default=None)
    suite = f"{chosen.suite.name} v{chosen.suite.version}"
    said = f"{numbers.full_night(last)}. The night of {suite}"
    said += f" finished at {numbers.clock(finished)}." if finished else " is over."
    newest = read.nights[0] if read.nights else None
    if newest is not None and newest.night > last:
        running = any(not run.state.is_final for run in newest.runs)
        said += (
            f" The night of {numbers.night(newest.night)} is running; its numbers come when it is complete."
            if running
            else f" The night of {numbers.night(newest.night)} was not measured"
            + (f": {newest.reason}." if newest.reason else ".")
        )
    scored, planned = sum(one.scored for one in tonight), sum(one.planned for one in tonight)
    seen = sum(one.scored > 0 for one in tonight)
    counted = f"{seen} of {numbers.many(len(tonight), 'model')} measured,"
    counted += f" {numbers.count(scored)} of {numbers.many(planned, 'pair')}."
    return said, f"{counted} {_tell_next(read.schedule, newest, now)}"


def _tell_next(schedule: Schedule, newest: schedules.Night | None, now: datetime) -> str:
    if schedule.is_paused:
        return "The schedule is paused."
    due = next_due(schedule.cron, schedule.time_zone, now, after=newest.night if newest else None)
    return (
        f"Next night in {numbers.lasting((due.due_at - now).total_seconds())}."
        if due
        else "No night comes next."
    )
