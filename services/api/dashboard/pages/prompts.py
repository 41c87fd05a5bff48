"""/prompts: what stands around a question, in versions."""

from http import HTTPStatus

from starlette.responses import Response

from services.api.dashboard.forms import Reader, begin
from services.api.dashboard.views.prompts import LABELS, read_prompts
from services.api.dashboard.visit import Visiting, page_router
from services.api.routes.prompts import keep_prompt
from services.api.schemas.prompts import PromptRequest
from shared.db.keys import Scope
from shared.domain.errors import InvalidInput

router = page_router()


@router.get("/prompts")
async def show_prompts(visit: Visiting) -> Response:
    async with visit.desk.connection() as connection:
        view = await read_prompts(connection, begin(LABELS, user="{{input}}"))
    return await visit.show("prompts.html", view)


@router.post("/prompts")
async def add_prompt(visit: Visiting) -> Response:
    """Store a prompt, or a new version of one."""
    reader = Reader(await visit.read_form(Scope.SUBMIT), LABELS)
    said = {"system": reader.text("system"), "user": reader.text("user") or ""}
    request = reader.check(
        PromptRequest,
        {
            "name": reader.text("name"),
            "messages": [{"role": role, "content": text} for role, text in said.items() if text is not None],
            "variables": reader.labels("variables"),
        },
    )
    if request is not None:
        try:
            await keep_prompt(visit.desk, visit.actor, request)
            return visit.go("/prompts")
        except InvalidInput as error:
            reader.refuse(error, other="user")
    async with visit.desk.connection() as connection:
        view = await read_prompts(connection, reader.filled)
    return await visit.show("prompts.html", view, HTTPStatus.UNPROCESSABLE_ENTITY)
