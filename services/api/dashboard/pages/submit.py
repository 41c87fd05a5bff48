"""/submit: a run, once, now."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.datastructures import FormData
from starlette.responses import Response

from services.api.dashboard.forms import Reader, begin
from services.api.dashboard.views.submit import LABELS, read_submit, tell, without_database
from services.api.dashboard.visit import Visit, Visiting, page_router
from services.api.estimate import estimate_run
from services.api.problems import KeyReused
from services.api.schemas.fields import SuiteName
from services.api.schemas.runs import RunRequest
from services.api.submission import submit
from shared.db.keys import Scope
from shared.db.pool import AWAY_ERRORS
from shared.db.runs import Run
from shared.domain.errors import InvalidInput
from shared.orders import JudgesItself

router = page_router()


@router.get("/submit")
async def show_form(
    visit: Visiting,
    suite: SuiteName | None = None,
    model: Annotated[list[str] | None, Query(max_length=200)] = None,
) -> Response:
    """The form; `suite` and `model` are filled in by pages that link here."""
    catalogue = visit.desk.catalogue
    form = begin(LABELS, suite=suite, models=model or (), repeats=1)
    async with visit.desk.connection() as connection:
        view = await read_submit(connection, catalogue, form)
    if model is None:
        chosen = begin(LABELS, suite=suite, models=[name for name, _ in view.models], repeats=1)
        view = replace(view, form=chosen)
    return await visit.show("submit.html", view)


@router.post("/submit")
async def send_form(visit: Visiting) -> Response:
    """Start the run, or work out what it would take, as the button says."""
    form = await visit.read_form(Scope.SUBMIT)
    reader, request = _read(form)
    try:
        if request is not None and form.get("act") == "estimate":
            return await _work_out(visit, reader, request)
        if request is not None:
            run = await _start(visit, reader, request)
            return visit.go(f"/runs/{run.id}")
    except InvalidInput as error:
        _refuse(reader, error)
    except AWAY_ERRORS:
        view = without_database(visit.desk.catalogue, reader.filled)
        return await visit.show("submit.html", view, HTTPStatus.SERVICE_UNAVAILABLE)
    async with visit.desk.connection() as connection:
        view = await read_submit(connection, visit.desk.catalogue, reader.filled)
    return await visit.show("submit.html", view, HTTPStatus.UNPROCESSABLE_ENTITY)


@router.post("/submit/told")
async def tell_live(visit: Visiting) -> Response:
    """What the run would take, as the part of the page that a script puts in place while people choose."""
    reader, request = _read(await visit.read_form(Scope.SUBMIT))
    why_not = ""
    if request is not None:
        try:
            return await visit.show("told.html", {"told": tell(await estimate_run(visit.desk, request))})
        except InvalidInput as error:
            _refuse(reader, error)
    why_not = " ".join(f"{label}: {error}" for _, label, error in reader.filled.told)
    return await visit.show("told.html", {"told": None, "why_not": why_not})


async def _work_out(visit: Visit, reader: Reader, request: RunRequest) -> Response:
    estimated = await estimate_run(visit.desk, request)
    async with visit.desk.connection() as connection:
        view = await read_submit(connection, visit.desk.catalogue, reader.filled)
    return await visit.show("submit.html", replace(view, told=tell(estimated)))


async def _start(visit: Visit, reader: Reader, request: RunRequest) -> Run:
    """Submit the run. The same form sent twice is one run; changed and sent again, it is another."""
    try:
        return await submit(visit.desk, visit.actor, request, _read_once(reader))
    except KeyReused:
        return await submit(visit.desk, visit.actor, request, None)


def _read_once(reader: Reader) -> str | None:
    try:
        return f"form-{UUID(reader.text('once') or '')}"
    except ValueError:
        return None


def _read(form: FormData) -> tuple[Reader, RunRequest | None]:
    reader = Reader(form, LABELS)
    models = reader.words("models", "more_models")
    if not models:
        reader.refuse(InvalidInput("models", "", "Tick a model, or write one below."))
    request = reader.check(
        RunRequest,
        {
            "suite": reader.text("suite"),
            "models": models or None,
            "judge": reader.text("judge"),
            "prompt": reader.text("prompt"),
            "repeats": reader.whole("repeats"),
            "sample": reader.whole("sample"),
            "max_cost_usd": reader.number("max_cost_usd"),
            "labels": reader.labels("labels"),
            "allow_self_judging": reader.is_ticked("allow_self_judging"),
        },
    )
    return reader, request


def _refuse(reader: Reader, error: InvalidInput) -> None:
    """Tell at its field what the order lacks; an unknown model was written, never ticked."""
    if isinstance(error, JudgesItself):
        error = InvalidInput("judge", error.problem, "Name another judge, or tick that it may.")
    position = error.field.removeprefix("models[").removesuffix("]")
    if position.isdecimal() and int(position) >= len(reader.words("models")):
        error = InvalidInput("more_models", error.problem, error.remedy)
    reader.refuse(error, other="suite")
