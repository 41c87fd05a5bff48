"""/runs: submit, list, look at, watch, cancel."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field, StringConstraints
from sse_starlette import EventSourceResponse

from services.api.auth import Actor, needs
from services.api.cancelling import cancel
from services.api.desk import AtDesk
from services.api.events import HEARTBEAT_SECONDS, follow
from services.api.lookup import IdPrefix, find_run, range_of_ids
from services.api.openapi import CONFLICTING, KEYED, MISSING, SCHEMAS, WITH_BODY
from services.api.paging import BY_TIME, CursorText, Limit
from services.api.provider_keys import ProviderKeys
from services.api.schemas.fields import ModelName, SuiteName
from services.api.schemas.runs import Run, RunDetail, RunPage, RunRequest, progress_of
from services.api.submission import submit
from shared.db import aggregates, pairs, runs
from shared.db.keys import Scope
from shared.domain.runs import RunId, RunKind, RunState

router = APIRouter(prefix="/api/v1/runs", tags=["runs"], responses=KEYED)

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same request under the same key is accepted once, and answered with the same run.",
    ),
]
LabelPair: TypeAlias = Annotated[
    str, StringConstraints(max_length=1101, pattern=r"^[^=\x00]+=[^\x00]*$"), Field(examples=["branch=main"])
]
ACCEPTED: dict[str, Any] = {
    "description": "Accepted; the run is worked on from now on.",
    "headers": {"Location": {"description": "Where the run is found.", "schema": {"type": "string"}}},
}
EVENTS: dict[str, Any] = {
    "description": "Events `progress`, on every change, and `finished`, at the end; the data is RunProgress.",
    "content": {
        "text/event-stream": {
            "schema": {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "event": {"enum": ["progress", "finished"]},
                    "data": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": {"$ref": SCHEMAS + "RunProgress"},
                    },
                },
            }
        }
    },
}


@router.post(
    "",
    status_code=202,
    response_model=Run,
    dependencies=[needs(Scope.SUBMIT)],
    responses={202: ACCEPTED, **CONFLICTING, **WITH_BODY},
)
async def submit_run(
    desk: AtDesk,
    actor: Actor,
    provider_keys: ProviderKeys,
    request: RunRequest,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Submit a run. It is stored and answered at once; its pairs are planned and evaluated by the workers."""
    run = await submit(desk, actor, request, idempotency_key, provider_keys)
    response.headers["Location"] = f"{router.prefix}/{run.id}"
    return run


@router.get("", response_model=RunPage, dependencies=[needs(Scope.READ)])
async def list_runs(
    desk: AtDesk,
    kind: Annotated[RunKind | None, Query()] = None,
    state: Annotated[RunState | None, Query()] = None,
    suite: Annotated[SuiteName | None, Query()] = None,
    model: Annotated[ModelName | None, Query()] = None,
    label: Annotated[LabelPair | None, Query(description="Only runs with this label: KEY=VALUE.")] = None,
    id_prefix: IdPrefix = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List runs, newest first."""
    place, ids = BY_TIME.read(cursor), range_of_ids(id_prefix)
    before = (place[0], RunId(place[1])) if place else None
    async with desk.connection() as connection:
        found = await runs.list_runs(
            connection,
            before=before, kind=kind, state=state, suite=suite, model=model, labels=_read_label(label),
            ids=ids, limit=limit + 1,
        )  # fmt: skip
    items, next_cursor = BY_TIME.cut(found, limit, lambda run: (run.created_at, run.id))
    return {"items": items, "next_cursor": next_cursor}


def _read_label(pair: str | None) -> Mapping[str, str]:
    if pair is None:
        return {}
    key, _, value = pair.partition("=")
    return {key: value}


@router.get("/{run_id}", response_model=RunDetail, dependencies=[needs(Scope.READ)], responses=MISSING)
async def show_run(desk: AtDesk, run_id: UUID) -> Any:
    """Show a run: how far it is while it is open, what it came to once it is finished."""
    async with desk.connection() as connection:
        run = await find_run(connection, run_id)
        if run.state.is_final:
            came_to = await aggregates.read_aggregates(connection, run.id)
            return {**asdict(run), "progress": None, "aggregates": came_to}
        counts = await pairs.count_states(connection, run.id)
    return {**asdict(run), "progress": progress_of(run.models, counts), "aggregates": None}


@router.get(
    "/{run_id}/events",
    response_class=EventSourceResponse,
    dependencies=[needs(Scope.READ)],
    responses={200: EVENTS, **MISSING},
)
async def watch_run(
    desk: AtDesk, run_id: UUID, last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None
) -> EventSourceResponse:
    """Watch a run. Every event tells all there is to know, so who comes back has missed nothing."""
    async with desk.connection() as connection:
        run = await find_run(connection, run_id)
    return EventSourceResponse(follow(desk, run.id), ping=HEARTBEAT_SECONDS)


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    response_model=Run,
    dependencies=[needs(Scope.SUBMIT)],
    responses={**MISSING, **CONFLICTING},
)
async def cancel_run(desk: AtDesk, actor: Actor, run_id: UUID) -> Any:
    """Cancel an open run: what was not begun is skipped, what is being asked right now is kept."""
    return await cancel(desk, actor, RunId(run_id))
