"""/audit: who did what, and when. Only for keys of scope admin."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from services.api.auth import needs
from services.api.desk import AtDesk
from services.api.openapi import KEYED
from services.api.paging import Cursor, CursorText, Limit
from services.api.schemas import audit as schemas
from services.api.schemas.fields import Text
from shared.db import audit
from shared.db.keys import Scope

router = APIRouter(prefix="/api/v1/audit", tags=["keys"], responses=KEYED)

_by_id = Cursor[int](Annotated[int, Field(ge=1, le=2**63 - 1)])


@router.get("", response_model=schemas.AuditPage, dependencies=[needs(Scope.ADMIN)])
async def list_audit_log(
    desk: AtDesk,
    actor: Annotated[Text | None, Query(description="A key's name.")] = None,
    act: Annotated[
        schemas.ActName | None, Query(description="Such as `run.submitted`; `run.` is all that begin so.")
    ] = None,
    subject: Annotated[Text | None, Query(description="What it was done to: a name or an id.")] = None,
    since: Annotated[schemas.Moment | None, Query(description="From this moment on.")] = None,
    until: Annotated[schemas.Moment | None, Query(description="Before this moment.")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List what was done by whom, newest first."""
    before = _by_id.read(cursor)
    async with desk.connection() as connection:
        found = await audit.list_entries(
            connection, actor=actor, act=act, subject=subject, since=since, until=until,
            before=before, limit=limit + 1,
        )  # fmt: skip
    items, next_cursor = _by_id.cut(found, limit, lambda entry: entry.id)
    return {"items": items, "next_cursor": next_cursor}
