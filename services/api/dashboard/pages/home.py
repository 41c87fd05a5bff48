"""/: is anything drifting?"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from services.api.dashboard.views.choices import ALL, choose
from services.api.dashboard.views.home import read_home
from services.api.dashboard.views.unwatched import read_unwatched
from services.api.dashboard.visit import Visiting, page_router
from services.api.schemas.stats import Period
from services.api.statistics import StatsBoard

router = page_router()


@router.get("/")
async def show_home(
    visit: Visiting,
    suite: str | None = None,
    schedule: str | None = None,
    category: str = ALL,
    period: Period = "30d",
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Response:
    board: StatsBoard = visit.request.state.stats_board
    datasets = (await board.read(visit.desk, period)).top_datasets
    async with visit.desk.connection() as connection:
        chosen = await choose(
            connection, "/", suite=suite, schedule=schedule, category=category, period=period
        )
        if chosen is None:
            return await visit.show("empty.html", None)
        if chosen.schedule is not None:
            home = await read_home(connection, visit.desk, chosen, datasets, page, datetime.now(UTC))
            if home is not None:
                return await visit.show("home.html", home)
        unwatched = await read_unwatched(
            connection, visit.desk, visit.request.state.rankings, chosen, datasets
        )
    return await visit.show("unwatched.html", unwatched)
