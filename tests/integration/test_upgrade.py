"""Upgrading: from every version that ever was, with rows in place; and old workers beside the new schema."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.db.migrate import apply_migration, migrate, prepare_ledger, read_migrations
from tests.databases import in_database
from tests.integration.upgrading import OLD_FIND, OLD_PLAN, OLD_RECORD, ROWS

MIGRATIONS = read_migrations()
BEFORE = [migration.name for migration in MIGRATIONS[:-1]]
RUNNING = UUID("00000000-0000-0000-0000-000000000002")

Rows = Mapping[str, list[dict[str, Any]]]


@asynccontextmanager
async def database_at(postgres_url: str, version: str) -> AsyncIterator[str]:
    """A database as an installation of that version has it, with rows of all that it knew."""
    name = f"upgrade_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        connection = await asyncpg.connect(in_database(postgres_url, name))
        await prepare_ledger(connection)
        for migration in MIGRATIONS:
            if migration.name <= version:
                async with connection.transaction():
                    await apply_migration(connection, migration)
                await connection.execute(ROWS.get(migration.name, "SELECT"))
        await connection.close()
        yield in_database(postgres_url, name)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def columns(connection: asyncpg.Connection) -> dict[tuple[str, str], Mapping[str, Any]]:
    rows = await connection.fetch(
        "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity"
        " FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'schema_migrations'"
    )
    return {(row["table_name"], row["column_name"]): dict(row) for row in rows}


async def read_rows(connection: asyncpg.Connection, known: Mapping[tuple[str, str], Any]) -> Rows:
    """Everything that these columns hold."""
    rows = {}
    for table in {table for table, _ in known}:
        names = sorted(column for of, column in known if of == table)
        listed = ", ".join(f'"{name}"' for name in names)
        found = await connection.fetch(f'SELECT {listed} FROM "{table}" t ORDER BY t::text')
        rows[table] = sorted((dict(row) for row in found), key=repr)
    return rows


def test_every_version_has_rows_to_try() -> None:
    assert set(ROWS) <= {migration.name for migration in MIGRATIONS}


@pytest.mark.parametrize("version", BEFORE)
async def test_an_upgrade_keeps_every_row_and_all_views_answer(postgres_url: str, version: str) -> None:
    async with database_at(postgres_url, version) as url:
        connection = await asyncpg.connect(url)
        known = await columns(connection)
        before = await read_rows(connection, known)
        assert before["runs"]
        applied = await migrate(url)
        assert applied == [migration.name for migration in MIGRATIONS if migration.name > version]
        await connection.close()
        connection = await asyncpg.connect(url)
        assert await read_rows(connection, known) == before
        for row in await connection.fetch("SELECT viewname FROM pg_views WHERE schemaname = 'public'"):
            await connection.fetch(f"SELECT * FROM {row['viewname']}")
        assert await connection.fetchval("SELECT count(*) FROM results") == 4
        assert await connection.fetchval("SELECT accuracy FROM model_history WHERE model = 'bright'") == 1
        if version >= "0002_watch":
            assert await connection.fetchval("SELECT headline FROM standings") == "It fell."
        assert await migrate(url) == []
        await connection.close()


@pytest.mark.parametrize("version", BEFORE)
async def test_what_an_older_release_writes_fits_the_new_schema(postgres_url: str, version: str) -> None:
    """So the migration comes first: no column of theirs is gone or another, no new one asks to be filled."""
    async with database_at(postgres_url, version) as url:
        connection = await asyncpg.connect(url)
        old = await columns(connection)
        await migrate(url)
        new = await columns(connection)
        await connection.close()
    assert {name: new[name]["data_type"] for name in old} == {name: old[name]["data_type"] for name in old}
    tables = {table for table, _ in old}
    for (table, column), facts in new.items():
        if table in tables and (table, column) not in old:
            optional = (
                facts["is_nullable"] == "YES" or facts["column_default"] or facts["is_identity"] == "YES"
            )
            assert optional, f"{table}.{column} is new and must be given"


async def test_a_worker_of_the_release_before_works_on(postgres_url: str) -> None:
    """It plans, answers, judges and closes pairs by its own statements, in a database already migrated."""
    async with database_at(postgres_url, MIGRATIONS[-2].name) as url:
        await migrate(url)
        connection = await asyncpg.connect(url)
        await connection.execute(OLD_PLAN, RUNNING, "bright")
        (pair, _) = await connection.fetch(
            "SELECT question_id, repeat FROM pairs WHERE run_id = $1 AND repeat = 2 ORDER BY 1", RUNNING
        )
        key = (RUNNING, "bright", pair["question_id"], 2)
        found = await connection.fetchrow(OLD_FIND, *key)
        assert found is not None
        assert found["state"] == "pending"
        answer = ("hello", "stop", "bright-v1", None, "r1", 0.5, 10, 2, None)
        none = (None,) * 5
        answered = (*key, "pending", "answered", *answer, *none, *none, False, None)
        judged = (
            *key,
            "answered",
            "scored",
            *((None,) * 9),
            "gpt",
            0.5,
            1,
            1,
            None,
            1.0,
            True,
            "well",
            *none[:2],
            None,
            False,
        )
        for step in (answered, judged):
            assert len(await connection.fetch(OLD_RECORD, *([value] for value in step))) == 1
        assert await connection.fetchrow(OLD_FIND, *key) is None
        scored = await connection.fetchrow(
            "SELECT response, score, reason, response_removed_at FROM results"
            " WHERE run_id = $1 AND state = 'scored'",
            RUNNING,
        )
        assert scored is not None
        assert tuple(scored) == ("hello", 1.0, "well", None)
        await connection.close()
