"""Database servers that an earlier, killed `up` may have left behind on a folder.

A pid file can't be believed: its process may be gone, and the number given to somebody else. The running
processes are asked instead: PostgreSQL, with its backends, and Valkey both work inside their data folder.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PATIENCE_SECONDS = 30.0


def find_survivors(program: str, folder: Path) -> list[int]:
    """Process ids of every running `program` (the executable's file name) whose data folder is `folder`."""
    if sys.platform == "linux":
        return list(_by_working_folder(program, folder))
    return list(_by_command_line(program, folder))


def _by_working_folder(program: str, folder: Path) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        # Processes of others can't be read, and any may end at any moment.
        with suppress(OSError):
            executable = Path(os.readlink(process / "exe")).name.removesuffix(" (deleted)")
            if executable == program and os.path.samefile(process / "cwd", folder):
                yield int(process.name)


def _by_command_line(program: str, folder: Path) -> Iterator[int]:
    listing = subprocess.run(["ps", "-axo", "pid=,command="], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        process_id, _, command = line.strip().partition(" ")
        if f"{program} " in command and str(folder) in command:
            yield int(process_id)


async def stop_survivors(program: str, folder: Path, stop_signal: signal.Signals) -> None:
    """End every survivor, cleanly if it lets us: they hold files that a new server is about to open."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    wanted = stop_signal
    signalled: set[int] = set()
    while survivors := find_survivors(program, folder):
        if wanted != signal.SIGKILL and time.monotonic() > gives_up_at:
            wanted, signalled = signal.SIGKILL, set()
        for process_id in survivors:
            if process_id not in signalled:
                with suppress(ProcessLookupError):
                    os.kill(process_id, wanted)
        signalled.update(survivors)
        await asyncio.sleep(0.05)
