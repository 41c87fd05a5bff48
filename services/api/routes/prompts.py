"""/prompts: store one, list them."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from services.api.auth import Actor, needs
from services.api.desk import AtDesk, Desk
from services.api.openapi import KEYED, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.schemas import prompts as schemas
from services.api.schemas.fields import SuiteName
from shared.db import audit, prompts
from shared.db.keys import Scope
from shared.db.prompts import StoredPrompt
from shared.domain.questions.prompts import Message, Prompt, check_prompt

router = APIRouter(prefix="/api/v1/prompts", tags=["prompts"], responses=KEYED)

_cursor = Cursor[tuple[str, int]](tuple[SuiteName, Annotated[int, Field(ge=1, le=2**31 - 1)]])


@router.post(
    "",
    status_code=201,
    response_model=schemas.Prompt,
    dependencies=[needs(Scope.SUBMIT)],
    responses={200: {"model": schemas.Prompt, "description": "It is stored already."}, **WITH_BODY},
)
async def create_prompt(
    desk: AtDesk, actor: Actor, request: schemas.PromptRequest, response: Response
) -> Any:
    """Store a prompt. The same content under the same name keeps its version; runs keep the one they had."""
    stored, is_new = await keep_prompt(desk, actor, request)
    if not is_new:
        response.status_code = 200
    return tell(stored)


async def keep_prompt(desk: Desk, actor: str, request: schemas.PromptRequest) -> tuple[StoredPrompt, bool]:
    """Store a prompt, or find it stored; whether it is new.

    Raises:
        InvalidInput: it can't be asked with; the field says why.
    """
    messages = tuple(Message(each.role, each.content) for each in request.messages)
    prompt = check_prompt(Prompt(request.name, messages, request.variables))
    async with desk.connection() as connection, connection.transaction():
        stored, is_new = await prompts.store_prompt(connection, prompt)
        if is_new:
            await audit.record(connection, actor, "prompt.stored", prompt.name, {"version": stored.version})
    return stored, is_new


@router.get("", response_model=schemas.PromptPage, dependencies=[needs(Scope.READ)])
async def list_prompts(desk: AtDesk, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List the prompts by name, each name's newest version first."""
    after = _cursor.read(cursor)
    async with desk.connection() as connection:
        found = await prompts.list_prompts(connection, after=after, limit=limit + 1)
    page, next_cursor = _cursor.cut(found, limit, lambda stored: (stored.prompt.name, stored.version))
    return {"items": [tell(stored) for stored in page], "next_cursor": next_cursor}


def tell(stored: StoredPrompt) -> schemas.Prompt:
    return schemas.Prompt(
        name=stored.prompt.name,
        version=stored.version,
        messages=[schemas.Message.model_validate(each) for each in stored.prompt.messages],
        variables=stored.prompt.variables,
        created_at=stored.created_at,
    )
