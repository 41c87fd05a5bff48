"""Empty databases for tests: copying a migrated one takes 200 ms of making files, emptying one a tenth."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from shared.db.migrate import migrate

TEMPLATE = "migrated"
# What a table grew to in a test is no burden for the next one.
LARGE_BYTES = 1_000_000

TABLES = """
    SELECT format('%I', relname) AS name, pg_relation_size(oid) AS bytes
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY oid
"""
# xmin tells which transaction wrote a row of the catalogue: every change of the schema leaves another one.
SCHEMA = """
    SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
        SELECT concat_ws(':', 'class', oid, xmin) AS line FROM pg_class WHERE oid >= 16384
        UNION ALL SELECT concat_ws(':', 'column', attrelid, attnum, xmin) FROM pg_attribute
            WHERE attrelid >= 16384
        UNION ALL SELECT concat_ws(':', 'default', oid, xmin) FROM pg_attrdef
        UNION ALL SELECT concat_ws(':', 'constraint', oid, xmin) FROM pg_constraint WHERE oid >= 16384
        UNION ALL SELECT concat_ws(':', 'trigger', oid, xmin) FROM pg_trigger
        UNION ALL SELECT concat_ws(':', 'function', oid, xmin) FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT concat_ws(':', 'rule', oid, xmin) FROM pg_rewrite WHERE oid >= 16384
        UNION ALL SELECT concat_ws(':', 'migration', m) FROM schema_migrations m
        UNION ALL SELECT concat_ws(':', 'setting', s.setconfig) FROM pg_db_role_setting s
    ) AS everything
"""
END_OTHERS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
REWIND = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL
"""


@dataclass(slots=True)
class Databases:
    """The databases of one server, each lent under a name of its own: no late writer finds the next one."""

    url: str
    schema: str
    _empty: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[str]:
        """The URL of an empty, migrated database."""
        name = f"test_{uuid4().hex}"
        if self._empty:
            await self._run(f"ALTER DATABASE {self._empty.pop()} RENAME TO {name}")
        else:
            await self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        yield in_database(self.url, name)
        if await self._make_empty(name):
            self._empty.append(name)
        else:
            await self._run(f"DROP DATABASE {name} WITH (FORCE)")

    async def _make_empty(self, name: str) -> bool:
        """End all other connections and delete every row; False when the schema was changed."""
        connection = await asyncpg.connect(in_database(self.url, name))
        try:
            await connection.execute(END_OTHERS)
            if await connection.fetchval(SCHEMA) != self.schema:
                return False
            tables = [row for row in await connection.fetch(TABLES) if row["name"] != "schema_migrations"]
            # As a replica deletes: without triggers, some of which let nothing be deleted.
            deletions = [f"DELETE FROM {table['name']}" for table in tables]
            await connection.execute("; ".join(["SET session_replication_role = replica", *deletions]))
            await connection.execute(REWIND)
            for table in tables:
                if table["bytes"] > LARGE_BYTES:
                    await connection.execute(f"VACUUM {table['name']}")
            return True
        finally:
            await connection.close()

    async def _run(self, command: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(command)
        finally:
            await connection.close()


async def prepare_databases(url: str) -> Databases:
    """Migrate the template on this server."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    await connection.close()
    template = in_database(url, TEMPLATE)
    await migrate(template)
    connection = await asyncpg.connect(template)
    schema = await connection.fetchval(SCHEMA)
    filled = [
        row["name"] for row in await connection.fetch(TABLES)
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {row['name']})")
    ]  # fmt: skip
    await connection.close()
    assert filled == ["schema_migrations"], f"the migrations fill {filled}, which the tests would empty"
    return Databases(url, schema)


def in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
