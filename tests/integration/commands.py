"""Commands typed as a person or a script types them: real processes that speak to a real server."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.serving import Api
from tests.integration.typist import type_command

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
FOR_PYTHON = ("PYTHON", "LC_", "LANG")  # what Python reads when it starts, and a typist's copy never would


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the first table that was printed, without its head."""
        return [line.split() for line in self.out.split("\n\n")[0].splitlines()[1:]]


@dataclass(frozen=True, slots=True)
class Terminal:
    """A folder to type commands in, with a server and a key in the environment."""

    folder: Path
    environment: dict[str, str]

    async def __call__(self, *arguments: str, **environment: str) -> Done:
        """Run a command to its end."""
        async with asyncio.timeout(SECONDS):
            if any(name.startswith(FOR_PYTHON) for name in environment):
                process = await self.start(*arguments, **environment)
                out, err = await process.communicate()
                assert process.returncode is not None
                return Done(process.returncode, out.decode(), err.decode())
            code, out, err = await type_command(arguments, self.folder, {**self.environment, **environment})
        return Done(code, out.decode(), err.decode())

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """Start a command with a Python of its own."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli", *arguments,
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    def write(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path


def open_terminal(api: Api, folder: Path, url: str | None = None) -> Terminal:
    """A terminal whose commands find `api`, by its own address unless another is given."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DRIFTWARDEN_") and name not in ("COLUMNS", "DATABASE_URL", "REDIS_URL")
    }
    folder.mkdir(exist_ok=True)
    key = api.client.headers["Authorization"].removeprefix("Bearer ")
    environment = {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "DRIFTWARDEN_URL": url or str(api.client.base_url),
        "DRIFTWARDEN_API_KEY": key,
    }
    return Terminal(folder, environment)


class BadRoad:
    """A way to a server on which connections break."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.answers_to_lose = 0
        self.is_blocked = False
        self.travellers = 0

    async def travel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.travellers += 1
        if self.is_blocked:
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._open.add(writer)
        with suppress(OSError):
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._carry(reader, back))
                ways.create_task(self._carry(there, writer, answers=True))
        self._open.discard(writer)

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while data := await source.read(1 << 16):
            if answers and self.answers_to_lose:
                self.answers_to_lose -= 1
                break
            target.write(data)
            await target.drain()
        target.close()

    def cut(self) -> None:
        """Break every connection that is open now."""
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def bad_road_to(api: Api) -> AsyncIterator[tuple[BadRoad, str]]:
    """A road to the API, and the address at its other end."""
    assert api.client.base_url.port is not None
    road = BadRoad(api.client.base_url.port)
    server = await asyncio.start_server(road.travel, "127.0.0.1", 0)
    async with server:
        yield road, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
