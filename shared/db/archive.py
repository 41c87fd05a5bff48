"""Everything that the database holds, in one file: from one moment's view, restored whole or not at all.

The file is a zip: `manifest.json`, and each table's rows as PostgreSQL's COPY writes them. Indexes, views and
constraints are not in it: the migrations that had run make them anew before the rows go in.
"""

import asyncio
import hashlib
import json
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from shared.db.migrate import LOCK, apply_migration, prepare_ledger, read_migrations

FORMAT = 1
CHUNK_BYTES = 1 << 18
MANIFEST = "manifest.json"

Say = Callable[[str, int], None]  # a table's name, and how many bytes of it were moved just now


class ArchiveProblem(Exception):
    """The archive can't be written or restored: {why, and what to do}."""


@dataclass(frozen=True, slots=True)
class Table:
    """What the archive holds of a table; `sha256` is of its rows as they were copied, `size` their bytes."""

    name: str
    columns: Sequence[str]
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`migrations` are those that had run, name and checksum; `sequences` the last number each gave out."""

    format: int
    made_at: str
    made_by: str
    migrations: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    sequences: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def size(self) -> int:
        return sum(table.size for table in self.tables)

    def to_json(self) -> bytes:
        tables = [{name: getattr(table, name) for name in Table.__slots__} for table in self.tables]
        fields = {name: getattr(self, name) for name in Manifest.__slots__} | {"tables": tables}
        return json.dumps(fields, indent=1).encode()

    @classmethod
    def of_json(cls, text: bytes) -> "Manifest":
        fields = json.loads(text)
        tables = [Table(**each) for each in fields.pop("tables")]
        return cls(**{**fields, "tables": tables, "migrations": [tuple(m) for m in fields["migrations"]]})


async def estimate_size(connection: asyncpg.Connection) -> int:
    """How many bytes the tables take, roughly."""
    return int(
        await connection.fetchval(
            "SELECT coalesce(sum(pg_table_size(oid)), 0) FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
    )


async def write_archive(connection: asyncpg.Connection, path: Path, say: Say) -> Manifest:
    """Write what the database holds at this moment; others go on working meanwhile.

    Raises:
        ArchiveProblem: the file is there already, or can't be written; no part of it is left then.
    """
    if path.exists():
        raise ArchiveProblem(f"{path} is there already. Choose another name; nothing is overwritten.")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: ASYNC230  # nobody else waits in this process
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    manifest = await _copy_out(connection, archive, say)
                archive.writestr(MANIFEST, manifest.to_json())
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)  # unlike a rename, this never replaces a file that came meanwhile
    except FileExistsError as error:
        raise ArchiveProblem(f"{path} is there already. Choose another name.") from error
    except OSError as error:
        raise ArchiveProblem(
            f"{path} can't be written: {error.strerror or error}. No part of it is left."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


async def read_manifest(path: Path) -> Manifest:
    """What an archive says of itself.

    Raises:
        ArchiveProblem: it is no archive, or damaged, or newer than this program.
    """
    with _open_archive(path) as (_, manifest):
        return manifest


async def restore_archive(connection: asyncpg.Connection, path: Path, say: Say) -> Manifest:
    """Put an archive's rows into an empty database and bring that up to date, in one transaction.

    Raises:
        ArchiveProblem: it is no archive, damaged or newer, or the database is not empty. Nothing is changed.
    """
    with _open_archive(path) as (archive, manifest):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await _refuse_full(connection)
            known = read_migrations()
            ran = [each for each in known if each.name in dict(manifest.migrations)]
            await prepare_ledger(connection)
            for migration in ran:
                await connection.execute(migration.sql)
            for table in manifest.tables:
                await _copy_in(connection, archive, table, say)
            for sequence, last in manifest.sequences.items():
                await connection.execute("SELECT setval($1::text::regclass, $2)", sequence, last)
            for migration in known:
                if migration not in ran:
                    await apply_migration(connection, migration)
        await connection.execute("ANALYZE")
    return manifest


async def _copy_out(connection: asyncpg.Connection, archive: zipfile.ZipFile, say: Say) -> Manifest:
    if not await connection.fetchval("SELECT to_regclass('public.schema_migrations') IS NOT NULL"):
        raise ArchiveProblem("The database holds nothing of Driftwarden: no migration has run in it.")
    tables = [
        await _copy_table(connection, archive, name, columns, say)
        for name, columns in await _list_tables(connection)
    ]
    ran = await connection.fetch("SELECT name, checksum FROM schema_migrations ORDER BY name")
    sequences = await connection.fetch(
        "SELECT quote_ident(sequencename) AS name, last_value FROM pg_sequences"
        " WHERE schemaname = 'public' AND last_value IS NOT NULL ORDER BY 1"
    )
    return Manifest(
        format=FORMAT,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        made_by=version("driftwarden"),
        migrations=[(row["name"], row["checksum"]) for row in ran],
        tables=tables,
        sequences={row["name"]: row["last_value"] for row in sequences},
    )


async def _list_tables(connection: asyncpg.Connection) -> list[tuple[str, list[str]]]:
    """All tables with their columns, in an order in which none refers to a later one."""
    rows = await connection.fetch(
        """
        SELECT c.relname AS name,
               (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
               ) AS columns,
               (SELECT coalesce(array_agg(DISTINCT f.relname::text), '{}') FROM pg_constraint k
                JOIN pg_class f ON f.oid = k.confrelid
                WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid) AS refers_to
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY c.relname
        """
    )
    waiting = {row["name"]: row for row in rows}
    ordered: list[tuple[str, list[str]]] = []
    while waiting:
        free = [name for name, row in waiting.items() if not waiting.keys() & set(row["refers_to"])]
        if not free:
            raise ArchiveProblem(f"These tables refer to each other in a circle: {', '.join(waiting)}.")
        ordered += [(name, waiting.pop(name)["columns"]) for name in free]
    return ordered


async def _copy_table(
    connection: asyncpg.Connection, archive: zipfile.ZipFile, name: str, columns: list[str], say: Say
) -> Table:
    digest, size = hashlib.sha256(), 0
    with archive.open(_entry(name), "w", force_zip64=True) as entry:

        async def take(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            digest.update(chunk)
            entry.write(chunk)
            say(name, len(chunk))

        status = await connection.copy_from_table(name, columns=columns, output=take)
    return Table(name, columns, int(status.split()[1]), size, digest.hexdigest())


async def _copy_in(connection: asyncpg.Connection, archive: zipfile.ZipFile, table: Table, say: Say) -> None:
    digest = hashlib.sha256()

    async def chunks() -> AsyncIterator[bytes]:
        with archive.open(_entry(table.name)) as entry:
            while chunk := entry.read(CHUNK_BYTES):
                digest.update(chunk)
                say(table.name, len(chunk))
                yield chunk
                await asyncio.sleep(0)

    try:
        status = await connection.copy_to_table(table.name, columns=table.columns, source=chunks())
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError, asyncpg.DataError, OSError) as error:
        raise _damaged(table, str(error)) from error
    except asyncpg.PostgresError as error:
        raise _damaged(table, f"PostgreSQL refuses its rows: {error}") from error
    if digest.hexdigest() != table.sha256:
        raise _damaged(table, "its checksum is another")
    if (rows := int(status.split()[1])) != table.rows:
        raise _damaged(table, f"it has {rows} rows and should have {table.rows}")


def _damaged(table: Table, how: str) -> ArchiveProblem:
    return ArchiveProblem(
        f"The archive is damaged in the table {table.name}: {how}."
        " Nothing was restored. Take another archive."
    )


async def _refuse_full(connection: asyncpg.Connection) -> None:
    there = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'v', 'p') ORDER BY relname LIMIT 3"
    )
    if there:
        some = ", ".join(row["relname"] for row in there)
        raise ArchiveProblem(
            f"The database is not empty: it has the tables {some}. Restore into a new one, before `migrate`"
            " or `up` has run in it. Nothing was changed."
        )


@contextmanager
def _open_archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _read_manifest(path, archive)
            yield archive, manifest
    except FileNotFoundError as error:
        raise ArchiveProblem(f"{path}: there is no such file.") from error
    except zipfile.BadZipFile as error:
        raise ArchiveProblem(f"{path} is no archive of Driftwarden, or a part of one: {error}.") from error


def _read_manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        text = archive.read(MANIFEST)
        found = json.loads(text)["format"]
        if found != FORMAT:
            raise ArchiveProblem(
                f"{path} has format {found}, and this Driftwarden reads {FORMAT}. Use a newer one."
            )
        manifest = Manifest.of_json(text)
    except (KeyError, ValueError, TypeError) as error:
        raise ArchiveProblem(f"{path} is no archive of Driftwarden: its {MANIFEST} can't be read.") from error
    known = {migration.name: migration.checksum for migration in read_migrations()}
    for name, checksum in manifest.migrations:
        if name not in known:
            raise ArchiveProblem(
                f"{path} was made by a newer Driftwarden ({manifest.made_by}): {name} is not known here."
                " Restore it with that version or a later one."
            )
        if known[name] != checksum:
            raise ArchiveProblem(f"{path} was made with another migration {name} than the one here.")
    return manifest


def _entry(table: str) -> str:
    return f"tables/{table}.copy"
