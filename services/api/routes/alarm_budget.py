"""/alarm-budget: how easily the watch may alarm."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.api.alarm_budget import settle_alarm_budget, tell_alarm_budget
from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.openapi import KEYED, MISSING, WITH_BODY
from services.api.schemas.alarm_budget import AlarmBudget, AlarmBudgetRequest
from services.api.schemas.fields import SuiteName
from shared.db.keys import Scope

router = APIRouter(prefix="/api/v1/alarm-budget", tags=["drift"], responses=KEYED)


@router.get("", dependencies=[needs(Scope.READ)], responses=MISSING)
async def show_alarm_budget(
    desk: AtDesk,
    suite: Annotated[SuiteName | None, Query(description="Absent: that of a schedule.")] = None,
) -> AlarmBudget:
    """Show how easily the watch may alarm, and which drops it sees at that."""
    async with desk.connection() as connection:
        return await tell_alarm_budget(connection, desk, suite)


@router.put("", dependencies=[needs(Scope.SUBMIT)], responses=WITH_BODY)
async def put_alarm_budget(desk: AtDesk, actor: Actor, request: AlarmBudgetRequest) -> AlarmBudget:
    """Settle how easily the watch may alarm, from the next night on. Alarms of the past stay as they are."""
    async with desk.connection() as connection, connection.transaction():
        await settle_alarm_budget(connection, request.nights_per_false_alarm, actor)
        return await tell_alarm_budget(connection, desk, None)
