"""/anchors: choose them, look at them, say what they are worth, and see how far the judge agrees."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.lookup import find_suite
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.problems import NotFound, Problem
from services.api.schemas import anchors as schemas
from services.api.schemas.fields import SuiteName
from shared.db import anchor_sets, audit
from shared.db.anchor_sets import AnchorSet
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.domain.agreement import measure_agreement
from shared.domain.anchors import LEAST_ANCHORS, Stratum, TooFew, choose_anchors
from shared.domain.errors import InvalidInput

router = APIRouter(prefix="/api/v1/anchors", tags=["anchors"], responses={**KEYED, **MISSING})

LARGEST_ID = 2**63 - 1
OfSuite = Annotated[SuiteName, Query(description="Whose anchors.")]

_cursor = Cursor[int](Annotated[int, Path(ge=1, le=LARGEST_ID)])


class TooFewAnswers(Problem):
    status, title = HTTPStatus.CONFLICT, "Too few answers"


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
    if request.borderline + request.clear < LEAST_ANCHORS:
        problem = f"and clear make {request.borderline + request.clear} anchors, which tell nothing."
        raise InvalidInput("borderline", problem, f"Ask for {LEAST_ANCHORS} or more in all.")
    async with desk.connection() as connection:
        suite = await find_suite(connection, request.suite, None)
        graded = await anchor_sets.read_graded(connection, suite.name, request.runs)
    choice = await asyncio.to_thread(
        choose_anchors, graded, borderline=request.borderline, clear=request.clear, seed=suite.name
    )
    if isinstance(choice, TooFew):
        raise TooFewAnswers(_tell_why(suite.name, suite.asks_judge, choice))
    async with desk.connection() as connection, connection.transaction():
        stored = await anchor_sets.store_set(connection, suite.name, choice, actor)
        facts = {"set": stored.id, **request.model_dump(exclude={"suite"})}
        await audit.record(connection, actor, "anchors.created", suite.name, facts)
    return stored


def _tell_why(suite: str, asks_judge: bool, found: TooFew) -> str:
    if not asks_judge:
        return f"No question of {suite!r} asks a judge, so it needs no anchors."
    return (
        f"{suite!r} has {found.borderline} borderline and {found.clear} clear answers that suit, one for"
        f" each question and model, and {LEAST_ANCHORS} are needed in all. Measure more questions or models,"
        " or look at more runs."
    )


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
        rated = await anchor_sets.read_rated(connection, active.id)
    told = schemas.Agreement.model_validate(measure_agreement(each for _, each in rated))
    by_stratum = {
        stratum: measure_agreement(each for its, each in rated if its is stratum) for stratum in Stratum
    }
    return {**told.model_dump(), "set": active, "by_stratum": by_stratum}


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
        anchor = await anchor_sets.label_anchor(connection, anchor_id, request.score, actor)
        if anchor is None:
            raise NotFound(f"There is no anchor {anchor_id}.")
        facts = {"score": request.score}
        await audit.record(connection, actor, "anchor.labelled", str(anchor_id), facts)
    return anchor


async def _find_set(connection: Connection, suite: str) -> AnchorSet:
    active = await anchor_sets.find_active_set(connection, suite)
    if active is None:
        await find_suite(connection, suite, None)
        raise NotFound(f"{suite!r} has no anchors yet. Choose some: `driftwarden anchors create`.")
    return active
