"""/stats: what has been measured lately, in one view."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.api.auth import needs
from services.api.desk import AtDesk
from services.api.openapi import KEYED
from services.api.schemas.stats import Period, Stats
from services.api.statistics import StatsBoard, open_board
from shared.db.keys import Scope

router = APIRouter(prefix="/api/v1", tags=["stats"], responses=KEYED, lifespan=open_board)


@router.get("/stats", dependencies=[needs(Scope.READ)])
async def show_stats(
    desk: AtDesk,
    request: Request,
    period: Annotated[Period, Query(description="How far back to look, from now.")] = "7d",
) -> Stats:
    """Sum up the completed runs of a period. The answer may be up to a minute old."""
    board: StatsBoard = request.state.stats_board
    return await board.read(desk, period)
