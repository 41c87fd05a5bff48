"""/incidents: what moved, and what people do about it."""

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from services.api import acts
from services.api.dashboard.faults import Link, NotThere
from services.api.dashboard.views.act import ActForm, describe_act
from services.api.dashboard.views.incident import read_incident
from services.api.dashboard.views.incidents import list_incidents
from services.api.dashboard.visit import Visit, Visiting, page_router
from services.api.decisions import Decider
from shared.db import incidents
from shared.db.incidents import Incident
from shared.db.keys import Scope
from shared.db.pool import AWAY_ERRORS, Connection
from shared.domain.errors import InvalidInput
from shared.domain.telling.incidents import Act

LONGEST_NOTE = 2000

router = page_router()


@router.get("/incidents")
async def show_incidents(
    visit: Visiting,
    status: Literal["open", "closed", "all"] = "open",
    model: str | None = None,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    async with visit.desk.connection() as connection:
        view = await list_incidents(connection, status, model, cursor)
    return await visit.show("incidents.html", view)


@router.get("/incidents/{incident_id}")
async def show_incident(
    visit: Visiting, incident_id: str, flips: Annotated[int, Query(ge=1, le=1000)] = 1
) -> Response:
    async with visit.desk.connection() as connection:
        view = await read_incident(connection, await _find(connection, incident_id), flips)
    return await visit.show("incident.html", view)


@router.get("/incidents/{incident_id}/{act}")
async def ask_for_reason(visit: Visiting, incident_id: str, act: Act) -> Response:
    """The page of an act that asks why; it is done by its form."""
    async with visit.desk.connection() as connection:
        incident = await _find(connection, incident_id)
    return await visit.show("act.html", describe_act(incident, act))


@router.post("/incidents/{incident_id}/{act}")
async def do_act(visit: Visiting, incident_id: str, act: Act) -> Response:
    form = await visit.read_form(Scope.SUBMIT)
    note, night = (str(form.get(name, "")).strip() for name in ("note", "night"))
    decider = Decider(visit.actor, datetime.now(UTC), note[:LONGEST_NOTE])
    try:
        async with visit.desk.connection() as connection, connection.transaction():
            incident = await _find(connection, incident_id)
            problem = _check(act, note)
            if problem is None:
                await _do(connection, visit, incident, act, decider, night)
                return visit.go(f"/incidents/{incident.id}")
    except (acts.IncidentClosed, acts.NoNewBaseline) as error:
        problem = InvalidInput("note", error.detail)
    except InvalidInput as error:
        problem = error
    except AWAY_ERRORS:
        return await _tell_unsaved(visit, incident_id, act, note, night)
    asked = describe_act(incident, act, note=note, night=night, problem=problem)
    return await visit.show("act.html", asked, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _do(
    connection: Connection, visit: Visit, incident: Incident, act: Act, decider: Decider, night: str
) -> None:
    match act:
        case Act.ACKNOWLEDGE:
            await acts.acknowledge(connection, incident.id, decider)
        case Act.RESOLVE | Act.DISMISS:
            await acts.close(connection, incident.id, act, decider)
        case Act.ACCEPT_BASELINE:
            begin = _read_night(night)
            await acts.accept_baseline(connection, visit.desk, incident.id, decider, begin)


def _check(act: Act, note: str) -> InvalidInput | None:
    if len(note) > LONGEST_NOTE:
        return InvalidInput("note", f"has {len(note)} characters.", f"Write at most {LONGEST_NOTE}.")
    if act is not Act.ACKNOWLEDGE and not note:
        return InvalidInput("note", "is empty.", "Write why, for those who read it later.")
    return None


def _read_night(night: str) -> date | None:
    if not night:
        return None
    try:
        return date.fromisoformat(night)
    except ValueError:
        raise InvalidInput("night", f"{night!r} is no date.", "Write one such as 2026-11-16.") from None


async def _tell_unsaved(visit: Visit, incident_id: str, act: Act, note: str, night: str) -> Response:
    view = ActForm.unsaved(incident_id, act, note, night)
    return await visit.show("act.html", view, HTTPStatus.SERVICE_UNAVAILABLE)


async def _find(connection: Connection, incident_id: str) -> Incident:
    """
    Raises:
        NotThere
    """
    try:
        found = await incidents.find_incident(connection, UUID(incident_id))
    except ValueError:
        found = None
    if found is None:
        told = "It was never opened here. Incidents are kept, so the address may have been cut off."
        raise NotThere(f"There is no incident {incident_id[:40]}", told, Link("/incidents", "All incidents"))
    return found
