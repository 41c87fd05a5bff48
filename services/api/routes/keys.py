"""/keys: make, list, revoke. Only for keys of scope admin."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.api.auth import needs
from services.api.desk import AtDesk
from services.api.openapi import KEYED, MISSING, WITH_BODY
from services.api.paging import BY_TIME, CursorText, Limit
from services.api.problems import NotFound
from services.api.schemas import keys as schemas
from shared.db import keys
from shared.db.keys import Scope
from shared.domain.errors import InvalidInput

router = APIRouter(prefix="/api/v1/keys", tags=["keys"], responses=KEYED, dependencies=[needs(Scope.ADMIN)])


@router.post("", status_code=201, response_model=schemas.NewKey, responses=WITH_BODY)
async def create_key(desk: AtDesk, request: schemas.KeyRequest) -> Any:
    """Make a key. Its secret is in this answer and nowhere else."""
    if request.expires_at is not None and request.expires_at <= datetime.now(UTC):
        raise InvalidInput("expires_at", "lies in the past.", "Give a moment in the future, or none.")
    async with desk.connection() as connection:
        key, secret = await keys.create_key(connection, request.name, request.scope, request.expires_at)
    return {**asdict(key), "secret": secret}


@router.get("", response_model=schemas.KeyPage)
async def list_keys(desk: AtDesk, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List the keys, oldest first, revoked ones included."""
    async with desk.connection() as connection:
        found = await keys.list_keys(connection, after=BY_TIME.read(cursor), limit=limit + 1)
    items, next_cursor = BY_TIME.cut(found, limit, lambda key: (key.created_at, key.id))
    return {"items": items, "next_cursor": next_cursor}


@router.delete("/{key_id}", status_code=204, responses=MISSING)
async def revoke_key(desk: AtDesk, key_id: UUID) -> Response:
    """Revoke a key: from now on it opens nothing."""
    async with desk.connection() as connection:
        if not await keys.revoke_key(connection, key_id):
            raise NotFound(f"There is no valid key {key_id}.")
    return Response(status_code=204)
