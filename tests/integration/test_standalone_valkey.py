"""The embedded Valkey keeps every job through crashes and lets nobody else in."""

import asyncio
import os
import signal
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from arq.connections import RedisSettings, create_pool
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.standalone import valkey
from services.standalone.errors import CannotStart
from services.standalone.survivors import find_survivors
from tests.integration.fleet import until


async def remember(url: str, value: str) -> None:
    async with Redis.from_url(url) as redis:
        await redis.set("kept", value)


async def recall(url: str) -> str | None:
    async with Redis.from_url(url) as redis:
        stored = await redis.get("kept")
        return None if stored is None else stored.decode()


def server_pid(home: Path) -> int:
    (pid,) = find_survivors("valkey-server", home / "valkey")
    return pid


async def test_keys_are_there_at_the_next_start(tmp_path: Path) -> None:
    async with valkey.launch(tmp_path) as url:
        await remember(url, "before")
    async with valkey.launch(tmp_path) as url:
        assert await recall(url) == "before"
    assert not find_survivors("valkey-server", tmp_path / "valkey")


async def test_a_killed_server_comes_back_at_the_same_address_with_every_key(tmp_path: Path) -> None:
    said: list[str] = []
    async with valkey.launch(tmp_path, say=said.append) as url:
        await remember(url, "answered")
        os.kill(server_pid(tmp_path), signal.SIGKILL)

        async def has_recovered() -> bool:
            return "Valkey is running again." in said

        await until(has_recovered)
        assert await recall(url) == "answered"


async def test_a_server_left_over_from_a_killed_up_is_replaced(tmp_path: Path) -> None:
    async with valkey.launch(tmp_path) as url:
        await remember(url, "before")
    data = tmp_path / "valkey"
    leftover = await asyncio.create_subprocess_exec(
        *(str(valkey.find_binary()), "--port", "0", "--unixsocket", str(tmp_path / "other.sock")),
        *("--dir", str(data), "--appendonly", "yes", "--save", ""),
        stdout=subprocess.DEVNULL,
    )

    try:
        await until(lambda: takes(f"unix://{tmp_path / 'other.sock'}", "by the leftover"))
        async with valkey.launch(tmp_path) as url:
            assert await recall(url) == "by the leftover"
        assert await leftover.wait() == 0, "it should have been stopped in good order"
    finally:
        if leftover.returncode is None:
            leftover.kill()
            await leftover.wait()


async def takes(url: str, value: str) -> bool:
    with suppress(RedisError, OSError):
        await remember(url, value)
        return True
    return False


async def test_arq_understands_the_address(tmp_path: Path) -> None:
    async with valkey.launch(tmp_path) as url:
        pool = await create_pool(RedisSettings.from_dsn(url))
        assert await pool.enqueue_job("anything") is not None
        await pool.aclose()


async def test_only_the_owner_gets_at_the_socket(tmp_path: Path) -> None:
    async with valkey.launch(tmp_path) as url:
        socket = Path(url.removeprefix("unix://").removesuffix("?db=0"))
        assert mode_of(socket.parent) == mode_of(socket) == 0o700
        async with Redis.from_url(url) as redis:
            assert (await redis.config_get("port"))["port"] == "0"
    assert mode_of(tmp_path / "valkey") == 0o700


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_every_write_reaches_the_log_and_nothing_is_evicted(tmp_path: Path) -> None:
    async with valkey.launch(tmp_path) as url, Redis.from_url(url) as redis:
        settings = await redis.config_get("appendonly", "appendfsync", "save", "maxmemory-policy")
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }


@pytest.mark.parametrize("name", ["with, spaces & 100%?", 'quoted "so"', "deep/" * 25 + "down"])
async def test_any_folder_will_do(name: str) -> None:
    with tempfile.TemporaryDirectory() as short_enough_for_a_socket:
        home = Path(short_enough_for_a_socket) / name
        home.mkdir(parents=True)
        async with valkey.launch(home) as url:
            await remember(url, "there")
        async with valkey.launch(home) as url:
            assert await recall(url) == "there"


async def test_a_damaged_log_is_reported_and_left_alone(tmp_path: Path) -> None:
    async with valkey.launch(tmp_path) as url:
        await remember(url, "before")
    (log,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
    intact = log.read_bytes()
    damaged = b"garbage\r\n" + intact
    log.write_bytes(damaged)
    with pytest.raises(CannotStart, match="Valkey ended while starting"):
        async with valkey.launch(tmp_path):
            pytest.fail("it was started")
    assert log.read_bytes() == damaged


async def test_a_log_cut_short_by_a_power_failure_loses_only_its_last_command(tmp_path: Path) -> None:
    async with valkey.launch(tmp_path) as url:
        await remember(url, "whole")
        await remember(url, "cut")
    (log,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(log.read_bytes()[:-4])
    async with valkey.launch(tmp_path) as url:
        assert await recall(url) == "whole"
