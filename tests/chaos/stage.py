"""What a trial runs on: own databases, a simulated provider, an API, a scheduler and two workers.

Every one is a process of its own that a trial may kill, and both databases write as safely as in production.
"""

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import randrange
from typing import Any
from uuid import UUID, uuid4

import httpx
import yaml

from services.standalone import postgres
from services.standalone.instance import reserve_port
from services.standalone.up import answers_at
from shared.domain.runs import RunId
from shared.queue import SCHEDULER_HEALTH, SENTINEL, WORKERS
from tests.chaos.clocks import Clock, find_faketime
from tests.chaos.disks import mount_small_disk
from tests.chaos.processes import Child, running, until
from tests.chaos.servers import READY_SECONDS, create_database, start_postgres, start_valkey
from tests.chaos.wires import Wire, string_wire
from tests.chaos.witness import Witness, call_witness

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("adder-a", "adder-b", "adder-c", "adder-d")
JUDGE = "judge"
PRICES = {"input_cost_per_token": 1.7e-6, "output_cost_per_token": 9.1e-6}
MODEL_SLOTS = 5
SERVER_PORTS = (20_000, 30_000)
POSTGRES_DISK_MEGABYTES = 160
VALKEY_DISK_MEGABYTES = 8
FOREIGN = ("DATABASE_URL", "REDIS_URL", "LD_PRELOAD")


class Ground(StrEnum):
    """What a stage stands on, beyond the ordinary."""

    PLAIN = "plain"
    WIRES = "wires"  # the processes reach the databases over wires that can be cut
    CLOCKS = "clocks"  # our processes have clocks that can jump
    DISKS = "disks"  # the databases' folders are small disks


@dataclass(frozen=True, slots=True)
class Size:
    """How large a trial is: questions for each of the models, and seconds until the provider replies."""

    questions: int = 50
    latency_seconds: float = 0.3
    cut_seconds: float = 30.0

    @property
    def pairs(self) -> int:
        return len(MODELS) * self.questions


FULL = Size()
SHORT = Size(questions=15, latency_seconds=0.4, cut_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Stage:
    """One running installation. `clocks` and the wires are there on the grounds that have them."""

    folder: Path
    size: Size
    postgres: Child
    valkey: Child
    api: Child
    scheduler: Child
    workers: tuple[Child, Child]
    database_wire: Wire | None
    redis_wire: Wire | None
    clocks: Mapping[str, Clock]
    witness: Witness
    client: httpx.AsyncClient
    provider: httpx.AsyncClient

    @property
    def children(self) -> tuple[Child, ...]:
        return (self.postgres, self.valkey, self.api, self.scheduler, *self.workers)

    async def until_ready(self) -> None:
        """Wait until every process does its work. TimeoutError."""
        for child in self.children:
            await until(child.is_ready, within_seconds=READY_SECONDS)

    async def submit(self, questions: int | None = None, key: str | None = None) -> RunId:
        """Submit a run as a client does, under an idempotency key."""
        reply = await self.client.post(
            "/runs",
            json={"suite": "sums", "models": list(MODELS), "sample": questions or self.size.questions},
            headers={"Idempotency-Key": key or uuid4().hex},
        )
        reply.raise_for_status()
        return RunId(UUID(reply.json()["id"]))

    async def schedule(self, name: str, cron: str, questions: int) -> None:
        """Have a run opened every night (UTC)."""
        terms = {"suite": "sums", "models": list(MODELS), "cron": cron, "sample": questions}
        (await self.client.put(f"/schedules/{name}", json=terms)).raise_for_status()

    async def answers(self, run_id: RunId) -> bool:
        """Whether the API tells how a run stands."""
        try:
            return (await self.client.get(f"/runs/{run_id}", timeout=5)).is_success
        except httpx.HTTPError:
            return False

    async def change_models(self, **fields: Any) -> None:
        """Change how the simulated models behave."""
        for model in MODELS:
            reply = await self.provider.patch(f"/admin/models/{model}", json=fields)
            reply.raise_for_status()

    async def forget_calls(self) -> None:
        """Begin to count the provider's calls anew, when the last one is through."""

        async def is_idle() -> bool:
            return bool((await self._stats())["in_flight"] == 0)

        await until(is_idle, within_seconds=READY_SECONDS)
        (await self.provider.post("/admin/stats/reset")).raise_for_status()

    async def count_calls(self) -> int:
        """Calls that reached a model since then; those that it refused or failed cost nothing."""
        stats = await self._stats()
        return int(stats["requests"] - stats["failed"] - stats["rate_limited"])

    async def _stats(self) -> dict[str, int]:
        stats: dict[str, int] = (await self.provider.get("/admin/stats")).raise_for_status().json()
        return stats


@asynccontextmanager
async def set_stage(folder: Path, ground: Ground, size: Size) -> AsyncIterator[Stage]:
    """Start everything in an empty folder and wait until it is ready."""
    async with AsyncExitStack() as stack:
        homes = [folder / "pg", folder / "vk"]
        for home, megabytes in zip(homes, (POSTGRES_DISK_MEGABYTES, VALKEY_DISK_MEGABYTES), strict=True):
            if ground is Ground.DISKS:
                stack.enter_context(mount_small_disk(home, megabytes))
            else:
                home.mkdir()
        database, database_socket, database_url = await start_postgres(stack, homes[0], folder)
        valkey, valkey_socket, redis_url = await start_valkey(stack, homes[1], folder)
        witness = await stack.enter_async_context(call_witness(database_url, redis_url))
        await create_database(database_url)
        database_wire = redis_wire = None
        if ground is Ground.WIRES:
            ports = [stack.enter_context(_reserve_port()) for _ in range(2)]
            database_wire = await stack.enter_async_context(string_wire(database_socket, ports[0]))
            redis_wire = await stack.enter_async_context(string_wire(valkey_socket, ports[1]))
            database_url = f"postgresql://postgres@127.0.0.1:{database_wire.port}/{postgres.DATABASE}"
            redis_url = f"redis://127.0.0.1:{redis_wire.port}/0"

        suite = _write_suite(folder / "sums.jsonl", size.questions)
        provider_url = await _start_simulator(stack, folder, suite, size)
        (folder / "models.yaml").write_text(yaml.safe_dump(_describe_models(provider_url)))
        api_port = stack.enter_context(_reserve_port())
        names = ("api", "scheduler", "worker-1", "worker-2")
        clocks = _make_clocks(folder, names) if ground is Ground.CLOCKS else {}
        settings = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "DRIFTWARDEN_AUTH": "off",
            "DRIFTWARDEN_PORT": str(api_port),
            "DRIFTWARDEN_DATA": str(folder),
            "DRIFTWARDEN_MODELS": str(folder / "models.yaml"),
            "DRIFTWARDEN_LOG_FORMAT": "json",
        }

        async def start(name: str, is_ready: Any) -> Child:
            environment = _environment(settings | dict(clocks[name].environment if name in clocks else {}))
            command = (sys.executable, "-m", "services.cli", name.partition("-")[0])
            return await stack.enter_async_context(
                running(Child(name, command, environment, folder, is_ready))
            )

        async def is_worker_ready(pid: int) -> bool:
            async def read(redis: Any) -> bool:
                return any(f":{pid}:" in owner.decode() for owner in await redis.zrange(WORKERS, 0, -1))

            return await witness.ask_redis(read)

        async def is_scheduler_ready(_: int) -> bool:
            async def read(redis: Any) -> bool:
                return bool(await redis.exists(SCHEDULER_HEALTH) and await redis.exists(SENTINEL))

            return await witness.ask_redis(read)

        api_url = f"http://127.0.0.1:{api_port}"
        is_api_ready = answers_at(f"{api_url}/readyz")
        api = await start("api", lambda _: is_api_ready())
        scheduler = await start("scheduler", is_scheduler_ready)
        workers = (await start("worker-1", is_worker_ready), await start("worker-2", is_worker_ready))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"{api_url}/api/v1", timeout=30, trust_env=False)
        )
        provider = await stack.enter_async_context(
            httpx.AsyncClient(base_url=provider_url, timeout=30, trust_env=False)
        )
        stage = Stage(
            folder=folder,
            size=size,
            postgres=database,
            valkey=valkey,
            api=api,
            scheduler=scheduler,
            workers=workers,
            database_wire=database_wire,
            redis_wire=redis_wire,
            clocks=clocks,
            witness=witness,
            client=client,
            provider=provider,
        )
        await stage.until_ready()
        reply = await client.post(
            "/suites", params={"name": "sums", "filename": suite.name}, content=suite.read_bytes()
        )
        reply.raise_for_status()
        yield stage


async def _start_simulator(stack: AsyncExitStack, folder: Path, suite: Path, size: Size) -> str:
    latency = {"mean_seconds": size.latency_seconds, "variation": 0.3}
    models = {JUDGE: {"kind": "judge", "latency": latency}} | {
        model: {"latency": latency} for model in MODELS
    }
    config = folder / "simulator.yaml"
    config.write_text(yaml.safe_dump({"seed": 6, "suites": [suite.name], "models": models}))
    port = stack.enter_context(_reserve_port())
    is_listening = answers_at(f"http://127.0.0.1:{port}/healthz")
    options = ("--config", str(config), "--port", str(port))
    command = (sys.executable, "-m", "services.cli", "simulator", *options)
    child = Child("simulator", command, _environment({}), folder, lambda _: is_listening())
    await stack.enter_async_context(running(child))
    await until(child.is_ready, within_seconds=READY_SECONDS)
    return f"http://127.0.0.1:{port}"


def _write_suite(file: Path, questions: int) -> Path:
    """Sums that only the judge decides, so that every pair takes two calls."""
    lines = (
        {
            "id": f"q{n}",
            "category": f"sums-{n % 3}",
            "input": f"What is {n} plus {n + 1}?",
            "target": str(2 * n + 1),
        }
        for n in range(questions)
    )
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def _describe_models(provider_url: str) -> dict[str, Any]:
    """The judge keeps up with the models, so that pairs in either step are there to be hit."""
    slots = dict.fromkeys(MODELS, MODEL_SLOTS) | {JUDGE: MODEL_SLOTS * len(MODELS)}
    entries = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": f"{provider_url}/v1",
                "api_key": "none",
                "max_parallel_requests": most,
                **PRICES,
            },
        }
        for name, most in slots.items()
    ]
    return {"model_list": entries, "judge": {"model": JUDGE}}


def _reserve_port() -> AbstractContextManager[int]:
    """A port that stays ours while nobody listens on it: no system gives one of these to a client."""
    return reserve_port("127.0.0.1", randrange(*SERVER_PORTS), required=False)


def _make_clocks(folder: Path, names: tuple[str, ...]) -> dict[str, Clock]:
    library = find_faketime()
    assert library is not None, "whoever chooses this ground has looked for libfaketime"
    return {name: Clock(library, folder / f"{name}.clock") for name in names}


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """No setting of the user's reaches the installation."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in FOREIGN and not name.startswith("DRIFTWARDEN_")
    }
    return {**kept, **ours, "PYTHONPATH": str(ROOT)}
