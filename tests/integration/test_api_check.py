"""Asking models who they are: through the queue, a worker, and a simulated provider."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.api.check import check_models
from services.simulator.config import SimulatorConfig
from services.simulator.serving import serve
from services.worker.main import open_worker
from shared.db.keys import Scope
from shared.queue import CONTROL_QUEUE
from shared.settings import Settings
from tests.factories import make_suite
from tests.integration.fleet import until_equal
from tests.integration.serving import Api, make_settings, open_api

CHECK = "/api/v1/models:check"


@pytest.fixture
async def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Settings]:
    """Two models that answer, one whose key the provider refuses to know."""
    models: dict[str, Any] = {"bright": {}, "dim": {}}
    config = SimulatorConfig.model_validate({"seed": 7, "models": models})
    async with serve(config, questions=make_suite().questions) as provider_url:
        entries = [
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"openai/{name}",
                    "api_base": f"{provider_url}/v1",
                    "api_key": "none",
                },
            }
            for name in (*models, "unknown-there")
        ]
        (tmp_path / "models.yaml").write_text(yaml.safe_dump({"model_list": entries}))
        yield make_settings(database_url, redis_url, tmp_path)


async def work_once_asked(api: Api) -> None:
    await until_equal(lambda: api.desk.redis.zcard(CONTROL_QUEUE), 1)
    async with open_worker(api.desk.settings, burst=True) as worker:
        await worker.main()


async def test_every_model_of_the_catalogue_is_asked(api: Api) -> None:
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(api.client.post(CHECK, json={}, timeout=60))
        tasks.create_task(work_once_asked(api))
    response = asking.result()
    assert response.status_code == 200, response.text
    bright, dim, unknown = response.json()["items"]
    assert (bright["model"], bright["ok"], bright["error"]) == ("bright", True, None)
    assert bright["latency_seconds"] > 0
    assert bright["served_model"]
    assert bright["says_it_is"]
    assert (dim["model"], dim["ok"]) == ("dim", True)
    assert (unknown["model"], unknown["ok"], unknown["error_kind"]) == ("unknown-there", False, "not_found")
    assert unknown["latency_seconds"] is None


async def test_without_a_worker_every_model_is_told_as_unanswered(api: Api) -> None:
    found = await check_models(api.desk, ["bright", "dim"], wait_seconds=0.3)
    assert [(each.model, each.ok) for each in found] == [("bright", False), ("dim", False)]
    assert all("no worker answered" in (each.error or "") for each in found)


async def test_a_check_that_nobody_waits_for_is_not_made(api: Api) -> None:
    await check_models(api.desk, ["bright"], wait_seconds=0.1)
    assert await api.desk.redis.keys("arq:job:check_models:*") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"models": ["bright", "nobody"]}, "models[1]"),
        ({"models": ["bright", "bright"]}, "models[1]"),
        ({"models": []}, "models"),
        ({"model": "bright"}, "model"),
    ],
)
async def test_what_can_not_be_asked_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    response = await api.client.post(CHECK, json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_without_a_catalogue_models_must_be_named(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "models.yaml").write_text("model_list: []\n")
    async with open_api(make_settings(database_url, redis_url, tmp_path)) as api:
        response = await api.client.post(CHECK, json={})
    assert [error["field"] for error in response.json()["errors"]] == ["models"]


async def test_asking_costs_and_needs_more_than_reading(api: Api) -> None:
    response = await api.client.post(CHECK, json={}, headers=await api.key(Scope.READ))
    assert response.status_code == 403


async def test_without_redis_no_worker_can_be_asked(
    database_url: str, tmp_path: Path, api_settings: Settings
) -> None:
    away = make_settings(database_url, "redis://127.0.0.1:1", tmp_path)
    async with open_api(away) as api:
        response = await api.client.post(CHECK, json={"models": ["bright"]}, timeout=60)
    assert (response.status_code, response.json()["title"]) == (503, "Unavailable")
