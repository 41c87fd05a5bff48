"""docker-compose.yml without an engine: what each service runs, with its environment, as processes here.

The addresses inside the composition are replaced by those of this machine; nothing else is.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
import yaml

from services.standalone.instance import reserve_port
from tests.databases import in_database
from tests.integration.fleet import until

ROOT = Path(__file__).parents[2]
COMPOSITION: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSITION["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("driftwarden:")}
GIVEN = {"POSTGRES_PASSWORD": "of-the-test", "DRIFTWARDEN_SECRET_KEY": "of-the-test"}
# Run in a place of its own where the tree is mounted again, for reading alone: what Compose's read_only does.
READ_ONLY = (
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
    'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"',
    str(ROOT),
)
SUITE = "id,category,input,expected_output,scorer\nq1,math,What is 6 x 7?,42,equals\n"


def test_nothing_that_must_be_secret_has_a_default() -> None:
    """Without a password or a key of their own, people are told to set one instead of being served."""
    for name in GIVEN:
        with pytest.raises(KeyError, match=name):
            fill_in(COMPOSITION, {key: value for key, value in GIVEN.items() if key != name})


def test_every_service_is_bounded_and_comes_back() -> None:
    for name, service in SERVICES.items():
        if name in ("migrate", "grafana-reader"):
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name


def test_our_processes_may_do_little() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["tmpfs"] == ["/tmp"], name
        assert all(volume.endswith(":ro") for volume in service["volumes"]), name
    image = (ROOT / "deploy/Dockerfile").read_text()
    user = re.findall(r"^USER (\d+)$", image, re.MULTILINE)
    assert user, "the image names a numeric user"
    assert user[-1] != "0"


def test_every_file_that_is_mounted_or_copied_is_there() -> None:
    for service in fill_in(SERVICES, GIVEN).values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                assert source in COMPOSITION["volumes"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    for source in (each for line in copied for each in line.split()):
        assert (ROOT / source).exists(), source


def test_the_image_installs_what_was_tested() -> None:
    """The image's lock file is a part of the one that everything here runs with."""
    image, tested = (pinned(ROOT / name) for name in ("deploy/requirements.lock", "requirements.lock"))
    assert image
    assert image <= tested


async def may_mount() -> bool:
    """Whether this machine lets us have mounts of our own."""
    try:
        process = await asyncio.create_subprocess_exec(
            *READ_ONLY, "true", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        return False
    return await process.wait() == 0


async def test_the_tree_that_the_composition_is_tested_in_takes_no_file() -> None:
    if not await may_mount():
        pytest.skip("this machine lets nobody mount: the composition runs in a tree that can be written to")
    process = await asyncio.create_subprocess_exec(
        *READ_ONLY, "touch", "written", stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert b"Read-only" in said
    assert not (ROOT / "written").exists()


async def test_the_composition_works(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    """Migrated, healthy by its own healthchecks, a run goes through; told to stop, everything ends well."""
    database = f"compose_{uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {database}")
    try:
        async with AsyncExitStack() as stack:
            ports = {name: stack.enter_context(reserve_port("127.0.0.1", 0, required=True))
                     for name in ("api", "worker", "scheduler", "control")}  # fmt: skip
            prefix = READ_ONLY if await may_mount() else ()
            here = Here(in_database(postgres_url, database), redis_url, ports, tmp_path / "none", prefix)
            await here.run_once("migrate", "migrate")
            key = (
                await here.run_once("migrate", "keys", "create", "me", "--scope", "admin", "--direct")
            ).strip()
            processes = {
                name: await stack.enter_async_context(here.running(name))
                for name in ("control", "api", "worker", "scheduler")
            }
            for name in processes:
                await until(lambda name=name: here.is_healthy(name), within_seconds=60)  # type: ignore[misc]
            await measure_control(f"http://127.0.0.1:{ports['api']}/api/v1", key)
            for name in ("worker", "scheduler", "api", "control"):
                processes[name].send_signal(signal.SIGTERM)
                async with asyncio.timeout(30):
                    assert await processes[name].wait() in (0, -signal.SIGTERM), name
    finally:
        await connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await connection.close()


async def measure_control(url: str, key: str) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        stored = await client.post(f"{url}/suites?name=small&filename=small.csv", content=SUITE)
        assert stored.status_code == 201, stored.text
        submitted = await client.post(f"{url}/runs", json={"suite": "small", "models": ["control"]})
        assert submitted.status_code == 202, submitted.text
        run = f"{url}/runs/{submitted.json()['id']}"

        async def is_completed() -> bool:
            return bool((await client.get(run)).json()["state"] == "completed")

        await until(is_completed, within_seconds=60)
        (aggregate, *_) = (await client.get(run)).json()["aggregates"]
        assert (aggregate["model"], aggregate["coverage"]) == ("control", 1.0)


class Here:
    """The composition's services on this machine. `ports`: what each one listens on, instead of its own."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        ports: Mapping[str, int],
        folder: Path,
        prefix: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._prefix = prefix
        self._services = fill_in(SERVICES, GIVEN)
        self._ports = ports
        self._addresses = {
            "postgresql://driftwarden:of-the-test@postgres:5432/driftwarden": database_url,
            "redis://redis:6379/0": redis_url,
            "http://control:9200": f"http://127.0.0.1:{ports['control']}",
            "0.0.0.0": "127.0.0.1",
        }

    async def run_once(self, name: str, *command: str) -> str:
        """Run a command in a service's place; what it printed."""
        process = await self._start(name, command, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode()

    @asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
        command = [self._local(name, word) for word in self._services[name]["command"]]
        process = await self._start(name, command)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def is_healthy(self, name: str) -> bool:
        kind, python, *arguments = self._services[name]["healthcheck"]["test"]
        assert (kind, python) == ("CMD", "python")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *(self._local(name, word) for word in arguments),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return await process.wait() == 0

    async def _start(self, name: str, command: Any, **options: Any) -> asyncio.subprocess.Process:
        environment = {
            key: self._local(name, str(value)) for key, value in self._services[name]["environment"].items()
        }
        (mounted,) = self._services[name]["volumes"]
        source, inside, _ = mounted.split(":")
        environment = {
            key: str(ROOT / source) if value == inside else value for key, value in environment.items()
        }
        mine = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ} | {"HOME": "/nowhere"}
        return await asyncio.create_subprocess_exec(
            *self._prefix, sys.executable, "-m", "services.cli", *command,
            cwd=ROOT, env={**mine, **environment, "DRIFTWARDEN_DATA": str(self._folder),
                           "DRIFTWARDEN_PORT": str(self._ports["api"])}, **options,
        )  # fmt: skip

    def _local(self, name: str, text: str) -> str:
        for theirs, ours in self._addresses.items():
            text = text.replace(theirs, ours)
        for inside, service in (("8700", "api"), ("9400", name), ("9200", "control")):
            if service in self._ports:
                text = re.sub(rf"(?<!\d){inside}(?!\d)", str(self._ports[service]), text)
        return text


def fill_in(part: Any, given: Mapping[str, str]) -> Any:
    """Put values in as Compose does: ${NAME:-default} and ${NAME:?message}.

    Raises:
        KeyError: a value that must be given is not.
    """

    def value_of(match: re.Match[str]) -> str:
        name, kind, text = match["name"], match["kind"], match["text"]
        if name not in given and kind == ":?":
            raise KeyError(f"{name}: {text}")
        return given.get(name, text)

    match part:
        case str():
            return re.sub(r"\$\{(?P<name>\w+)(?P<kind>:[-?])(?P<text>[^}]*)\}", value_of, part)
        case dict():
            return {key: fill_in(value, given) for key, value in part.items()}
        case list():
            return [fill_in(value, given) for value in part]
        case _:
            return part


def pinned(path: Path) -> set[str]:
    return set(re.findall(r"^(\S+==\S+)", path.read_text(), re.MULTILINE))
