"""/incidents: what moved, its whole story, and what people do about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.api import acts
from services.api.auth import Actor, needs
from services.api.decisions import Decider
from services.api.desk import AtDesk, Desk
from services.api.lookup import IdPrefix, range_of_ids
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import BY_TIME, CursorText, Limit
from services.api.problems import NotFound
from services.api.schemas import incidents as schemas
from services.api.schemas.fields import ModelName, SuiteName
from shared.db import incidents
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.domain.telling.incidents import Act, Status

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"], responses=KEYED)

ACT: dict[str, Any] = {
    "response_model": schemas.Incident,
    "dependencies": [needs(Scope.SUBMIT)],
    "responses": {**MISSING, **CONFLICTING, **WITH_BODY},
}


@router.get("", response_model=schemas.IncidentPage, dependencies=[needs(Scope.READ)])
async def list_incidents(
    desk: AtDesk,
    status: Annotated[Status | None, Query()] = None,
    schedule: Annotated[SuiteName | None, Query()] = None,
    model: Annotated[ModelName | None, Query(description="A model, or a judge by its name.")] = None,
    id_prefix: IdPrefix = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List incidents, newest first."""
    before, ids = BY_TIME.read(cursor), range_of_ids(id_prefix)
    async with desk.connection() as connection:
        found = await incidents.list_incidents(
            connection, status=[status] if status else None, schedule=schedule, model=model, ids=ids,
            before=before, limit=limit + 1,
        )  # fmt: skip
    items, next_cursor = BY_TIME.cut(found, limit, lambda incident: (incident.opened_at, incident.id))
    return {"items": items, "next_cursor": next_cursor}


@router.get(
    "/{incident_id}", response_model=schemas.Incident, dependencies=[needs(Scope.READ)], responses=MISSING
)
async def show_incident(desk: AtDesk, incident_id: UUID) -> Any:
    """Show the whole story of an incident, as far as it is known by now."""
    async with desk.connection() as connection:
        return await _tell(connection, incident_id)


@router.post("/{incident_id}/acknowledge", **ACT)
async def acknowledge_incident(
    desk: AtDesk, actor: Actor, incident_id: UUID, request: schemas.ActRequest | None = None
) -> Any:
    """Say that you look after it: reminders stop, the incident stays open. Again, it changes nothing."""
    async with _acting(desk) as connection:
        await acts.acknowledge(connection, incident_id, _decider(actor, request))
        return await _tell(connection, incident_id)


@router.post("/{incident_id}/resolve", **ACT)
async def resolve_incident(
    desk: AtDesk, actor: Actor, incident_id: UUID, request: schemas.ActRequest | None = None
) -> Any:
    """Close it because its cause is gone."""
    async with _acting(desk) as connection:
        await acts.close(connection, incident_id, Act.RESOLVE, _decider(actor, request))
        return await _tell(connection, incident_id)


@router.post("/{incident_id}/dismiss", **ACT)
async def dismiss_incident(
    desk: AtDesk, actor: Actor, incident_id: UUID, request: schemas.ActRequest | None = None
) -> Any:
    """Close it as a false alarm."""
    async with _acting(desk) as connection:
        await acts.close(connection, incident_id, Act.DISMISS, _decider(actor, request))
        return await _tell(connection, incident_id)


@router.post("/{incident_id}/accept-baseline", **ACT)
async def accept_baseline(
    desk: AtDesk, actor: Actor, incident_id: UUID, request: schemas.AcceptRequest | None = None
) -> Any:
    """Close it because the model is now as it will be: its new normal begins with the night of the change.

    The evidence of the nights from then on is computed anew, without those before.
    """
    night = request.night if request else None
    async with _acting(desk) as connection:
        await acts.accept_baseline(connection, desk, incident_id, _decider(actor, request), night)
        return await _tell(connection, incident_id)


@asynccontextmanager
async def _acting(desk: Desk) -> AsyncIterator[Connection]:
    """All of an act in one transaction; what is to be told of it is sent at once."""
    async with desk.connection() as connection, connection.transaction():
        yield connection
    await desk.enqueue_delivery()


def _decider(actor: str, request: schemas.ActRequest | None) -> Decider:
    return Decider(actor, datetime.now(UTC), request.note if request else "")


async def _tell(connection: Connection, incident_id: UUID) -> dict[str, Any]:
    incident = await incidents.find_incident(connection, incident_id)
    if incident is None:
        raise NotFound(f"There is no incident {incident_id}.")
    return {
        **asdict(incident),
        "events": await incidents.list_events(connection, incident_id),
        "acts": acts.list_possible_acts(incident),
    }
