"""PostgreSQL and Valkey as `driftwarden up` starts them, but to be killed: they write to disk as it does."""

from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.standalone import postgres
from services.standalone.cluster import Cluster, clean_environment, prepare_cluster
from services.standalone.sockets import private_socket_folder
from services.standalone.survivors import find_survivors
from services.standalone.valkey import find_binary
from shared.db.migrate import migrate
from tests.chaos.processes import Child, running, until

READY_SECONDS = 60.0


async def start_postgres(stack: AsyncExitStack, home: Path, logs: Path) -> tuple[Child, Path, str]:
    cluster: Cluster = await prepare_cluster(home)
    sockets = stack.enter_context(private_socket_folder(logs))
    cluster.hand_over(sockets)
    admin_url = f"postgresql://postgres@/postgres?host={sockets}&port={postgres.SOCKET_PORT}"
    listen = {"unix_socket_directories": str(sockets), "listen_addresses": ""}
    everything = {**postgres.SETTINGS, **postgres.LINUX_SETTINGS, **listen}
    options = (part for name, value in everything.items() for part in ("-c", f"{name}={value}"))

    async def is_ready(_: int) -> bool:
        try:
            connection = await asyncpg.connect(admin_url, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True

    child = Child(
        "postgres",
        (str(cluster.binaries / "postgres"), "-D", str(cluster.folder), *options),
        clean_environment(),
        logs,
        is_ready,
        identity=cluster.identity,
        all_pids=lambda: find_survivors("postgres", cluster.folder),
    )
    await stack.enter_async_context(running(child))
    await until(child.is_ready, within_seconds=READY_SECONDS)
    socket = sockets / f".s.PGSQL.{postgres.SOCKET_PORT}"
    return child, socket, admin_url.replace("@/postgres?", f"@/{postgres.DATABASE}?")


async def create_database(database_url: str) -> None:
    connection = await asyncpg.connect(database_url.replace(f"@/{postgres.DATABASE}?", "@/postgres?"))
    await connection.execute(f"CREATE DATABASE {postgres.DATABASE}")
    await connection.close()
    await migrate(database_url)


async def start_valkey(stack: AsyncExitStack, home: Path, logs: Path) -> tuple[Child, Path, str]:
    socket = logs / "valkey.sock"
    url = f"unix://{socket}?db=0"
    command = (
        *(str(find_binary()), "--port", "0", "--unixsocket", str(socket), "--dir", str(home)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--set-proc-title", "no"),
    )

    async def is_ready(_: int) -> bool:
        client = Redis.from_url(url, socket_timeout=5)
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    child = Child("valkey", command, clean_environment(), logs, is_ready)
    await stack.enter_async_context(running(child))
    await until(child.is_ready, within_seconds=READY_SECONDS)
    return child, socket, url
