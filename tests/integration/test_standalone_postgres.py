"""The embedded PostgreSQL keeps every row through crashes and lets nobody else in."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from services.standalone import postgres
from services.standalone.cluster import find_binaries
from services.standalone.errors import CannotStart
from services.standalone.instance import reserve_port
from services.standalone.survivors import find_survivors
from tests.integration.fleet import until

USER = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@pytest.fixture(scope="session")
async def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a cluster that was just made and stopped: copies of it save the tests their initdb."""
    home = tmp_path_factory.mktemp("fresh")
    async with postgres.launch(home):
        pass
    return home


@pytest.fixture
def home(fresh_home: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "my results"
    shutil.copytree(fresh_home, copy)
    return copy


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def note(url: str, text: str) -> None:
    async with connect(url) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS notes (note text)")
        await connection.execute("INSERT INTO notes VALUES ($1)", text)


async def read_notes(url: str) -> list[str]:
    async with connect(url) as connection:
        return [row["note"] for row in await connection.fetch("SELECT note FROM notes")]


def postmaster_pid(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def owner_of(path: Path) -> int:
    return path.stat().st_uid


async def test_rows_are_there_at_the_next_start(tmp_path: Path) -> None:
    async with postgres.launch(tmp_path) as url:
        await note(url, "kept")
    async with postgres.launch(tmp_path) as url:
        assert await read_notes(url) == ["kept"]
    assert not find_survivors("postgres", tmp_path / "postgres")


async def test_a_killed_server_comes_back_at_the_same_address_with_every_row(home: Path) -> None:
    said: list[str] = []
    async with postgres.launch(home, say=said.append) as url:
        await note(url, "committed")
        os.kill(postmaster_pid(home), signal.SIGKILL)

        async def has_recovered() -> bool:
            return "PostgreSQL is running again." in said

        await until(has_recovered)
        assert await read_notes(url) == ["committed"]


async def test_a_server_left_over_from_a_killed_up_is_replaced(home: Path) -> None:
    async with postgres.launch(home) as url:
        await note(url, "kept")
    async with serving_without_leash(home) as leftover:
        async with postgres.launch(home) as url:
            assert postmaster_pid(home) != leftover.pid
            assert await read_notes(url) == ["kept"]
        assert await leftover.wait() == 0, "it should have been stopped in good order"


@asynccontextmanager
async def serving_without_leash(home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [str(find_binaries() / "postgres"), "-D", str(home / "postgres"), "-c", "listen_addresses="]
    if os.geteuid() == 0:
        command = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--", *command]
    sockets = home / "elsewhere"
    sockets.mkdir()
    server = await asyncio.create_subprocess_exec(
        *command, "-c", f"unix_socket_directories={sockets}", stderr=subprocess.DEVNULL
    )

    async def is_up() -> bool:
        pid_file = home / "postgres" / "postmaster.pid"
        return pid_file.exists() and pid_file.read_text().rstrip().endswith("ready")

    try:
        await until(is_up)
        yield server
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


async def test_another_program_that_works_in_the_folder_is_left_alone(home: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "600", cwd=home / "postgres")
    try:
        async with postgres.launch(home):
            assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


async def test_a_pid_file_whose_number_went_to_another_process_is_no_obstacle(home: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "600")
    (home / "postgres" / "postmaster.pid").write_text(
        f"{bystander.pid}\n{home / 'postgres'}\n1700000000\n5432\n\n\n  1234567 0\n"
    )
    try:
        async with postgres.launch(home):
            assert postmaster_pid(home) != bystander.pid
        assert bystander.returncode is None, "another program was stopped"
    finally:
        bystander.kill()
        await bystander.wait()


async def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.unfinished").mkdir()
    (tmp_path / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    async with postgres.launch(tmp_path) as url:
        await note(url, "kept")
    assert not (tmp_path / "postgres.unfinished").exists()


async def test_a_cluster_of_another_version_is_refused_untouched(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(CannotStart, match=r"written by PostgreSQL 17, and this is 18"):
        async with postgres.launch(home):
            pytest.fail("it was started")
    assert (home / "postgres" / "base").is_dir()


async def test_a_damaged_cluster_is_reported_with_the_servers_own_words(home: Path) -> None:
    (home / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(CannotStart, match=r"PostgreSQL ended while starting(.|\n)*pg_control"):
        async with postgres.launch(home):
            pytest.fail("it was started")
    assert (home / "postgres" / "base").is_dir()


@pytest.mark.parametrize("name", ["with, spaces & 100%?", "deep/" * 25 + "down"])
async def test_any_folder_will_do(fresh_home: Path, name: str) -> None:
    with tempfile.TemporaryDirectory() as short_enough_for_a_socket:
        home = Path(short_enough_for_a_socket) / name
        shutil.copytree(fresh_home, home)
        async with postgres.launch(home) as url:
            await note(url, "kept")


async def test_the_callers_environment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "x", "PGDATA": "/nowhere", "LC_ALL": "xx_XX.UTF-8", "TZ": "Mars"}.items():
        monkeypatch.setenv(name, value)
    async with postgres.launch(tmp_path) as url, connect(url) as connection:
        assert await connection.fetchval("SHOW timezone") == "UTC"


async def test_only_the_owner_gets_at_the_socket(home: Path) -> None:
    async with postgres.launch(home) as url:
        folder = Path(url.partition("host=")[2].partition("&")[0])
        assert mode_of(folder) == 0o700
        assert owner_of(folder) == os.geteuid()
        async with connect(url) as connection:
            assert await connection.fetchval("SHOW listen_addresses") == ""
    assert mode_of(home / "postgres") == 0o700
    assert mode_of(home / "postgres.log") == 0o600


async def test_loopback_asks_for_the_password(home: Path) -> None:
    with reserve_port("127.0.0.1", 0, required=False) as port:
        async with postgres.launch(home, tcp_port=port) as url:
            await note(url, "kept")
            password = (home / "postgres.password").read_text()
            for wrong in ("", "guess"):
                with pytest.raises(asyncpg.InvalidPasswordError):
                    await asyncpg.connect(url.replace(password, wrong))
        assert mode_of(home / "postgres.password") == 0o600
        async with postgres.launch(home, tcp_port=port) as again:
            assert again == url
            assert await read_notes(again) == ["kept"]


async def test_commits_wait_for_the_disk(home: Path) -> None:
    async with postgres.launch(home) as url, connect(url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert await connection.fetchval(f"SHOW {setting}") == "on"


@pytest.fixture
def reachable_home(fresh_home: Path) -> Iterator[Path]:
    """A home that every user can enter."""
    with tempfile.TemporaryDirectory(prefix="driftwarden-tests-") as folder:
        home = Path(folder) / "home"
        shutil.copytree(fresh_home, home)
        Path(folder).chmod(0o711)
        home.chmod(0o711)
        yield home


def give_to_user(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)


def can_run(user: int, program: Path) -> bool:
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
    return subprocess.run([*as_user, "test", "-x", str(program)], check=False).returncode == 0


@as_root
async def test_an_ordinary_users_cluster_is_run_by_that_user(reachable_home: Path) -> None:
    give_to_user(reachable_home / "postgres")
    if not can_run(USER, find_binaries() / "postgres"):
        pytest.skip("PostgreSQL's programs lie where only root can run them")
    async with postgres.launch(reachable_home) as url:
        await note(url, "kept")
        assert owner_of(Path(f"/proc/{postmaster_pid(reachable_home)}")) == USER


@as_root
async def test_a_folder_that_its_owner_cannot_enter_is_refused_with_advice(reachable_home: Path) -> None:
    give_to_user(reachable_home / "postgres")
    os.chmod(reachable_home, 0o700)
    with pytest.raises(CannotStart, match=rf"user {USER} cannot enter .*(.|\n)*Run as an ordinary user"):
        async with postgres.launch(reachable_home):
            pytest.fail("it was started")


# Becomes root of a user namespace that has no further ones in it, as in many containers.
WITHOUT_NAMESPACES = """
import asyncio, ctypes, os, sys
from pathlib import Path
from services.standalone import postgres

async def main(home):
    async with postgres.launch(home):
        pid = (home / "postgres" / "postmaster.pid").read_text().split()[0]
        print("served by", os.stat(f"/proc/{pid}").st_uid, flush=True)

assert ctypes.CDLL(None).unshare(0x10000000) == 0
print("apart", flush=True)
sys.stdin.readline()
os.setgid(0)
os.setuid(0)
Path("/proc/sys/user/max_user_namespaces").write_text("0")
asyncio.run(main(Path(sys.argv[1])))
"""


def map_all_users(pid: int) -> None:
    for ids in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{ids}").write_text("0 0 100000")


@as_root
async def test_root_without_user_namespaces_serves_as_nobody(reachable_home: Path) -> None:
    if not can_run(65534, find_binaries() / "postgres"):
        pytest.skip("PostgreSQL's programs lie where only root can run them")
    inner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT_NAMESPACES, str(reachable_home)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert inner.stdout is not None
    assert await inner.stdout.readline() == b"apart\n"
    map_all_users(inner.pid)
    output, _ = await inner.communicate(b"\n")
    assert output == b"served by 65534\n"
    async with postgres.launch(reachable_home) as url:
        await note(url, "kept, now that there are namespaces again")


KILLED = """
import asyncio, sys
from pathlib import Path
from services.standalone import postgres

async def main():
    async with postgres.launch(Path(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_after_a_kill_of_everything_the_next_start_works_at_once(home: Path) -> None:
    for _ in range(2):
        launcher = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, str(home), stdout=subprocess.PIPE
        )
        assert launcher.stdout is not None
        assert await launcher.stdout.readline() == b"ready\n"
        server = postmaster_pid(home)
        launcher.kill()
        await launcher.wait()
        async with postgres.launch(home):
            assert postmaster_pid(home) != server
