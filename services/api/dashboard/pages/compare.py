"""/compare: the models on one suite, or two runs question by question."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from services.api.comparison import NotComparable, compare_runs, match_models
from services.api.comparison_report import describe
from services.api.dashboard.faults import Link, NotThere
from services.api.dashboard.views.choices import ALL, choose
from services.api.dashboard.views.compare import read_contest
from services.api.dashboard.views.run_choice import read_run_choice
from services.api.dashboard.views.two_runs import ask_for_runs, read_two_runs, refuse_comparison
from services.api.dashboard.visit import Visiting, page_router
from services.api.rankings import AtShelf
from shared.db import runs
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId

router = page_router()


@router.get("/models")
async def show_models(visit: Visiting) -> Response:
    """All models are told on Compare."""
    query = visit.request.url.query
    return visit.go("/compare" + (f"?{query}" if query else ""))


@router.get("/compare")
async def show_comparison(
    visit: Visiting,
    shelf: AtShelf,
    suite: str | None = None,
    category: str = ALL,
    loss: Annotated[float, Query(gt=0, le=100, allow_inf_nan=False)] = 3.0,
    baseline: str = "",
    candidate: str = "",
    baseline_model: str = "",
    candidate_model: str = "",
    margin: Annotated[float, Query(gt=0, le=100, allow_inf_nan=False)] = 3.0,
    flips: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Response:
    if baseline or candidate:
        return await _show_two_runs(
            visit, baseline, candidate, (baseline_model, candidate_model), margin, flips
        )
    async with visit.desk.connection() as connection:
        chosen = await choose(
            connection, "/compare", suite=suite, schedule=None, category=category, period="30d"
        )
        if chosen is None:
            return await visit.show("empty.html", None)
        contest = await read_contest(connection, visit.desk, shelf, chosen, loss / 100)
    return await visit.show("compare.html", contest)


async def _show_two_runs(
    visit: Visiting, baseline: str, candidate: str, models: tuple[str, str], margin: float, page: int
) -> Response:
    async with visit.desk.connection() as connection:
        before, after = await _find(connection, baseline), await _find(connection, candidate)
        named = (models[0] or None, models[1] or None)
        choice = await read_run_choice(
            connection, baseline=before, candidate=after, models=named, margin=margin
        )
    if before is None or after is None:
        return await visit.show("two_runs.html", ask_for_runs(choice))
    try:
        pairing = match_models(before, after, None, *named)
        findings, flipped = await compare_runs(visit.desk, before, after, pairing.matches, margin / 100)
    except (NotComparable, InvalidInput) as error:
        return await visit.show("two_runs.html", refuse_comparison(before, after, choice, error), 409)
    told = describe(before, after, pairing, findings, flipped)
    here = {"baseline": baseline, "candidate": candidate, "margin": f"{margin:g}"}
    here |= {"baseline_model": models[0], "candidate_model": models[1]} if any(models) else {}
    async with visit.desk.connection() as connection:
        view = await read_two_runs(connection, told, choice, f"/compare?{urlencode(here)}", page)
    return await visit.show("two_runs.html", view)


async def _find(connection: Connection, run_id: str) -> Run | None:
    """None where none is asked for yet.

    Raises:
        NotThere
    """
    if not run_id:
        return None
    try:
        found = await runs.find_run(connection, RunId(UUID(run_id)))
    except ValueError:
        found = None
    if found is None:
        told = "It was never started here, or the address was cut off."
        raise NotThere(f"There is no run {run_id[:40]}", told, Link("/compare", "Choose two runs"))
    return found
