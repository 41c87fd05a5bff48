"""/judges: store one, list them."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.openapi import KEYED, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.schemas import judges as schemas
from services.api.schemas.fields import ModelName
from shared.db import audit, judges
from shared.db.judges import StoredJudge
from shared.db.keys import Scope
from shared.domain.answers.judging import Judge

router = APIRouter(prefix="/api/v1/judges", tags=["judges"], responses=KEYED)

_cursor = Cursor[tuple[str, int]](tuple[ModelName, Annotated[int, Field(ge=1, le=2**31 - 1)]])


@router.post(
    "", status_code=201, response_model=schemas.Judge, dependencies=[needs(Scope.SUBMIT)], responses=WITH_BODY
)
async def create_judge(desk: AtDesk, actor: Actor, request: schemas.JudgeRequest) -> Any:
    """Store a judge. The same content under the same name keeps its version; runs keep the one they had."""
    desk.catalogue.resolve(request.model)
    judge = Judge(**request.model_dump(exclude_none=True))
    async with desk.connection() as connection, connection.transaction():
        stored = await judges.store_judge(connection, judge)
        facts = {"version": stored.version, "model": judge.model}
        await audit.record(connection, actor, "judge.stored", judge.name, facts)
        return _told(stored)


@router.get("", response_model=schemas.JudgePage, dependencies=[needs(Scope.READ)])
async def list_judges(desk: AtDesk, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List the judges by name, each name's newest version first."""
    after = _cursor.read(cursor)
    async with desk.connection() as connection:
        found = await judges.list_judges(connection, after=after, limit=limit + 1)
    page, next_cursor = _cursor.cut(found, limit, lambda stored: (stored.judge.name, stored.version))
    return {"items": [_told(stored) for stored in page], "next_cursor": next_cursor}


def _told(stored: StoredJudge) -> schemas.Judge:
    return schemas.Judge(
        name=stored.judge.name,
        version=stored.version,
        model=stored.judge.model,
        prompt=stored.judge.prompt,
        parameters=stored.judge.parameters,
        created_at=stored.created_at,
    )
