"""The database that an operator's command speaks to: what DATABASE_URL names, else the data folder's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.failures import Refused, Unreachable

if TYPE_CHECKING:
    import asyncpg

    from shared.settings import Settings


@asynccontextmanager
async def connect_to_database(
    settings: "Settings", *, must_exist: bool = False
) -> AsyncIterator["asyncpg.Connection"]:
    """A connection of its own. The server of a data folder that nobody runs is started for so long.

    Without `must_exist`, a new data folder is made where there is none.

    Raises:
        Unreachable: no database is there.
    """
    import asyncpg

    async with _find_database(settings, must_exist) as url:
        try:
            connection = await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError) as error:
            raise Unreachable(f"The database can't be opened: {error}") from error
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def _find_database(settings: "Settings", must_exist: bool) -> AsyncIterator[str]:
    from services.standalone import postgres
    from services.standalone.errors import CannotStart
    from services.standalone.instance import hold_folder

    if "database_url" in settings.model_fields_set:
        yield settings.database_url.get_secret_value()
        return
    folder = settings.data.expanduser().absolute()
    if url := _running_server(folder):
        yield url
        return
    if must_exist and not (folder / "postgres").exists():
        raise Refused(f"DATABASE_URL is not set, and {folder} is no data folder. Name one with --data.")
    try:
        with hold_folder(folder) as instance:
            async with postgres.launch(instance.folder) as url:
                yield url
    except CannotStart as error:
        raise Refused(str(error)) from error


def _running_server(folder: Path) -> str | None:
    """The address of the server that `up` runs on this folder, as PostgreSQL itself wrote it down."""
    from services.standalone.postgres import DATABASE

    try:
        pid, _, _, port, sockets, *_ = (folder / "postgres/postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, ValueError):
        return None
    socket = Path(sockets) / f".s.PGSQL.{port}"
    is_alive = Path(f"/proc/{pid}").exists() or not Path("/proc").exists()
    if not (is_alive and socket.exists()):
        return None
    return f"postgresql://postgres@/{DATABASE}?host={sockets}&port={port}"
