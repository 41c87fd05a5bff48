"""/keys: make, list, revoke. Only for keys of scope admin."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.api import keyring
from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import BY_TIME, CursorText, Limit
from services.api.schemas import keys as schemas
from shared.db import keys
from shared.db.keys import Scope

router = APIRouter(
    prefix="/api/v1/keys",
    tags=["keys"],
    responses={**KEYED, **CONFLICTING},
    dependencies=[needs(Scope.ADMIN)],
)


@router.post("", status_code=201, response_model=schemas.NewKey, responses=WITH_BODY)
async def create_key(desk: AtDesk, actor: Actor, request: schemas.KeyRequest) -> Any:
    """Make a key. Its secret is in this answer and nowhere else. No other valid key has its name."""
    async with desk.connection() as connection, connection.transaction():
        key, secret = await keyring.make_key(connection, actor, request)
    return {**asdict(key), "secret": secret}


@router.get("", response_model=schemas.KeyPage)
async def list_keys(desk: AtDesk, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List the keys, oldest first, revoked ones included."""
    async with desk.connection() as connection:
        found = await keys.list_keys(connection, after=BY_TIME.read(cursor), limit=limit + 1)
    items, next_cursor = BY_TIME.cut(found, limit, lambda key: (key.created_at, key.id))
    return {"items": items, "next_cursor": next_cursor}


@router.delete("/{key_id}", status_code=204, responses=MISSING)
async def revoke_key(desk: AtDesk, actor: Actor, key_id: UUID) -> Response:
    """Revoke a key: from now on it opens nothing. The last valid key of scope admin stays."""
    async with desk.connection() as connection, connection.transaction():
        await keyring.revoke_key(connection, actor, key_id)
    return Response(status_code=204)
