"""A place to gate from: a real API, a worker, and a simulated provider that can be changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from services.simulator.config import SimulatorConfig
from services.simulator.serving import serve
from shared.domain.questions.suite_files import parse_suite
from tests.integration.commands import Done, Terminal, open_terminal
from tests.integration.serving import make_settings, serve_api

QUESTIONS = 80  # equal answers to 76 show a margin of 3 points
GOLDEN = (
    "id,category,input,expected_output,scorer",
    *(f"q{n},math,What is {n} + {n}?,{2 * n},numeric" for n in range(1, QUESTIONS + 1)),
)
MODELS = ("bright", "second", "third", "fourth")
PRICES = {"input_cost_per_token": 1e-4, "output_cost_per_token": 1e-4}


@dataclass(frozen=True, slots=True)
class Site:
    """A terminal to gate from, and the provider behind it all."""

    terminal: Terminal
    provider: httpx.AsyncClient

    async def __call__(self, *arguments: str) -> Done:
        return await self.terminal("gate", "--suite", "golden.csv", *arguments)

    async def change(self, model: str, **fields: Any) -> None:
        (await self.provider.patch(f"/admin/models/{model}", json=fields)).raise_for_status()


def write_catalogue(path: Path, provider_url: str) -> None:
    entries = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}", "api_base": f"{provider_url}/v1", "api_key": "none", **PRICES,
            },
        }
        for name in MODELS
    ]  # fmt: skip
    path.write_text(yaml.safe_dump({"model_list": entries}))


@asynccontextmanager
async def open_site(database_url: str, redis_url: str, folder: Path) -> AsyncIterator[Site]:
    content = parse_suite("golden.csv", "\n".join(GOLDEN).encode())
    skilful = {"skill": 1.0, "noise": 0.0}
    config = SimulatorConfig.model_validate({"seed": 3, "models": dict.fromkeys(MODELS, skilful)})
    async with serve(config, questions=content.questions) as provider_url:
        write_catalogue(folder / "models.yaml", provider_url)
        settings = make_settings(database_url, redis_url, folder)
        async with serve_api(settings) as api, httpx.AsyncClient(base_url=provider_url) as provider:
            terminal = open_terminal(api, folder / "work")
            terminal.write("golden.csv", *GOLDEN)
            worker = await terminal.start(
                "worker",
                DATABASE_URL=database_url, REDIS_URL=redis_url, DRIFTWARDEN_MODELS=str(settings.models),
                DRIFTWARDEN_MAX_ATTEMPTS="1", DRIFTWARDEN_LOG_LEVEL="error",
            )  # fmt: skip
            try:
                yield Site(terminal, provider)
            finally:
                worker.terminate()
                await worker.communicate()
