"""A small installation in one process: the simulated provider over HTTP, a worker, the databases."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from arq.connections import ArqRedis

from services.simulator.config import SimulatorConfig
from services.simulator.serving import serve
from services.worker.main import open_worker
from shared.db import runs
from shared.db.aggregates import RunAggregate, read_aggregates
from shared.db.pool import Pool, open_pool
from shared.db.runs import Run
from shared.domain.answers.judging import DEFAULT_JUDGE_PROMPT, Judge
from shared.domain.questions.suites import SuiteContent
from shared.domain.runs import RunId
from shared.queue import enqueue_run_job, open_redis
from shared.settings import Settings
from tests.factories import submit_run

JUDGE = Judge("judge", "judge", DEFAULT_JUDGE_PROMPT, {"temperature": 0, "max_tokens": 300})


@dataclass(frozen=True, slots=True)
class Installation:
    settings: Settings
    pool: Pool
    redis: ArqRedis
    provider_url: str

    async def submit(self, content: SuiteContent, *models: str, **changed: Any) -> RunId:
        """Store a run and enqueue its plan, as the API does."""
        async with self.pool.acquire() as connection:
            run_id = await submit_run(connection, content=content, models=models, **changed)
        await enqueue_run_job(self.redis, "plan_run", run_id)
        return run_id

    async def work(self) -> None:
        """Run a worker until nothing is left to do, retries included."""
        async with open_worker(self.settings, burst=True) as worker:
            await worker.main()

    async def run(self, run_id: RunId) -> Run:
        async with self.pool.acquire() as connection:
            run = await runs.find_run(connection, run_id)
        assert run is not None
        return run

    async def totals(self, run_id: RunId) -> dict[str, RunAggregate]:
        """What the run says of each model on the whole suite."""
        async with self.pool.acquire() as connection:
            aggregates = await read_aggregates(connection, run_id)
        return {each.model: each for each in aggregates if each.category == "all"}

    async def results(self, run_id: RunId) -> list[dict[str, Any]]:
        async with self.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT * FROM results WHERE run_id = $1 ORDER BY model, position, repeat", run_id
            )
        return [dict(row) for row in rows]

    async def requests(self, model: str) -> int:
        """How often the provider was asked for a model."""
        async with httpx.AsyncClient() as client:
            told = (await client.get(f"{self.provider_url}/admin/stats")).json()
        return int(told["models"][model]["requests"])


@asynccontextmanager
async def install(
    database_url: str,
    redis_url: str,
    folder: Path,
    content: SuiteContent,
    models: Mapping[str, Mapping[str, Any]],
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[Installation]:
    """Serve these simulated models, beside a judge, on the questions of `content`; the worker knows them all.

    `parameters` are LiteLLM parameters of single models, such as a price or a timeout.
    """
    fleet = {"judge": {"kind": "judge"}, **models}
    config = SimulatorConfig.model_validate({"seed": 7, "models": fleet})
    async with serve(config, questions=content.questions) as provider_url:
        catalogue = folder / "models.yaml"
        catalogue.write_text(_write_catalogue(provider_url, fleet, parameters or {}))
        chosen = Settings(
            **{
                "database_url": database_url,
                "redis_url": redis_url,
                "models": catalogue,
                "request_timeout_seconds": 10,
                **settings,
            },
            _env_file=None,
        )
        async with open_pool(chosen) as pool, open_redis(redis_url) as redis:
            yield Installation(chosen, pool, redis, provider_url)


def _write_catalogue(
    provider_url: str, fleet: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Mapping[str, Any]]
) -> str:
    entries = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": f"{provider_url}/v1",
                "api_key": "none",
                **parameters.get(name, {}),
            },
            "model_info": {"control": played.get("kind") == "control"},
        }
        for name, played in fleet.items()
    ]
    return yaml.safe_dump({"model_list": entries, "judge": {"model": "judge"}})
