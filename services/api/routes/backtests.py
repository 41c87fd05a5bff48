"""/backtest: what the watch would have told, had it been there."""

from typing import Any

from fastapi import APIRouter, Request

from services.api.auth import needs
from services.api.backtests import open_workbench, run_backtest
from services.api.desk import AtDesk
from services.api.openapi import KEYED, WITH_BODY
from services.api.schemas import backtests as schemas
from shared.db.keys import Scope

router = APIRouter(
    prefix="/api/v1", tags=["drift"], responses={**KEYED, **WITH_BODY}, lifespan=open_workbench
)


@router.post("/backtest", response_model=schemas.Backtest, dependencies=[needs(Scope.SUBMIT)])
async def backtest(desk: AtDesk, request: Request, asked: schemas.BacktestRequest) -> Any:
    """Run the watch over stored or imported history, night by night, as the scheduler would have.

    Nothing is stored. Nobody intervenes: no incident is acknowledged, no new baseline accepted. Large
    histories take minutes; a server works on one at a time.
    """
    return await run_backtest(desk, request.state.backtests, asked)
