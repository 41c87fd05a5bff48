"""The whole system as `driftwarden up` runs it, with simulated models, for the length of a test."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from services.standalone.up import UpOptions, run_instance
from shared.settings import Settings

DEADLINE_SECONDS = 300.0


@asynccontextmanager
async def run_standalone(
    folder: Path,
    simulator: Mapping[str, Any],
    *,
    workers: int = 2,
    metrics_port: int = 0,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve this simulated provider and everything of ours; yield a client that speaks with the admin key.

    From `metrics_port` on, scheduler and workers have one port each for their metrics; 0: any.
    """
    models = list(simulator["models"])
    (folder / "simulator.yaml").write_text(yaml.safe_dump(dict(simulator)))
    (folder / "models.yaml").write_text(yaml.safe_dump(describe_models(models)))
    options = UpOptions(
        Settings(data=folder / "data", metrics_port=metrics_port, _env_file=None),
        port=0,
        workers=workers,
        simulator_config=folder / "simulator.yaml",
        environment={
            "DRIFTWARDEN_MODELS": str(folder / "models.yaml"),
            "DRIFTWARDEN_LOG_LEVEL": "error",
            **(environment or {}),
        },
    )
    async with run_instance(options, asyncio.Event()) as instance:
        headers = {"Authorization": f"Bearer {instance.api_key}"}
        base_url = f"{instance.url}/api/v1"
        async with httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=60, trust_env=False
        ) as client:
            yield client


def describe_models(names: list[str]) -> dict[str, Any]:
    """A models.yaml for simulated models; one that is called judge is the default judge."""
    entries = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": "os.environ/DRIFTWARDEN_SIMULATOR_URL",
                "api_key": "none",
            },
        }
        for name in names
    ]
    return {"model_list": entries, **({"judge": {"model": "judge"}} if "judge" in names else {})}


async def import_suite(client: httpx.AsyncClient, file: Path, name: str) -> None:
    reply = await client.post(
        "/suites", params={"name": name, "filename": file.name}, content=file.read_bytes()
    )
    reply.raise_for_status()


async def run_to_end(client: httpx.AsyncClient, **request: Any) -> dict[str, Any]:
    """Submit a run and follow its events until it is finished; return it as the API tells it then."""
    reply = await client.post("/runs", json=request)
    reply.raise_for_status()
    run_id = reply.json()["id"]
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with client.stream("GET", f"/runs/{run_id}/events") as events:
            async for line in events.aiter_lines():
                if line == "event: finished":
                    break
    run: dict[str, Any] = (await client.get(f"/runs/{run_id}")).json()
    return run
