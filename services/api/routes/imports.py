"""/results:import: results that another tool has measured."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.imports import import_results, open_imports
from services.api.openapi import CONFLICTING, KEYED, WITH_BODY
from services.api.schemas.fields import SuiteName
from services.api.schemas.imports import Imported
from shared.db.keys import Scope

router = APIRouter(
    prefix="/api/v1",
    tags=["results"],
    responses={**KEYED, **CONFLICTING, **WITH_BODY},
    lifespan=open_imports,
)

FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON lines, one answer each, at most 200 MB. Needed: run_at, model, suite,"
        " question_id, score (null: not measured). Known beside them: run_id, repeat, input, target,"
        " category, passed, error_kind, evaluator (name and version of judge or scorer), latency_seconds,"
        " input_tokens, output_tokens, cost_usd, served_model, response.",
        "content": {
            "application/jsonl": {
                "schema": {"type": "string"},
                "example": '{"run_at": "2025-03-01T02:00:00Z", "run_id": "night-1", "model": "atlas-large",'
                ' "suite": "golden", "question_id": "math-017", "score": 1}\n',
            }
        },
    }
}


@router.post(
    "/results:import",
    status_code=201,
    response_model=Imported,
    dependencies=[needs(Scope.SUBMIT)],
    responses={
        200: {"model": Imported, "description": "All of it is there already."},
        201: {"description": "Stored, at least in part; what was there already stays as it is."},
    },
    openapi_extra=FILE,
)
async def import_file(
    desk: AtDesk,
    actor: Actor,
    request: Request,
    response: Response,
    continues: Annotated[
        SuiteName | None,
        Query(
            description="A schedule: the runs become its history, before its first night. Runs that are "
            "imported already can be linked later by importing the file again.",
            examples=["nightly"],
        ),
    ] = None,
) -> Any:
    """Import results: all runs of the file, or none when anything in it is wrong.

    Rows of one run_id are one run; without it, rows of one suite and time. Such a run counts as completed at
    its run_at. An unknown suite is made from the rows; where they tell no input or target, it can't be run.
    """
    content = await request.body()
    async with request.state.import_turn:
        imported = await import_results(desk, content, actor, continues=continues)
    if all(run.state == "already_there" and not run.is_newly_linked for run in imported.runs):
        response.status_code = 200
    return imported
