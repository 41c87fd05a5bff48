"""/anchors: choose them, look at them, say what they are worth, and see how far the judge agrees."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from services.api import anchoring
from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.lookup import find_suite
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.problems import NotFound
from services.api.schemas import anchors as schemas
from services.api.schemas.fields import SuiteName
from shared.db import anchor_sets
from shared.db.anchor_sets import AnchorSet
from shared.db.keys import Scope
from shared.db.pool import Connection

router = APIRouter(prefix="/api/v1/anchors", tags=["anchors"], responses={**KEYED, **MISSING})

LARGEST_ID = 2**63 - 1
OfSuite = Annotated[SuiteName, Query(description="Whose anchors.")]

_cursor = Cursor[int](Annotated[int, Path(ge=1, le=LARGEST_ID)])


@router.post(
    "",
    status_code=201,
    response_model=schemas.AnchorSet,
    dependencies=[needs(Scope.SUBMIT)],
    responses={**CONFLICTING, **WITH_BODY},
)
async def create_anchors(desk: AtDesk, actor: Actor, request: schemas.AnchorsRequest) -> Any:
    """Choose a suite's anchors anew. They are judged from the next night on; those before stay stored.

    Take them early, while the judge is one that you trust: from then on it is measured against them.
    """
    return await anchoring.choose(desk, actor, request)


@router.get("", response_model=schemas.AnchorPage, dependencies=[needs(Scope.READ)])
async def list_anchors(desk: AtDesk, suite: OfSuite, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List a suite's active anchors: question, answer, the judge's score, and a person's."""
    after = _cursor.read(cursor)
    async with desk.connection() as connection:
        active = await _find_set(connection, suite)
        found = await anchor_sets.list_anchors(connection, active.id, after=after, limit=limit + 1)
    items, next_cursor = _cursor.cut(found, limit, lambda anchor: anchor.id)
    return {"set": active, "items": items, "next_cursor": next_cursor}


@router.get("/agreement", response_model=schemas.JudgeAgreement, dependencies=[needs(Scope.READ)])
async def show_agreement(desk: AtDesk, suite: OfSuite) -> Any:
    """Tell how far the judge agrees with people, over the active anchors that people have scored."""
    async with desk.connection() as connection:
        active = await _find_set(connection, suite)
        return await anchoring.tell_agreement(connection, active)


@router.post(
    "/{anchor_id}/label",
    response_model=schemas.Anchor,
    dependencies=[needs(Scope.SUBMIT)],
    responses=WITH_BODY,
)
async def label_anchor(
    desk: AtDesk,
    actor: Actor,
    anchor_id: Annotated[int, Path(ge=1, le=LARGEST_ID)],
    request: schemas.LabelRequest,
) -> Any:
    """Say what an anchor is worth; a later word replaces an earlier one, and the audit log keeps both."""
    async with desk.connection() as connection, connection.transaction():
        return await anchoring.label(connection, actor, anchor_id, request.score)


async def _find_set(connection: Connection, suite: str) -> AnchorSet:
    active = await anchor_sets.find_active_set(connection, suite)
    if active is None:
        await find_suite(connection, suite, None)
        raise NotFound(f"{suite!r} has no anchors yet. Choose some: `driftwarden anchors create`.")
    return active
