"""/suites: the golden questions, their versions, and new ones from files."""

from http import HTTPStatus
from pathlib import PurePath
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from services.api.dashboard.faults import Link, NotThere
from services.api.dashboard.forms import Reader, begin
from services.api.dashboard.views.suite import read_suite
from services.api.dashboard.views.suites import UPLOAD_LABELS, Refused, describe_refusal, read_suites
from services.api.dashboard.visit import Visit, Visiting, page_router
from services.api.schemas.fields import SuiteName
from services.api.suite_import import import_suite
from shared.db import suites
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.db.suites import SuiteVersion
from shared.domain.errors import InvalidInput

router = page_router()


@router.get("/suites")
async def show_suites(visit: Visiting, after: SuiteName | None = None) -> Response:
    async with visit.desk.connection() as connection:
        view = await read_suites(connection, visit.desk, after, begin(UPLOAD_LABELS))
    return await visit.show("suites.html", view)


@router.post("/suites")
async def bring_suite(visit: Visiting) -> Response:
    """Store a file as a suite, or as a new version of one; all of it, or nothing."""
    form = await visit.read_form(Scope.SUBMIT)
    reader, refused = Reader(form, UPLOAD_LABELS), None
    file = _read_file(form, reader)
    suggested = PurePath(file.filename or "").stem if file else ""
    named = reader.check(_Named, {"name": reader.text("name") or suggested})
    if file is not None and named is not None:
        filename = file.filename or "file"
        try:
            stored, _ = await import_suite(visit.desk, visit.actor, named.name, filename, await file.read())
            return visit.go(f"/suites/{stored.name}")
        except InvalidInput as error:
            refused = describe_refusal(filename, error)
            reader.refuse(InvalidInput("file", f"{filename} was refused.", "Below it says why."))
    return await _show_refused(visit, reader, refused)


@router.get("/suites/{name}")
async def show_suite(
    visit: Visiting,
    name: str,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    category: Annotated[str | None, Query(max_length=1000)] = None,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    async with visit.desk.connection() as connection:
        suite = await _find(connection, name, version)
        view = await read_suite(connection, visit.desk, suite, category=category, after=after)
    return await visit.show("suite.html", view)


class _Named(BaseModel):
    name: SuiteName


def _read_file(form: FormData, reader: Reader) -> UploadFile | None:
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        return file
    reader.refuse(InvalidInput("file", "", "Choose a file."))
    return None


async def _show_refused(visit: Visit, reader: Reader, refused: Refused | None) -> Response:
    async with visit.desk.connection() as connection:
        view = await read_suites(connection, visit.desk, None, reader.filled, refused)
    return await visit.show("suites.html", view, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _find(connection: Connection, name: str, version: int | None) -> SuiteVersion:
    """
    Raises:
        NotThere
    """
    found = await suites.find_suite(connection, name, version)
    if found is None:
        which = f"suite {name[:40]}" + (f" of version {version}" if version else "")
        told = "It was never imported here. Suites are kept, so the address may have been cut off."
        raise NotThere(f"There is no {which}", told, Link("/suites", "All suites"))
    return found
