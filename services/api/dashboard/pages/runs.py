"""/runs: every run, how far it is, what it came to, and each of its answers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from services.api.cancelling import cancel
from services.api.dashboard.faults import Link, NotThere
from services.api.dashboard.site import HEADERS
from services.api.dashboard.views.progress import describe_progress
from services.api.dashboard.views.run import read_run
from services.api.dashboard.views.runs import RunsWanted, read_runs
from services.api.dashboard.visit import Visit, Visiting, page_router
from services.api.events import HEARTBEAT_SECONDS, follow_progress, name_event
from services.api.export import Download
from services.api.problems import RunFinished
from services.api.schemas.fields import Text
from shared.db import runs
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.db.results import ResultFilter, ResultOutcome
from shared.db.runs import Run
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId, RunKind, RunState

LAST_PAGE = 1_000_000

router = page_router()

Field: TypeAlias = Annotated[Text, Query()]
"""A field of a form that asks; empty: not filled in."""

Choice = TypeVar("Choice", RunKind, RunState, ResultOutcome)


async def _read_filter(
    model: Field = "", category: Field = "", outcome: Field = "", question: Field = "", text: Field = ""
) -> ResultFilter:
    chosen = _read_choice("outcome", ResultOutcome, outcome)
    return ResultFilter(
        model=model or None, category=category or None, question=question or None,
        text=text.strip() or None, outcome=chosen,
    )  # fmt: skip


Wanted: TypeAlias = Annotated[ResultFilter, Depends(_read_filter)]


@router.get("/runs")
async def show_runs(
    visit: Visiting,
    kind: Field = "",
    state: Field = "",
    suite: Field = "",
    model: Field = "",
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    wanted = RunsWanted(
        _read_choice("kind", RunKind, kind), _read_choice("state", RunState, state),
        suite or None, model.strip() or None,
    )  # fmt: skip
    async with visit.desk.connection() as connection:
        view = await read_runs(connection, wanted, cursor, list(visit.desk.catalogue.entries))
    return await visit.show("runs.html", view)


@router.get("/runs/{run_id}")
async def show_run(
    visit: Visiting,
    run_id: str,
    wanted: Wanted,
    page: Annotated[int, Query(ge=1, le=LAST_PAGE)] = 1,
    stop: Literal["", "too-late"] = "",
) -> Response:
    async with visit.desk.connection() as connection:
        run = await _find(connection, run_id)
        view = await read_run(connection, run, wanted, page, datetime.now(UTC), too_late=stop == "too-late")
    return await visit.show("run.html", view)


@router.get("/runs/{run_id}/events")
async def watch_run(visit: Visiting, run_id: str) -> Response:
    """The progress section of the page, drawn anew on every change, for those who have its session."""
    async with visit.desk.connection() as connection:
        run = await _find(connection, run_id)
    return EventSourceResponse(_draw_progress(visit, run), ping=HEARTBEAT_SECONDS)


@router.get("/runs/{run_id}/export")
async def export_answers(
    visit: Visiting, run_id: str, wanted: Wanted, format: Literal["csv", "json", "jsonl"] = "csv"
) -> Response:
    async with visit.desk.connection() as connection:
        run = await _find(connection, run_id)
    download = Download(visit.desk, run.id, wanted, format)
    download.headers.update(HEADERS)
    return download


@router.post("/runs/{run_id}/cancel")
async def cancel_run(visit: Visiting, run_id: str) -> Response:
    await visit.read_form(Scope.SUBMIT)
    async with visit.desk.connection() as connection:
        run = await _find(connection, run_id)
    try:
        await cancel(visit.desk, visit.actor, run.id)
    except RunFinished:
        return visit.go(f"/runs/{run.id}?stop=too-late")
    return visit.go(f"/runs/{run.id}")


async def _draw_progress(visit: Visit, run: Run) -> AsyncIterator[ServerSentEvent]:
    template = visit.site.templates.get_template("progress.html")
    async for progress in follow_progress(visit.desk, run.id):
        drawn = template.render(progress=describe_progress(run, progress, datetime.now(UTC)))
        yield ServerSentEvent(drawn, event=name_event(progress))


def _read_choice(field: str, kinds: type[Choice], text: str) -> Choice | None:
    """
    Raises:
        InvalidInput: it is none of them.
    """
    try:
        return kinds(text) if text else None
    except ValueError:
        known = ", ".join(kinds)
        raise InvalidInput(field, f"{text[:40]!r} is none of them.", f"Known: {known}.") from None


async def _find(connection: Connection, run_id: str) -> Run:
    """
    Raises:
        NotThere
    """
    try:
        found = await runs.find_run(connection, RunId(UUID(run_id)))
    except ValueError:
        found = None
    if found is None:
        told = "It was never started here. Runs are kept, so the address may have been cut off."
        raise NotThere(f"There is no run {run_id[:40]}", told, Link("/runs", "All runs"))
    return found
