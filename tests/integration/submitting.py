"""Steps of tests that submit runs over the API."""

from typing import Any

import httpx
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus

from shared.db import suites
from shared.queue import CONTROL_QUEUE, deserialize
from tests.factories import make_suite
from tests.integration.serving import Api

RUNS = "/api/v1/runs"


async def store_suite(api: Api, name: str = "golden", **changed: Any) -> None:
    """Have a suite of made-up questions; `changed` is what makes it special."""
    async with api.desk.connection() as connection, connection.transaction():
        await suites.store_suite(connection, name, make_suite(**changed))


async def submit(api: Api, headers: dict[str, str] | None = None, **changed: Any) -> httpx.Response:
    return await api.client.post(RUNS, json={"suite": "golden", **changed}, headers=headers)


async def queued(api: Api, job: str, run_id: str) -> bool:
    return await is_queued(api.desk.redis, job, run_id)


async def is_queued(redis: ArqRedis, job: str, run_id: str) -> bool:
    found = Job(f"{job}:{run_id}", redis, CONTROL_QUEUE, _deserializer=deserialize)
    return await found.status() == JobStatus.queued


async def count_runs(api: Api) -> int:
    async with api.desk.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM runs"))


def refused_fields(response: httpx.Response) -> list[str]:
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return [error["field"] for error in response.json()["errors"]]
