"""`driftwarden backup` and `restore`: what comes back is what was there, or nothing at all."""

import asyncio
import json
import os
import resource
import shutil
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.scheduler.rescue import rescue
from shared.db.archive import ArchiveProblem, read_manifest, restore_archive, write_archive
from shared.db.migrate import migrate
from shared.domain.runs import RunState
from tests.databases import in_database
from tests.factories import make_suite
from tests.integration.commands import Done, Terminal
from tests.integration.pipeline import install
from tests.integration.serving import Api, make_settings, open_api
from tests.integration.watched_api import begin_watch, dropping, post

ASKED = ("runs", "incidents", "schedules", "suites", "drift", "models", "keys", "audit", "channels")


def ignore(table: str, size: int) -> None:
    """Nobody watches."""


@asynccontextmanager
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    """A database in which nothing has run yet."""
    name = f"restored_{uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name}")
    try:
        yield in_database(postgres_url, name)
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


async def dump(database_url: str) -> dict[str, bytes]:
    """Every table, byte for byte, its rows in an order of their own."""
    connection = await asyncpg.connect(database_url)
    tables: dict[str, bytes] = {}
    for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        chunks: list[bytes] = []

        async def take(chunk: bytes, chunks: list[bytes] = chunks) -> None:
            chunks.append(chunk)

        await connection.copy_from_table(row["tablename"], output=take)
        tables[row["tablename"]] = b"\n".join(sorted(b"".join(chunks).splitlines()))
    await connection.close()
    return tables


async def sequences(database_url: str) -> dict[str, int]:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
    )
    await connection.close()
    return dict(rows)  # type: ignore[arg-type]


async def write(database_url: str, path: Path) -> Path:
    connection = await asyncpg.connect(database_url)
    try:
        await write_archive(connection, path, ignore)
    finally:
        await connection.close()
    return path


async def restore(database_url: str, path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await restore_archive(connection, path, ignore)
    finally:
        await connection.close()


async def ask_everything(api: Api) -> dict[str, Any]:
    answers = {path: (await api.client.get(f"/api/v1/{path}")).json() for path in ASKED}
    for incident in answers["incidents"]["items"]:
        path = f"incidents/{incident['id']}"
        answers[path] = (await api.client.get(f"/api/v1/{path}")).json()
    return answers


@pytest.fixture
async def lived(api: Api) -> Api:
    """Nights with a drop, an incident that somebody has seen, and a channel with a secret."""
    past = await begin_watch(api)
    await past.live(9, dropping("dim", 7, 0.2))
    incident = (await api.client.get("/api/v1/incidents")).json()["items"][0]
    await post(api, f"incidents/{incident['id']}/acknowledge", {"note": "I look into it.\tOdd \\ \n line"})
    return api


async def test_all_tables_come_back_byte_for_byte_and_the_api_answers_alike(
    lived: Api, postgres_url: str, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    path = await write(database_url, tmp_path / "all.zip")
    before = await ask_everything(lived)
    key = lived.client.headers["Authorization"]
    async with empty_database(postgres_url) as restored:
        await restore(restored, path)
        assert await dump(restored) == await dump(database_url)
        assert await sequences(restored) == await sequences(database_url)
        assert await migrate(restored) == [], "nothing is left to migrate"
        async with open_api(make_settings(restored, redis_url, tmp_path)) as again:
            own = again.client.headers["Authorization"]
            again.client.headers["Authorization"] = key
            after = await ask_everything(again)
            assert own != key
            added = await post(again, "suites?name=new&filename=new.csv")
            assert added.status_code != 500
    keys, keys_before = after.pop("keys")["items"], before.pop("keys")["items"]
    assert {each["id"] for each in keys_before} < {each["id"] for each in keys}
    assert after == before
    assert before["incidents"]["items"]


async def test_an_open_run_goes_on_after_the_restore(
    postgres_url: str, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    models: dict[str, dict[str, Any]] = {"bright": {}}
    async with install(database_url, redis_url, tmp_path, make_suite(5), models) as installation:
        run_id = await installation.submit(make_suite(5), "bright")
    path = await write(database_url, tmp_path / "open.zip")
    async with empty_database(postgres_url) as restored:
        await restore(restored, path)
        async with install(restored, redis_url, tmp_path, make_suite(5), models) as again:
            await again.redis.flushall()
            for minutes in (10, 20):  # at first it only notes that Redis is new
                await rescue(again.pool, again.redis, datetime.now(UTC) + timedelta(minutes=minutes))
            await again.work()
            assert (await again.run(run_id)).state is RunState.COMPLETED
            assert (await again.totals(run_id))["bright"].planned == 5


async def test_a_database_that_holds_something_is_left_alone(
    lived: Api, database_url: str, tmp_path: Path
) -> None:
    path, before = await write(database_url, tmp_path / "all.zip"), await dump(database_url)
    with pytest.raises(ArchiveProblem, match="not empty"):
        await restore(database_url, path)
    assert await dump(database_url) == before


def _spoil(source: Path, target: Path, name: str, change: Any) -> Path:
    """A copy of an archive with one entry changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            new.writestr(entry, change(content) if entry == name else content)
    return target


async def test_what_is_damaged_or_newer_restores_nothing_and_says_where(
    lived: Api, postgres_url: str, database_url: str, tmp_path: Path
) -> None:
    whole = await write(database_url, tmp_path / "all.zip")
    pairs = "tables/pairs.copy"

    def age(manifest: bytes) -> bytes:
        fields = json.loads(manifest)
        return json.dumps({**fields, "migrations": [*fields["migrations"], ["9999_later", "x"]]}).encode()

    def later_format(manifest: bytes) -> bytes:
        return manifest.replace(b'"format": 1', b'"format": 2')

    def mistake(rows: bytes) -> bytes:
        return rows.replace(b"right", b"wrong")

    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    flipped = tmp_path / "flipped.zip"
    content = bytearray(whole.read_bytes())
    with zipfile.ZipFile(whole) as archive:
        entry = archive.getinfo(pairs)
    content[entry.header_offset + entry.compress_size // 2] ^= 0xFF
    flipped.write_bytes(content)
    spoilt = {
        "pairs: its checksum": _spoil(whole, tmp_path / "1.zip", pairs, mistake),
        "pairs": _spoil(whole, tmp_path / "2.zip", pairs, lambda rows: rows[: len(rows) // 2]),
        "runs: ": _spoil(whole, tmp_path / "3.zip", "tables/runs.copy", lambda rows: b""),
        "table pairs": flipped,
        "newer Driftwarden": _spoil(whole, tmp_path / "4.zip", "manifest.json", age),
        "format 2": _spoil(whole, tmp_path / "5.zip", "manifest.json", later_format),
        "no archive": cut,
    }  # fmt: skip
    async with empty_database(postgres_url) as restored:
        for said, path in spoilt.items():
            with pytest.raises(ArchiveProblem, match=said):
                await restore(restored, path)
            assert await dump(restored) == {}, said
        await restore(restored, whole)


async def test_a_full_disk_leaves_no_half_file(lived: Api, database_url: str, tmp_path: Path) -> None:
    """The process may write no file beyond 2 kB, which it is told of as of a full disk."""
    folder = tmp_path / "small"
    folder.mkdir()
    # Python itself would leave a module cut off at 2 kB in its cache.
    environment = {**os.environ, "DATABASE_URL": database_url, "PYTHONDONTWRITEBYTECODE": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "backup", str(folder / "all.zip"),
        env=environment, stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
    )  # fmt: skip
    _, told = await process.communicate()
    assert process.returncode == 2, told
    assert b"can't be written" in told
    assert list(folder.iterdir()) == []


async def test_a_file_that_is_there_is_not_overwritten(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "there.zip"
    path.write_text("precious")
    with pytest.raises(ArchiveProblem, match="already"):
        await write(database_url, path)
    assert path.read_text() == "precious"


async def test_an_operator_backs_up_and_restores_by_two_commands(
    postgres_url: str, database_url: str, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    done: Done = await terminal("backup", "all.zip", DATABASE_URL=database_url)
    assert (done.code, "The secret key is not in it." in done.err) == (0, True), done.err
    assert (tmp_path / "all.zip").stat().st_mode & 0o077 == 0, "it holds answers and hashes of keys"
    async with empty_database(postgres_url) as restored:
        done = await terminal("restore", "all.zip", DATABASE_URL=restored)
        assert done.code == 0, done.err
        again = await terminal("restore", "all.zip", DATABASE_URL=restored)
        assert (again.code, "not empty" in again.err) == (2, True)
    nowhere = await terminal("backup", "none.zip", "--data", "nothing-here")
    assert (nowhere.code, "no data folder" in nowhere.err) == (2, True)
    assert not (tmp_path / "nothing-here").exists()


async def test_a_standalone_instance_is_backed_up_from_its_folder(tmp_path: Path) -> None:
    """Its server is started for the command when nobody runs it."""
    terminal = Terminal(tmp_path, {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {
        "PYTHONPATH": str(Path(__file__).parents[2])
    })  # fmt: skip
    first = tmp_path / "first"
    from services.standalone import postgres
    from services.standalone.instance import hold_folder

    with hold_folder(first) as instance:
        async with postgres.launch(instance.folder) as url:
            await migrate(url)
            running = await terminal("backup", "running.zip", "--data", str(first))
    assert running.code == 0, running.err
    stopped = await terminal("backup", "stopped.zip", "--data", str(first))
    assert stopped.code == 0, stopped.err
    restored = await terminal("restore", "stopped.zip", "--data", str(tmp_path / "second"))
    assert restored.code == 0, restored.err
    assert (await read_manifest(tmp_path / "running.zip")).rows == (
        await read_manifest(tmp_path / "stopped.zip")
    ).rows
    shutil.rmtree(tmp_path / "second")
