"""A process that has imported the commands, and splits off a copy of itself for each one that is typed.

A command is still a process with a folder, an environment, outputs and an exit code of its own, but it needs
no time to import anything: most commands do less than that takes.
"""

import asyncio
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORTED_BY_COMMANDS = (
    "asyncpg",
    "dotenv",
    "rich.progress",
    "services.api.schemas.keys",
    "shared.domain.telling.wording",
    "shared.settings",
    "yaml",
)


async def type_command(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    """Run a command to its end: its exit code and what it wrote. It is killed when its end is not awaited."""
    loop = asyncio.get_running_loop()
    order = json.dumps([list(arguments), str(folder), dict(environment)]).encode()
    with (
        socket.socket(socket.AF_UNIX) as typist,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        typist.connect(_hire_typist())
        socket.send_fds(typist, [len(order).to_bytes(4)], [out.fileno(), err.fileno()])
        typist.sendall(order)
        typist.setblocking(False)
        pid = int.from_bytes(await loop.sock_recv(typist, 4))
        try:
            code = int.from_bytes(await loop.sock_recv(typist, 4), signed=True)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


@cache
def _hire_typist() -> str:
    """The address of this process's typist, who leaves when this process does."""
    folder = tempfile.TemporaryDirectory(prefix="driftwarden-typist-")
    _KEPT.append(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder.name}/socket")
        listening.listen()
        typist = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.typist", str(listening.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listening.fileno()],
        )
    _KEPT.append(typist)
    return f"{folder.name}/socket"


_KEPT: list[object] = []


def await_command(listening: socket.socket) -> list[str]:
    """Return the arguments of a command, in the process that is to run it; the others never return."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies that wait for the commands
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:  # whoever hired the typist has gone
            sys.exit()
        customer, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            return _begin_command(customer)
        customer.close()


def _begin_command(customer: socket.socket) -> list[str]:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, outputs, _, _ = socket.recv_fds(customer, 4, 2)
    with customer.makefile("rb") as orders:
        arguments, folder, environment = json.loads(orders.read(int.from_bytes(length)))
    pid = os.fork()
    if pid:
        customer.sendall(pid.to_bytes(4))
        _, status = os.waitpid(pid, 0)
        customer.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))
        os._exit(0)
    customer.close()
    for at, source in enumerate((os.open(os.devnull, os.O_RDONLY), *outputs)):
        os.dup2(source, at)
        os.close(source)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[1:] = arguments
    return list(arguments)


def import_commands() -> None:
    from services import cli

    names = [found.name for found in pkgutil.walk_packages(cli.__path__, "services.cli.")]
    for name in (*names, *IMPORTED_BY_COMMANDS):
        if not name.endswith("__main__"):
            import_module(name)
    gc.collect()
    gc.freeze()  # the copies share these objects as long as nobody counts them


if __name__ == "__main__":
    import_commands()
    command = await_command(socket.socket(fileno=int(sys.argv[1])))
    from services.cli.main import main

    main(command)
