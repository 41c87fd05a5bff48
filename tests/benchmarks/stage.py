"""What the benchmarks run on: simulated models, and one instance as `driftwarden up` starts it."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import httpx
import yaml

from services.standalone.instance import Client
from tests.e2e.standalone import describe_models

ROOT = Path(__file__).resolve().parents[2]
MODELS = [f"model-{number:02}" for number in range(1, 12)]
QUESTIONS = 50  # in the suite "judged"
WIDTH = 50
POLL_SECONDS = 0.5
DEADLINE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One running instance, its simulated provider, and how to reach both. `pid` is what `up` runs as."""

    folder: Path
    pid: int
    provider_url: str
    api: httpx.AsyncClient
    provider: httpx.AsyncClient
    seconds_to_first_request: float

    async def import_suite(self, name: str, questions: Sequence[Mapping[str, str]]) -> None:
        content = "".join(json.dumps(question) + "\n" for question in questions)
        reply = await self.api.post(
            "/suites", params={"name": name, "filename": f"{name}.jsonl"}, content=content.encode()
        )
        reply.raise_for_status()

    async def set_latency(self, model_seconds: float, judge_seconds: float) -> None:
        for model in (*MODELS, "judge"):
            latency = judge_seconds if model == "judge" else model_seconds
            reply = await self.provider.patch(f"/admin/models/{model}", json={"latency": latency})
            reply.raise_for_status()

    async def submit(self, suite: str, models: Sequence[str], **request: Any) -> str:
        reply = await self.api.post("/runs", json={"suite": suite, "models": list(models), **request})
        reply.raise_for_status()
        return str(reply.json()["id"])

    async def wait_for(
        self, run_id: str, *states: str, deadline_seconds: float = DEADLINE_SECONDS
    ) -> dict[str, Any]:
        async with asyncio.timeout(deadline_seconds):
            while True:
                run: dict[str, Any] = (await self.api.get(f"/runs/{run_id}")).raise_for_status().json()
                if run["state"] in states:
                    return run
                await asyncio.sleep(POLL_SECONDS)

    async def run_to_end(self, suite: str, models: Sequence[str], **request: Any) -> float:
        """Run it until it is closed; return the seconds from before the submission until then."""
        started = time.time()
        run_id = await self.submit(suite, models, **request)
        run = await self.wait_for(run_id, "completed")
        unscored = [each for each in run["aggregates"] if each["coverage"] < 1]
        assert not unscored, f"pairs without a score would make the figures too good: {unscored[0]}"
        return datetime.fromisoformat(run["finished_at"]).timestamp() - started


@asynccontextmanager
async def set_the_stage(
    folder: Path, questions: Sequence[Mapping[str, str]], **settings: object
) -> AsyncIterator[Stage]:
    """Start the simulated provider, then an instance on an empty folder, see `serve_instance`."""
    async with (
        serve_models(folder, questions) as provider_url,
        serve_instance(folder, provider_url, **settings) as stage,
    ):
        yield stage


@asynccontextmanager
async def serve_models(folder: Path, questions: Sequence[Mapping[str, str]]) -> AsyncIterator[str]:
    """Simulate MODELS and a judge that know the questions, described in the folder's models.yaml."""
    known = folder / "known.jsonl"
    known.write_text("".join(json.dumps(question) + "\n" for question in questions))
    fleet = {"judge": {"kind": "judge"}, **{model: {"skill": 0.8} for model in MODELS}}
    (folder / "simulator.yaml").write_text(yaml.safe_dump({"suites": [known.name], "models": fleet}))
    (folder / "models.yaml").write_text(yaml.safe_dump(describe_models(list(fleet))))
    with (folder / "simulator.log").open("wb") as log:
        async with _program(
            "simulator", "--config", str(folder / "simulator.yaml"), "--port", "0",
            environment=_environment(), stdout=asyncio.subprocess.PIPE, stderr=log,
        ) as simulator:  # fmt: skip
            assert simulator.stdout is not None
            yield (await simulator.stdout.readline()).decode().split()[-1]


@asynccontextmanager
async def serve_instance(
    folder: Path, provider_url: str, *, workers: int = 1, **settings: object
) -> AsyncIterator[Stage]:
    """Start an instance on what the folder has, if anything; `settings` are those of shared/settings.py."""
    chosen = {"worker_slots": WIDTH, "requests_per_minute": 100_000, **settings}
    environment = _environment(
        DRIFTWARDEN_MODELS=str(folder / "models.yaml"),
        DRIFTWARDEN_SIMULATOR_URL=provider_url,
        **{f"DRIFTWARDEN_{name.upper()}": str(value) for name, value in chosen.items()},
    )
    started = time.perf_counter()
    with (folder / "up.log").open("ab") as log:
        async with _program(
            "up", "--data", str(folder / "data"), "--port", "0", "--workers", str(workers),
            environment=environment, stdout=log, stderr=log,
        ) as up:  # fmt: skip
            client = await _first_request(folder / "data" / "client.json", up)
            seconds = time.perf_counter() - started
            async with (
                _open_api(client) as api,
                httpx.AsyncClient(base_url=provider_url.removesuffix("/v1"), trust_env=False) as provider,
            ):
                yield Stage(folder, up.pid, provider_url, api, provider, seconds)


def write_sums(count: int, categories: int = 1) -> list[dict[str, str]]:
    """Questions that need no judge."""
    return [
        {
            "id": f"q{n}", "category": f"sums {n % categories}", "input": f"What is {n} + 1?",
            "target": str(n + 1), "scorer": "contains",
        }
        for n in range(count)
    ]  # fmt: skip


def _environment(**ours: str) -> dict[str, str]:
    """Ours alone decide: no setting of the user's reaches the instance."""
    foreign = ("DATABASE_URL", "REDIS_URL")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in foreign and not name.startswith("DRIFTWARDEN_")
    }
    return {**kept, **ours, "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def _program(
    *arguments: str, environment: Mapping[str, str], stdout: IO[bytes] | int, stderr: IO[bytes] | int
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *arguments),
        cwd=ROOT,
        env=environment,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _first_request(client_file: Path, up: asyncio.subprocess.Process) -> Client:
    """Wait until a request with the key that `up` wrote down is answered."""
    async with asyncio.timeout(60):
        while up.returncode is None:
            with suppress(OSError, ValueError, httpx.HTTPError):
                client = Client(**json.loads(client_file.read_text()))
                async with _open_api(client) as api:
                    if (await api.get("/runs")).is_success:
                        return client
            await asyncio.sleep(0.02)
    raise RuntimeError(f"`driftwarden up` ended while starting: see {client_file.parents[1] / 'up.log'}")


def _open_api(client: Client) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"{client.url}/api/v1",
        headers={"Authorization": f"Bearer {client.api_key}"},
        timeout=60,
        trust_env=False,
    )
