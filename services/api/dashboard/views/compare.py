"""What Compare shows of a suite: which model, and whether the difference is real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.api.dashboard import numbers
from services.api.dashboard.views.choices import ALL, Chosen, Filters
from services.api.dashboard.views.contest import (
    Heat,
    Place,
    Scatter,
    describe_place,
    draw_costs,
    draw_up_heat,
)
from services.api.dashboard.views.run_choice import RunChoice, read_run_choice
from services.api.desk import Desk
from services.api.leaderboard import Board, list_standings, read_board
from services.api.rankings import RankingShelf
from services.api.recommending import read_open_incidents, recommend_of
from shared.db import incidents, measurements, schedules
from shared.db.incidents import Incident
from shared.db.pool import Connection
from shared.domain.drift.detections import Subject
from shared.domain.figures.recommendation import Need, Notice
from shared.domain.telling.incidents import MonitorState
from shared.domain.telling.wording import name_some

MOST_CATEGORIES = 24
NEEDS = {
    Need.BEST: "the best answers",
    Need.VALUE: "the best value",
    Need.FASTEST: "the fastest answers",
    Need.CHEAPEST: "the lowest cost",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """One row of the recommendation."""

    need: Need
    want: str
    model: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Contest:
    """`low` is where the column of intervals begins, `slowest` where that of the seconds ends."""

    filters: Filters
    suite: str
    version: int
    category: str
    headline: str
    story: tuple[str, ...]
    places: tuple[Place, ...]
    low: float
    ranked: int
    advice: tuple[Advice, ...]
    warnings: tuple[Notice, ...]
    loss: float
    heat: Heat
    unshown_categories: int
    scatter: Scatter | None
    by_seconds: tuple[Place, ...]
    slowest: float
    choice: RunChoice


async def read_contest(
    connection: Connection, desk: Desk, shelf: RankingShelf, chosen: Chosen, loss: float
) -> Contest:
    suite = chosen.suite.name
    board = await read_board(connection, desk, shelf, suite, chosen.category)
    facts = [(one.run_id, one.model) for one in board.measured]
    by_category = await measurements.read_categories(connection, facts)
    categories = sorted({one.category for one in by_category})
    if chosen.category != ALL:
        categories = [one for one in categories if one == chosen.category]
    shown = categories[:MOST_CATEGORIES]
    rankings = await shelf.read(connection, facts, shown)
    open_incidents = await read_open_incidents(connection, suite)
    watched = await _read_watched(connection, suite)
    places = _list_places(board, desk, open_incidents, watched)
    advice = recommend_of(board, open_incidents, loss)
    lowest = min((one.lower for one in places if one.lower is not None), default=0.0)
    timed = sorted(
        (one for one in places if one.p50 is not None), key=lambda one: (one.p50 or 0.0, one.model)
    )
    headline, story = _tell(board, places)
    return Contest(
        filters=chosen.filters,
        suite=suite,
        version=chosen.suite.version,
        category=chosen.category,
        headline=headline,
        story=story,
        places=places,
        low=int(lowest * 10) / 10,
        ranked=len(board.ranking.models),
        advice=tuple(Advice(one.need, NEEDS[one.need], one.model, one.reason) for one in advice.choices),
        warnings=advice.warnings,
        loss=loss,
        heat=draw_up_heat([one.model for one in places], by_category, rankings, open_incidents),
        unshown_categories=len(categories) - len(shown),
        scatter=draw_costs(places),
        by_seconds=tuple(timed),
        slowest=max((one.p95 for one in timed if one.p95 is not None), default=1.0) or 1.0,
        choice=await read_run_choice(connection, suite=suite),
    )


def _list_places(
    board: Board, desk: Desk, open_incidents: Mapping[str, Incident], watched: set[str]
) -> tuple[Place, ...]:
    measured = {one.model: one for one in board.measured}
    return tuple(
        describe_place(
            standing,
            measured[standing.model],
            _name_provider(desk, standing.model),
            open_incidents.get(standing.model),
            standing.model in watched,
        )
        for standing in list_standings(board)
    )


def _name_provider(desk: Desk, model: str) -> str:
    entry = desk.catalogue.entries.get(model)
    return entry.litellm_model.partition("/")[0] if entry else ""


async def _read_watched(connection: Connection, suite: str) -> set[str]:
    """The models of the suite's schedules on which the watch has an eye."""
    return {
        one.model
        for schedule in await schedules.list_schedules(connection)
        if schedule.suite == suite
        for one in await incidents.list_monitors(connection, schedule.id)
        if one.subject is Subject.MODEL and one.state is MonitorState.WATCH
    }


def _tell(board: Board, places: Sequence[Place]) -> tuple[str, tuple[str, ...]]:
    """Who could be the first, and by what that is known."""
    ranking = board.ranking
    ranked = [one for one in places if one.accuracy is not None]
    if not ranked:
        return "No model has a score yet", (f"The newest runs of {board.suite} gave no answer that has one.",)
    leaders = ranking.list_leaders([one.model for one in ranked])
    questions = max(one.questions for one in board.measured)
    where = f"{board.suite}" + (f", {board.category}" if board.category != ALL else "")
    if len(ranked) == 1:
        told = f"{ranked[0].model} is the only model measured on {where}"
        return told, ("A second one is needed to compare.", _tell_when(board))
    if len(leaders) == 1:
        others = f"all {len(ranked) - 1} others" if len(ranked) > 2 else ranked[1].model
        told = f"{leaders[0]} is ahead of {others} on {where}"
        return told, (f"That holds on {numbers.many(questions, 'question')}, paired.", _tell_when(board))
    told = f"Any of {len(leaders)} models could be the first on {where}"
    if len(leaders) == len(ranked):
        told = (
            f"These questions can't tell {'both' if len(ranked) == 2 else f'the {len(ranked)}'} models apart"
        )
    names = name_some(leaders)
    return told, (
        f"{numbers.many(questions, 'question')} can't tell {names} apart.",
        _tell_when(board),
    )


def _tell_when(board: Board) -> str:
    first, last = (f(one.finished_at for one in board.measured) for f in (min, max))
    if first.date() == last.date():
        return f"Each model's newest run, all of {numbers.night(last.date())}."
    return f"Each model's newest run, from {numbers.night(first.date())} to {numbers.night(last.date())}."
