"""/models/view: one model over its nights."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from services.api.dashboard.faults import Link, NotThere
from services.api.dashboard.views.model import read_model
from services.api.dashboard.views.one_off import read_one_offs
from services.api.dashboard.visit import Visiting, page_router
from services.api.schemas.stats import Period
from services.api.statistics import PERIODS
from shared.db import schedules
from shared.db.pool import Connection
from shared.db.schedules import Schedule

router = page_router()


@router.get("/models/view")
async def show_model(
    visit: Visiting,
    model: Annotated[str, Query(max_length=500)],
    schedule: str | None = None,
    period: Period = "30d",
) -> Response:
    async with visit.desk.connection() as connection:
        watching = await schedules.list_schedules_asking(connection, model)
        chosen = _choose(watching, schedule)
        if chosen is None:
            return await _show_one_offs(visit, connection, model)
        entry = visit.desk.catalogue.entries.get(model)
        provider = (
            entry.litellm_model.partition("/")[0]
            if entry
            else model.partition("/")[0]
            if "/" in model
            else ""
        )

        def address(name: str, length: str) -> str:
            return f"/models/view?{urlencode({'model': model, 'schedule': name, 'period': length})}"

        view = await read_model(
            connection, chosen, model, period, provider,
            tuple((one, address(chosen.name, one)) for one in PERIODS),
            tuple((one.name, address(one.name, period)) for one in watching) if len(watching) > 1 else (),
        )  # fmt: skip
    return await visit.show("model.html", view)


def _choose(watching: list[Schedule], name: str | None) -> Schedule | None:
    """The schedule asked for if it asks the model, else the first that does."""
    return next((one for one in watching if one.name == name), watching[0] if watching else None)


async def _show_one_offs(visit: Visiting, connection: Connection, model: str) -> Response:
    view = await read_one_offs(connection, model)
    if not view.runs:
        told = "No completed run asked it. Names are written as in models.yaml, or as provider/model."
        raise NotThere(f"No run has measured {model[:80]}", told, Link("/models", "All models"))
    return await visit.show("one_off.html", view)
