"""/suites: import a file, list, look at."""

from dataclasses import asdict
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from services.api import suite_import
from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.lookup import find_suite
from services.api.openapi import KEYED, MISSING, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.schemas import suites as schemas
from services.api.schemas.fields import SuiteName, Text, text
from shared.db import suites
from shared.db.keys import Scope
from shared.domain.questions.suites import Question

router = APIRouter(prefix="/api/v1/suites", tags=["suites"], responses=KEYED)

_suite_cursor = Cursor[str](SuiteName)
_question_cursor = Cursor[int](Annotated[int, Field(ge=0, le=2**31 - 1)])

Named: TypeAlias = Annotated[SuiteName, Path(description="The suite's name.")]
OfVersion: TypeAlias = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Absent: the newest one.")]

FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is, at most 20 MB: CSV, JSONL, or YAML in promptfoo's form.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "id,category,input,expected_output,scorer\nq-1,math,What is 2 + 2?,4,numeric\n",
            },
            "application/jsonl": {
                "schema": {"type": "string"},
                "example": '{"id": "q-1", "input": "What is 2 + 2?", "target": "4", "scorer": "numeric"}\n',
            },
            "application/yaml": {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "",
    status_code=201,
    response_model=schemas.StoredSuite,
    dependencies=[needs(Scope.SUBMIT)],
    responses={
        200: {
            "model": schemas.StoredSuite,
            "description": "The newest version holds the same questions already.",
        },
        201: {"description": "Stored as a new version."},
        **WITH_BODY,
    },
    openapi_extra=FILE,
)
async def import_suite(
    desk: AtDesk,
    actor: Actor,
    request: Request,
    response: Response,
    name: Annotated[SuiteName, Query(description="The suite's name; a known one gets a new version.")],
    filename: Annotated[
        str,
        text(255, 1),
        Query(description="Its extension tells the format, and errors name it.", examples=["golden.csv"]),
    ],
) -> Any:
    """Import a suite from a file: all of it, or nothing when anything in it is wrong."""
    stored, is_new = await suite_import.import_suite(desk, actor, name, filename, await request.body())
    response.status_code = 201 if is_new else 200
    return {**asdict(stored), "is_new": is_new}


@router.get("", response_model=schemas.SuitePage, dependencies=[needs(Scope.READ)])
async def list_suites(desk: AtDesk, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List the suites, each by its newest version."""
    after = _suite_cursor.read(cursor)
    async with desk.connection() as connection:
        found = await suites.list_suites(connection, after=after, limit=limit + 1)
    items, next_cursor = _suite_cursor.cut(found, limit, lambda suite: suite.name)
    return {"items": items, "next_cursor": next_cursor}


@router.get(
    "/{name}", response_model=schemas.SuiteDetail, dependencies=[needs(Scope.READ)], responses=MISSING
)
async def show_suite(desk: AtDesk, name: Named, version: OfVersion = None) -> Any:
    """Show a suite: one of its versions, with its categories."""
    async with desk.connection() as connection:
        suite = await find_suite(connection, name, version)
        versions = await suites.list_versions(connection, name)
        sizes = await suites.count_by_category(connection, suite.id)
    categories = [schemas.CategorySize(category=category, questions=size) for category, size in sizes]
    return {**asdict(suite), "categories": categories, "versions": versions}


@router.get(
    "/{name}/questions",
    response_model=schemas.QuestionPage,
    dependencies=[needs(Scope.READ)],
    responses=MISSING,
)
async def list_questions(
    desk: AtDesk,
    name: Named,
    version: OfVersion = None,
    category: Annotated[Text | None, Query()] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List a suite's questions, in suite order."""
    after = _question_cursor.read(cursor) or 0
    async with desk.connection() as connection:
        suite = await find_suite(connection, name, version)
        found = await suites.list_questions(
            connection, suite.id, category=category, after=after, limit=limit + 1
        )
    page, next_cursor = _question_cursor.cut(found, limit, lambda entry: entry[0])
    return {"items": [_tell(position, question) for position, question in page], "next_cursor": next_cursor}


def _tell(position: int, question: Question) -> dict[str, Any]:
    return {
        "position": position,
        "id": question.id,
        "category": question.category,
        "input": question.input,
        "target": question.target,
        "scorer": question.scorer.as_json(),
        "cluster": question.cluster,
        "unit": question.unit,
    }
