"""/runs/{id}/results and /runs/{id}/export: what each model answered, and what it was worth."""

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from services.api.auth import needs
from services.api.desk import AtDesk
from services.api.export import FORMATS, Download
from services.api.lookup import find_run
from services.api.openapi import KEYED, MISSING
from services.api.paging import Cursor, CursorText, Limit
from services.api.schemas.fields import ModelName, Text, Version
from services.api.schemas.results import ResultPage
from shared.db import results
from shared.db.keys import Scope
from shared.db.results import Place, ResultFilter, ResultOutcome
from shared.domain.runs import PairState

FILE = {
    "description": "The file. In CSV, text that begins with = + - @ gets an apostrophe in front.",
    "content": {
        **{form.media_type: {"schema": {"type": "string"}} for form in FORMATS.values()},
        "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}}},
    },
}

router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["results"], responses={**KEYED, **MISSING})

_cursor = Cursor[Place](tuple[ModelName, Annotated[int, Field(ge=0, le=2**63 - 1)], Version])


async def _read_filter(
    model: Annotated[ModelName | None, Query()] = None,
    category: Annotated[Text | None, Query()] = None,
    state: Annotated[PairState | None, Query()] = None,
    question: Annotated[Text | None, Query(description="The question's id in its suite.")] = None,
    passed: Annotated[Literal["true", "false"] | None, Query()] = None,
    text: Annotated[
        Text | None, Query(description="Sought in input, target, response and reason; case does not matter.")
    ] = None,
    outcome: Annotated[
        ResultOutcome | None,
        Query(description="Partial: a score above 0 that does not pass. Unscored: closed without a score."),
    ] = None,
) -> ResultFilter:
    is_passed = None if passed is None else passed == "true"
    return ResultFilter(model, category, state, question, is_passed, text, outcome)


Wanted: TypeAlias = Annotated[ResultFilter, Depends(_read_filter)]


@router.get("/results", response_model=ResultPage, dependencies=[needs(Scope.READ)])
async def list_results(
    desk: AtDesk, run_id: UUID, wanted: Wanted, limit: Limit = 50, cursor: CursorText = None
) -> Any:
    """List a run's results, by model, question and repeat."""
    place = _cursor.read(cursor)
    async with desk.connection() as connection:
        run = await find_run(connection, run_id)
        found = await results.list_results(connection, run.id, wanted, after=place, limit=limit + 1)
    items, next_cursor = _cursor.cut(found, limit, lambda result: result.place)
    return {"items": items, "next_cursor": next_cursor}


@router.get(
    "/export",
    response_class=StreamingResponse,
    dependencies=[needs(Scope.READ)],
    responses={200: FILE},
)
async def export_results(
    desk: AtDesk,
    run_id: UUID,
    wanted: Wanted,
    format: Annotated[Literal["csv", "json", "jsonl"], Query()] = "jsonl",
) -> Download:
    """Download a run's results as one file, whatever their number."""
    async with desk.connection() as connection:
        run = await find_run(connection, run_id)
    return Download(desk, run.id, wanted, format)
