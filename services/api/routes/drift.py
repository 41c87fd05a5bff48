"""/drift: where each watched thing stands, and how it came to that; setting a night aside."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from services.api import decisions
from services.api.auth import Actor, needs
from services.api.chronicle import read_chronicle
from services.api.decisions import Decider
from services.api.desk import AtDesk
from services.api.drift import describe_standing
from services.api.lookup import find_schedule
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.schemas import drift as schemas
from services.api.schemas.fields import ModelName, SuiteName, text
from services.api.schemas.schedules import NightDate
from shared.db import standings
from shared.db.budget import read_alarm_budget
from shared.db.keys import Scope
from shared.domain.drift.detections import ACCURACY
from shared.nights import count_watched

router = APIRouter(prefix="/api/v1", tags=["drift"], responses=KEYED)

StreamName: TypeAlias = Annotated[str, text(300, 1)]
_by_run = Cursor[UUID](UUID)


@router.get("/drift", response_model=schemas.Standings, dependencies=[needs(Scope.READ)])
async def show_drift(
    desk: AtDesk,
    schedule: Annotated[SuiteName | None, Query()] = None,
    model: Annotated[ModelName | None, Query()] = None,
    stream: Annotated[
        StreamName | None, Query(description="Only what has this stream, seen by it alone.")
    ] = None,
) -> Any:
    """Show where everything stands that is watched, after its last entry."""
    async with desk.connection() as connection:
        rows = await standings.list_standings(connection, schedule=schedule, model=model, stream=stream)
        watched = await count_watched(connection, desk.catalogue)
        budget = await read_alarm_budget(connection, desk.settings)
    return {
        "items": [describe_standing(row) for row in rows],
        "nights_per_false_alarm": budget.nights_per_false_alarm,
        "watched_models": watched,
    }


@router.get(
    "/drift/history",
    response_model=schemas.HistoryPage,
    dependencies=[needs(Scope.READ)],
    responses=MISSING,
)
async def list_history(
    desk: AtDesk,
    schedule: Annotated[SuiteName, Query()],
    model: Annotated[ModelName, Query(description="A model; for the stream `anchors`, a judge.")],
    stream: Annotated[
        StreamName, Query(description="Such as accuracy, weighted, category:math, latency, anchors.")
    ] = ACCURACY,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List one stream of a model entry by entry, newest first, with what changed from each to the next.

    Only entries of one series can be compared: a chart must not join them to others.
    """
    before = _by_run.read(cursor)
    async with desk.connection() as connection:
        chronicle = await read_chronicle(connection, await find_schedule(connection, schedule), model, stream)
    page, next_cursor = _by_run.cut(chronicle.newest_first(before, limit + 1), limit, lambda run_id: run_id)
    return {
        "schedule": schedule,
        "subject": chronicle.subject,
        "model": model,
        "stream": stream,
        "items": [chronicle.describe(run_id) for run_id in page],
        "next_cursor": next_cursor,
    }


@router.post(
    "/schedules/{name}/nights/{night}/quarantine",
    response_model=schemas.Quarantined,
    dependencies=[needs(Scope.SUBMIT)],
    responses={**MISSING, **CONFLICTING, **WITH_BODY},
    tags=["schedules"],
)
async def quarantine_night(
    desk: AtDesk,
    actor: Actor,
    name: Annotated[SuiteName, Path(description="The schedule's name.", examples=["nightly"])],
    night: Annotated[NightDate, Path(examples=["2026-11-21"])],
    request: schemas.QuarantineRequest,
) -> Any:
    """Set a night aside for a model, as if it had not been measured; what follows from it is computed anew.

    Doing it again changes nothing; the answer then tells who did it first.
    """
    decider = Decider(actor, datetime.now(UTC), request.note)
    async with desk.connection() as connection, connection.transaction():
        schedule = await find_schedule(connection, name)
        acts = await decisions.quarantine(
            connection, desk, schedule, request.model, night, request.attempt, decider
        )
    return {
        "schedule": name,
        "model": request.model,
        "night": night,
        "attempt": request.attempt,
        "runs": [act.run_id for act in acts],
        "by": acts[0].by,
        "at": acts[0].at,
        "note": acts[0].note,
    }


@router.delete(
    "/schedules/{name}/nights/{night}/quarantine",
    status_code=204,
    dependencies=[needs(Scope.SUBMIT)],
    responses={**MISSING, **CONFLICTING},
    tags=["schedules"],
)
async def admit_night(
    desk: AtDesk,
    actor: Actor,
    name: Annotated[SuiteName, Path(description="The schedule's name.", examples=["nightly"])],
    night: Annotated[NightDate, Path(examples=["2026-11-21"])],
    model: Annotated[ModelName, Query()],
    attempt: Annotated[int, Query(ge=0, le=2, description="0: the nightly run; 1 and 2 confirm it.")] = 0,
) -> Response:
    """Let a night that was set aside count again; what follows from it is computed anew."""
    async with desk.connection() as connection, connection.transaction():
        schedule = await find_schedule(connection, name)
        decider = Decider(actor, datetime.now(UTC))
        await decisions.admit(connection, desk, schedule, model, night, attempt, decider)
    return Response(status_code=204)
