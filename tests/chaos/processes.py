"""Processes that are killed, frozen and told to stop, and that a supervisor would start again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from services.standalone.supervisor import leashed

RESTART_SECONDS = 1.0
PAUSE_SECONDS = 0.1

Pids = Callable[[], Iterable[int]]


async def until(condition: Callable[[], Awaitable[bool]], *, within_seconds: float) -> None:
    """Wait for other processes' doing, without keeping them from it. TimeoutError."""
    async with asyncio.timeout(within_seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_SECONDS)


class Child:
    """One program with what it prints in a file. When it dies by itself, it is started again after a second.

    `is_ready` tells whether it does its work; `all_pids` names the processes of a program that has several.
    """

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        folder: Path,
        is_ready: Callable[[int], Awaitable[bool]],
        *,
        identity: str = "same",
        stop_signal: signal.Signals = signal.SIGTERM,
        all_pids: Pids | None = None,
    ) -> None:
        self.name = name
        self.deaths = 0  # those that nobody had asked for
        self._command = leashed(command, signal.SIGKILL, identity)
        self._environment = dict(environment)
        self._folder = folder
        self._is_ready = is_ready
        self._stop_signal = stop_signal
        self._all_pids: Pids = all_pids or (lambda: [self.pid])
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and keep it running; it becomes ready later."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def is_ready(self) -> bool:
        return await self._is_ready(self.pid)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """Kill all that is of it, and leave it dead."""
        await (await self.aim())()

    async def aim(self) -> Callable[[], Awaitable[int]]:
        """Make ready to kill it: what is returned does so at once."""
        await self._let_go()
        pids = list(self._all_pids())

        async def kill() -> int:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return await self._gone()

        return kill

    async def stop(self) -> int:
        """Tell it to stop, and wait until it has; its exit code."""
        await self._let_go()
        with suppress(ProcessLookupError):
            os.kill(self.pid, self._stop_signal)
        return await self._gone()

    async def _spawn(self) -> None:
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _keep(self) -> None:
        while True:
            await self._gone()
            self.deaths += 1
            await asyncio.sleep(RESTART_SECONDS)
            await self._spawn()

    async def _let_go(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None

    async def _gone(self) -> int:
        assert self._process is not None
        return await self._process.wait()


@asynccontextmanager
async def running(child: Child) -> AsyncIterator[Child]:
    """Keep it running for the length of the block, whatever is done to it in between."""
    await child.start()
    try:
        yield child
    finally:
        await child.kill()
