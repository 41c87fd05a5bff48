"""One standalone instance: its data folder, held by one process at a time, and the port it answers on.

Everything in the folder is users' results or the way to them: nothing here ever deletes any of it.
"""

import fcntl
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from services.standalone.errors import CannotStart

FORMAT = 1
# What may lie in a folder that is to become a data folder; the last two, if another `up` is at it as well.
EXPECTED_BEFORE = {"models.yaml", "lost+found", ".gitignore", "lock"}
PORTS_TO_TRY = 20


@dataclass(frozen=True, slots=True)
class Client:
    """How a command on this machine reaches the instance: `client.json`."""

    url: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A data folder that this process holds."""

    folder: Path

    def publish_address(self, url: str) -> None:
        """Let a second `up` on this folder tell where the first one answers."""
        _write_privately(self.folder / "lock", json.dumps({"pid": os.getpid(), "url": url}), in_place=True)

    def read_client(self) -> Client | None:
        """The address and key of the last `up`, if there was one."""
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            stored = json.loads((self.folder / "client.json").read_text())
            return Client(stored["url"], stored["api_key"])
        return None

    def keep_secret_key(self) -> str:
        """What stored secrets are encrypted with: made once, and needed as long as they are."""
        path = self.folder / "secret_key"
        if not path.exists():
            _write_privately(path, secrets.token_urlsafe(48) + "\n")
        return path.read_text().strip()

    def write_client(self, client: Client) -> None:
        content = json.dumps({"url": client.url, "api_key": client.api_key}, indent=2)
        _write_privately(self.folder / "client.json", content + "\n")


@contextmanager
def hold_folder(folder: Path) -> Iterator[Instance]:
    """Make `folder` a data folder if it is new, and hold it alone for the length of the block.

    Raises:
        CannotStart: another process holds it, or it is something else, or newer than this program.
    """
    folder = folder.expanduser().absolute()
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder = folder.resolve()
        _refuse_foreign(folder)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(
            f"{folder} cannot be used as data folder: {error.strerror}. Choose another with --data."
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(_name_holder(folder)) from None
        os.ftruncate(lock, 0)
        os.write(lock, json.dumps({"pid": os.getpid()}).encode())
        _mark(folder)
        yield Instance(folder)
    finally:
        os.close(lock)


def _refuse_foreign(folder: Path) -> None:
    marker = folder / "format"
    if not marker.exists():
        strangers = {entry.name for entry in folder.iterdir()} - EXPECTED_BEFORE
        if strangers and not marker.exists():
            raise CannotStart(
                f"{folder} holds other things ({', '.join(sorted(strangers)[:3])}) and is no data folder of "
                "Driftwarden. Choose a new or empty folder with --data."
            )
    elif (found := marker.read_text().strip()) != str(FORMAT):
        raise CannotStart(
            f"{folder} has format {found!r}, and this Driftwarden knows format {FORMAT}. "
            "Use the Driftwarden that wrote it, or choose another folder with --data."
        )


def _mark(folder: Path) -> None:
    # Results and keys do not belong into a repository that the folder happens to lie in.
    (folder / ".gitignore").write_text("*\n")
    _write_privately(folder / "format", f"{FORMAT}\n")


def _name_holder(folder: Path) -> str:
    holder: dict[str, object] = {}
    with suppress(ValueError):
        holder = json.loads((folder / "lock").read_text())
    where = f", {holder['url']}" if "url" in holder else ""
    return (
        f"Driftwarden already runs on {folder} (pid {holder.get('pid', 'unknown')}{where}). "
        "Stop it first, or choose another folder with --data."
    )


@contextmanager
def reserve_port(host: str, preferred: int, *, required: bool) -> Iterator[int]:
    """Yield a port that is free now, and that no other instance takes for the length of the block.

    A child binds it only seconds later. Until then, on Linux, a name stands for it in the abstract socket
    namespace, which goes when the process does. Unless it is `required`, the
    ports after `preferred` do as well; 0 is any port.

    Raises:
        CannotStart: the port is taken.
    """
    first = preferred or _listen_once(host, 0)
    for port in range(first, first + (1 if required else PORTS_TO_TRY)):
        with socket.socket(socket.AF_UNIX) as reservation:
            try:
                if sys.platform == "linux":
                    reservation.bind(f"\0driftwarden-port-{port}")
                _listen_once(host, port)
            except (OSError, OverflowError):
                continue
            yield port
            return
    if required:
        raise CannotStart(
            f"Port {preferred} on {host} is taken. "
            "Choose another with --port, or leave the choice to Driftwarden."
        )
    raise CannotStart(f"No port from {preferred} on is free on {host}. Choose one with --port.")


def _listen_once(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        return int(listener.getsockname()[1])


def _write_privately(path: Path, content: str, *, in_place: bool = False) -> None:
    target = path if in_place else path.with_name(path.name + ".new")
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    if not in_place:
        target.replace(path)
