"""`driftwarden backup` and `driftwarden restore`: everything that is kept, in one file."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.failures import Refused
from services.cli.help import MANAGE, examples
from services.cli.numbers import many
from services.cli.render import tell

if TYPE_CHECKING:
    from shared.db.archive import Manifest

commands = typer.Typer()

Moved = Callable[[str, int], None]


@commands.command(
    rich_help_panel=MANAGE,
    epilog=examples(
        "backup driftwarden-2026-11-21.zip", "backup /backups/tonight.zip --data /srv/driftwarden"
    ),
)
def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; it must not be there yet.")
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The data folder of `up` [default: as `up` takes it].")
    ] = None,
) -> None:
    """Write everything that is kept into one file, while all goes on.

    It takes the database that DATABASE_URL names, else the data folder's own. Secrets are in it as they are
    stored, encrypted: keep DRIFTWARDEN_SECRET_KEY (standalone: the file `secret_key`) apart from it.
    """
    manifest = asyncio.run(_back_up(file, data))
    tables, rows = many(len(manifest.tables), "table"), many(manifest.rows, "row")
    tell(
        f"{file} holds {rows} of {tables} ({file.stat().st_size / 1e6:.1f} MB). The secret key is not in it."
    )


@commands.command(rich_help_panel=MANAGE, epilog=examples("restore driftwarden-2026-11-21.zip"))
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `backup` wrote.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The data folder of `up` [default: as `up` takes it].")
    ] = None,
) -> None:
    """Put a backup into an empty database and bring it up to date, wholly or not at all.

    Do it before `migrate` or `up` has run there, and give the services the same DRIFTWARDEN_SECRET_KEY.
    Open runs go on by themselves once workers and scheduler run.
    """
    manifest = asyncio.run(_restore(file, data))
    rows = many(manifest.rows, "row")
    tell(f"Restored {rows}, as they were at {manifest.made_at}. The database is up to date.")


async def _back_up(file: Path, data: Path | None) -> "Manifest":
    from services.cli.databases import connect_to_database
    from services.cli.processes import read_settings
    from shared.db.archive import ArchiveProblem, estimate_size, write_archive

    settings = read_settings("backup", data=data)
    try:
        async with connect_to_database(settings, must_exist=True) as connection:
            with _show_progress("Backing up", await estimate_size(connection)) as moved:
                return await write_archive(connection, file, moved)
    except ArchiveProblem as error:
        raise Refused(str(error)) from error


async def _restore(file: Path, data: Path | None) -> "Manifest":
    from services.cli.databases import connect_to_database
    from services.cli.processes import read_settings
    from shared.db.archive import ArchiveProblem, read_manifest, restore_archive

    settings = read_settings("restore", data=data)
    try:
        manifest = await read_manifest(file)
        async with connect_to_database(settings) as connection:
            with _show_progress("Restoring", manifest.size) as moved:
                return await restore_archive(connection, file, moved)
    except ArchiveProblem as error:
        raise Refused(str(error)) from error


@contextmanager
def _show_progress(what: str, total_bytes: int) -> Iterator[Moved]:
    """A bar if someone looks at stderr; `total_bytes` may be an estimate."""
    if not sys.stderr.isatty():
        yield lambda table, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total_bytes)
        yield lambda table, size: bar.update(task, advance=size, description=f"{what} {table}")
