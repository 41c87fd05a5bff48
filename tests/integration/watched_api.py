"""The API over a schedule whose nights are made up, and what tests ask of it."""

from collections.abc import Mapping
from typing import Any

import httpx

from shared.db import detections
from shared.detecting import read_sequence, refold
from shared.domain.runs import RunId
from tests.integration.serving import Api
from tests.integration.watching import Past, Story, begin_past

V1 = "/api/v1"


async def begin_watch(api: Api, models: tuple[str, ...] = ("bright", "dim"), **suite: int) -> Past:
    past = await begin_past(api.desk.pool, api.desk.redis, models, **suite)
    past.catalogue = api.desk.catalogue
    return past


def dropping(model: str, night: int, to: float | None, until: int = 10_000) -> Story:
    """From one night on, until another, one model answers worse than usual."""
    return Story(lambda name, number: to if name == model and night <= number < until else 0.8)


async def get(api: Api, path: str, **query: Any) -> Any:
    response = await api.client.get(f"{V1}/{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def post(api: Api, path: str, body: Mapping[str, Any] | None = None, **options: Any) -> httpx.Response:
    return await api.client.post(f"{V1}/{path}", json=body, **options)


async def only_incident(api: Api) -> Any:
    [incident] = (await get(api, "incidents"))["items"]
    return await get(api, f"incidents/{incident['id']}")


async def is_fold_of_results_and_acts(past: Past, last: RunId | None = None) -> bool:
    """Whether the stored detections are what folding everything from the start gives."""
    stored = await past.detections()
    async with past.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        controls = past.catalogue.controls()
        sequence = await read_sequence(connection, past.schedule.id, frozenset(controls), last=last)
        await refold(connection, sequence)
        rows = await connection.fetch(
            "SELECT * FROM detections ORDER BY subject, model, stream, sequence, run_id"
        )
        kept = await detections.read_fold(connection, past.schedule.id)
        await transaction.rollback()
        before = await detections.read_fold(connection, past.schedule.id)
    assert kept is not None
    assert before is not None
    return [dict(row) for row in rows] == stored and detections.pack(kept.fold) == detections.pack(
        before.fold
    )


async def audited(api: Api) -> list[tuple[str, str, str]]:
    async with api.desk.connection() as connection:
        rows = await connection.fetch("SELECT actor, act, subject FROM audit_log ORDER BY id")
    return [tuple(row) for row in rows]
