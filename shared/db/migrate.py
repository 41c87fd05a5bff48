"""Forward-only migrations: each file once, in order, in its own transaction, under one lock."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import asyncpg

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
LOCK = 0x6472_6966_7477  # "driftw"


class ChangedMigration(RuntimeError):
    """Migration {name} was changed after it ran here. Restore the file and put the change into a new one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Migration {name} was changed after it ran here. "
            "Restore the file and put the change into a new one."
        )


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    return [Migration(path.stem, path.read_text()) for path in sorted(folder.glob("[0-9]*.sql"))]


async def migrate(database_url: str, folder: Path = FOLDER) -> list[str]:
    """Bring the database up to date; return the names of the migrations that ran now.

    Any number of callers may do this at once: the others wait for the first.

    Raises:
        ChangedMigration: a file differs from what ran before. Nothing is changed then.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await prepare_ledger(connection)
        rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
        applied = {row["name"]: row["checksum"] for row in rows}
        migrations = read_migrations(folder)
        for migration in migrations:
            if applied.get(migration.name, migration.checksum) != migration.checksum:
                raise ChangedMigration(migration.name)
        waiting = [migration for migration in migrations if migration.name not in applied]
        for migration in waiting:
            async with connection.transaction():
                await apply_migration(connection, migration)
        return [migration.name for migration in waiting]
    finally:
        await connection.close()


async def prepare_ledger(connection: asyncpg.Connection) -> None:
    """Have the table that tells which migrations ran."""
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        " name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )


async def apply_migration(connection: asyncpg.Connection, migration: Migration) -> None:
    """Run one migration and note that it ran; the caller holds the transaction."""
    await connection.execute(migration.sql)
    await connection.execute(
        "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
    )
