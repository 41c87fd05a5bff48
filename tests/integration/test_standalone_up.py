"""`driftwarden up`: one command starts everything, and nothing of it is left when it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from services.standalone.survivors import find_survivors
from tests.integration.fleet import ROOT, until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Up:
    """A running `driftwarden up` and what it said so far."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, terminal: Path) -> None:
        self.process = process
        self.folder = folder
        self._terminal = terminal

    @property
    def said(self) -> str:
        return self._terminal.read_text()

    @property
    def url(self) -> str:
        return str(json.loads((self.folder / "client.json").read_text())["url"])

    @property
    def api_key(self) -> str:
        return str(json.loads((self.folder / "client.json").read_text())["api_key"])

    async def has_said(self, text: str) -> None:
        async def is_there() -> bool:
            return text in self.said or self.process.returncode is not None

        await until(is_there, within_seconds=60)
        assert text in self.said, self.said

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return await self.process.wait()

    def children(self) -> dict[str, int]:
        """The services it started, by name, with their process ids."""
        found = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == self.process.pid:
                command = (status.parent / "cmdline").read_text().rstrip("\0").split("\0")
                found[command[-1] if "services.cli" in command else Path(command[0]).name] = int(
                    status.parent.name
                )
        return found


@asynccontextmanager
async def start(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[Up]:
    with tempfile.NamedTemporaryFile(suffix=".terminal", dir=folder.parent, delete=False) as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "up", "--data", str(folder), *arguments),
            env=clean(os.environ) | environment,
            cwd=folder.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Up(process, folder, Path(output.name))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of ours, and with the code under test first."""
    ours = ("DRIFTWARDEN_", "DATABASE_URL", "REDIS_URL")
    return {k: v for k, v in environment.items() if not k.startswith(ours)} | {"PYTHONPATH": str(ROOT)}


def leftovers(folder: Path) -> list[int]:
    return find_survivors("postgres", folder / "postgres") + find_survivors(
        "valkey-server", folder / "valkey"
    )


def is_running(pid: int) -> bool:
    """Whether the process still has a program; one that has ended but was not collected yet has none."""
    return os.path.exists(f"/proc/{pid}/exe")


async def are_gone(pids: Iterable[int]) -> bool:
    return not any(map(is_running, pids))


async def ask(url: str, path: str = "/readyz") -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(url + path)).status_code


@pytest.mark.slow
async def test_two_instances_run_side_by_side_and_stop_without_a_trace(tmp_path: Path) -> None:
    async with start(tmp_path / "one") as one, start(tmp_path / "other one") as other:
        await one.has_said("Driftwarden is up")
        await other.has_said("Driftwarden is up")
        assert one.url != other.url
        assert await ask(one.url) == await ask(other.url) == 200

        async with start(tmp_path / "one") as second:
            assert await second.process.wait() == 2
            assert f"already runs on {tmp_path / 'one'} (pid {one.process.pid}, {one.url})" in second.said

        assert await one.stop() == 0
        assert await ask(other.url) == 200
        assert await other.stop() == 0
    assert not leftovers(tmp_path / "one") + leftovers(tmp_path / "other one")


@linux_only
async def test_a_killed_service_comes_back_and_a_killed_up_leaves_nothing(tmp_path: Path) -> None:
    async with start(tmp_path / "data", "--port", "0") as up:
        await up.has_said("Driftwarden is up")
        url, api_key = up.url, up.api_key

        async def everyone_is_there() -> bool:
            return set(up.children()) == {"postgres", "valkey-server", "api", "scheduler", "worker"}

        await until(everyone_is_there)
        children = up.children()
        for name, said_as in {"worker": "worker-1", "postgres": "PostgreSQL", "api": "api"}.items():
            os.kill(children[name], signal.SIGKILL)
            await up.has_said(f"{said_as} crashed (killed by SIGKILL)")
            await up.has_said(f"{said_as} is running again.")
        assert await ask(url) == 200

        last = up.children()
        up.process.kill()
        await up.process.wait()

    await until(lambda: are_gone(last.values()))
    async with start(tmp_path / "data", "--port", "0") as again:
        await again.has_said("Driftwarden is up")
        assert again.api_key == api_key
        assert await again.stop() == 0
    assert f"The key of scope admin, shown only now: {api_key}" in up.said
    assert api_key not in again.said


async def test_databases_named_in_the_environment_are_used_instead(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    named = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    async with start(tmp_path / "data", "--port", "0", **named) as up:
        await up.has_said("Driftwarden is up")
        assert await ask(up.url) == 200
        assert await up.stop() == 0
    kept = set(os.listdir(tmp_path / "data"))
    assert not kept & {"postgres", "valkey", "sockets"}


async def test_a_named_database_that_is_not_there_is_reported(tmp_path: Path) -> None:
    nowhere = f"postgresql://postgres@/driftwarden?host={tmp_path}"
    async with start(tmp_path / "data", "--port", "0", DATABASE_URL=nowhere) as up:
        assert await up.process.wait() == 2
    assert "The database that DATABASE_URL names can't be opened" in up.said


async def test_ctrl_c_while_starting_stops_what_was_started(tmp_path: Path) -> None:
    async with start(tmp_path / "data", "--port", "0") as up:
        await up.has_said("Starting Driftwarden")
        assert await up.stop() == 0
    assert "is up" not in up.said
    assert not leftovers(tmp_path / "data")


STUBBORN_UP = """
    import asyncio, pathlib, sys
    from services.standalone.supervisor import supervise
    from services.standalone.up import run_until_signalled
    from tests.integration.test_standalone_supervisor import STUBBORN, Child

    async def serve(hurry):
        child = Child(pathlib.Path(sys.argv[1]), STUBBORN, grace_seconds=600)
        async with supervise(child.program, hurry=hurry):
            print("ready", flush=True)
            await asyncio.Event().wait()

    asyncio.run(run_until_signalled(serve, lambda line: print(line, flush=True)))
"""


async def test_a_second_ctrl_c_does_not_wait_for_a_child_that_will_not_stop(tmp_path: Path) -> None:
    up = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(STUBBORN_UP), str(tmp_path)),
        env=clean(os.environ),
        stdout=subprocess.PIPE,
    )
    assert up.stdout is not None
    assert await up.stdout.readline() == b"ready\n"
    up.send_signal(signal.SIGINT)
    assert (await up.stdout.readline()).startswith(b"Stopping.")

    async def was_asked() -> bool:
        return (tmp_path / "stopped_by").exists()

    await until(was_asked)
    up.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        assert await up.wait() == 0
