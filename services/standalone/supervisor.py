"""Keeps child processes running: starts them, waits until they are ready, restarts what crashes, stops them.

Each child leads a session of its own, so that a Ctrl-C in the terminal reaches only the supervisor, and is on
a leash (`leash.py`), so that it does not outlive it. What it prints goes to our own output or to a file.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import structlog

from services.standalone.errors import CannotStart

LEASH = Path(__file__).with_name("leash.py")
POLL_SECONDS = 0.05

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 30.0
STEADY_AFTER_SECONDS = 60.0

Say: TypeAlias = Callable[[str], None]

log = structlog.get_logger()


def say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def ready_at_once() -> bool:
    return True


async def nothing_in_the_way() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Program:
    """One child to keep running.

    `environment` is all of its environment. `is_ready` is asked until it answers True; `clear_the_way` runs
    before each start. `output` is a file to append to; without it, the child writes where we write.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    is_ready: Callable[[], Awaitable[bool]] = ready_at_once
    clear_the_way: Callable[[], Awaitable[None]] = nothing_in_the_way
    ready_within_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    grace_seconds: float = 10.0
    output: Path | None = None
    identity: str = "same"
    niceness: int = 0


@dataclass(frozen=True, slots=True)
class Restart:
    crashes_in_a_row: int
    wait_seconds: float


def decide_restart(crashes_before: int, lived_seconds: float) -> Restart:
    """A crash after a steady life is the first of a row; each further one doubles the wait, up to 30 s."""
    crashes = 1 if lived_seconds >= STEADY_AFTER_SECONDS else crashes_before + 1
    doublings = min(crashes - 1, 16)
    return Restart(crashes, min(FIRST_WAIT_SECONDS * 2**doublings, LONGEST_WAIT_SECONDS))


@asynccontextmanager
async def supervise(
    *programs: Program, say: Say = say_on_stderr, hurry: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Keep all programs running for the length of the block; they start, and at its end stop, side by side.

    Leaving the block sends each its stop signal, and kills it once its grace is over or `hurry` is set.

    Raises:
        CannotStart: one ended, or was not ready in time, at its first start. None is left running then.
    """
    watches = [_Watch(program, say) for program in programs]
    try:
        async with _plain_task_group() as starts:
            for watch in watches:
                starts.create_task(watch.start())
        async with _plain_task_group() as group:
            keepers = [group.create_task(watch.keep()) for watch in watches]
            try:
                yield
            finally:
                for keeper in keepers:
                    keeper.cancel()
    finally:
        await asyncio.gather(*(watch.stop(hurry or asyncio.Event()) for watch in watches))


@asynccontextmanager
async def _plain_task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises what went wrong first as it is, so that callers can name it."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


class _Watch:
    """One program's process, whichever it is at the moment."""

    def __init__(self, program: Program, say: Say) -> None:
        self._program = program
        self._say = say
        self._process: Process | None = None

    async def start(self) -> Process:
        """Start the program and wait until it is ready; leave nothing behind if it never is."""
        program = self._program
        await program.clear_the_way()
        self._process = process = await _spawn(program)
        try:
            async with asyncio.timeout(program.ready_within_seconds):
                while not await program.is_ready():
                    if process.returncode is not None:
                        break
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await _kill(process)
            reason = f"{program.name} was not ready within {program.ready_within_seconds:.0f} s."
            raise CannotStart(reason + _last_words(program)) from None
        if process.returncode is not None:
            ending = _describe(process.returncode)
            raise CannotStart(f"{program.name} ended while starting ({ending}).{_last_words(program)}")
        return process

    async def keep(self) -> None:
        """Start the program again whenever it ends, for ever."""
        process, crashes = self._process, 0
        while process is not None:
            running_since = time.monotonic()
            ending = _describe(await process.wait())
            process = None
            while process is None:
                restart = decide_restart(crashes, time.monotonic() - running_since)
                crashes = restart.crashes_in_a_row
                self._tell_crash(ending, restart)
                await asyncio.sleep(restart.wait_seconds)
                running_since = time.monotonic()
                try:
                    process = await self.start()
                except (CannotStart, OSError) as error:
                    ending = str(error)
            log.info("child.restarted", child=self._program.name, pid=process.pid)
            self._say(f"{self._program.name} is running again.")

    def _tell_crash(self, ending: str, restart: Restart) -> None:
        name, wait = self._program.name, restart.wait_seconds
        log.error(
            "child.crashed", child=name, ending=ending, in_a_row=restart.crashes_in_a_row, wait_seconds=wait
        )
        self._say(f"{name} crashed ({ending}); starting it again in {wait:g} s.")

    async def stop(self, hurry: asyncio.Event) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(self._program.stop_signal)
        ended, hurried = asyncio.create_task(process.wait()), asyncio.create_task(hurry.wait())
        try:
            await asyncio.wait(
                (ended, hurried), timeout=self._program.grace_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            hurried.cancel()
            if process.returncode is None:
                _kill_session(process)
        if await ended == -signal.SIGKILL:
            log.warning("child.killed", child=self._program.name, grace_seconds=self._program.grace_seconds)
            self._say(f"{self._program.name} did not stop in time and was killed.")


async def _spawn(program: Program) -> Process:
    command = leashed(program.command, program.death_signal, program.identity)
    # The file is opened here because the program, once it is someone else, may not be allowed to.
    if program.output:
        program.output.touch(mode=0o600)
    with program.output.open("ab") if program.output else nullcontext() as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    if program.niceness:
        _let_others_first(process.pid, program.niceness)
    return process


def _let_others_first(pid: int, niceness: int) -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        # Where Linux shares the cores out among sessions first, what counts is the niceness of the session.
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))


def leashed(command: tuple[str, ...], death_signal: signal.Signals, identity: str) -> tuple[str, ...]:
    """The command line that runs `command` on a leash held by this process."""
    return (
        *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), death_signal.name, identity),
        *command,
    )


def _kill_session(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _kill(process: Process) -> None:
    _kill_session(process)
    await process.wait()


def _describe(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    with suppress(ValueError):  # a real-time signal has no name
        return f"killed by {signal.Signals(-returncode).name}"
    return f"killed by signal {-returncode}"


def _last_words(program: Program) -> str:
    if program.output is None:
        return " Its own messages are above."
    lines = program.output.read_text(errors="replace").splitlines()[-5:]
    return f" The end of {program.output}:\n" + "\n".join(lines)
