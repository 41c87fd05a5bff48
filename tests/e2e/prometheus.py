"""A real Prometheus for the length of a test: it scrapes once a second and evaluates our rules as often."""

import asyncio
import os
import re
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

RULES = tuple(sorted((Path(__file__).parents[2] / "deploy/prometheus/rules").glob("*.yml")))
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and its values with their times (unix seconds), oldest first.

    An instant query has one value of each. Values are floats, NaN and infinities included.
    """

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def value(self) -> float:
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Prometheus:
    url: str
    client: httpx.AsyncClient

    async def query(self, expression: str, at: datetime | None = None) -> list[Series]:
        """Evaluate at one time, by default now; no data is an empty list.

        Raises:
            AssertionError: Prometheus can't evaluate it; the message tells why.
        """
        when = {"time": at.timestamp()} if at else {}
        return _as_series(await self._ask("query", {"query": expression, **when}))

    async def query_range(
        self, expression: str, since: datetime, until: datetime, step_seconds: float
    ) -> list[Series]:
        """Evaluate at every step of a time, as a panel does."""
        asked = {
            "query": expression,
            "start": since.timestamp(),
            "end": until.timestamp(),
            "step": step_seconds,
        }
        return _as_series(await self._ask("query_range", asked))

    async def until_data(self, expression: str) -> list[Series]:
        """Wait until an expression has data; TimeoutError when it does not in time."""
        return await self.until(expression, bool)

    async def until(self, expression: str, holds: Callable[[list[Series]], bool]) -> list[Series]:
        """Wait until what an expression gives is as `holds` wants it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds(found := await self.query(expression)):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(POLL_SECONDS)
                return found
        told = "\n".join(f"{target['scrapeUrl']}: {target['lastError']}" for target in await self.targets())
        raise TimeoutError(f"{expression}\nhad not the expected data in time. Targets:\n{told}")

    async def targets(self) -> list[dict[str, Any]]:
        """What is scraped, with `health` ("up", "down", "unknown"), `scrapeUrl`, `lastError`, `labels`."""
        found: list[dict[str, Any]] = (await self._ask("targets", {"state": "active"}))["activeTargets"]
        return found

    async def firing(self) -> dict[str, list[dict[str, str]]]:
        """The alerts that fire right now: by name, the labels of each."""
        found: dict[str, list[dict[str, str]]] = {}
        for alert in (await self._ask("alerts", {}))["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    async def _ask(self, what: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        reply = (await self.client.get(f"/api/v1/{what}", params=asked)).json()
        assert reply["status"] == "success", f"{asked}\n{reply['errorType']}: {reply['error']}"
        data: dict[str, Any] = reply["data"]
        return data


@asynccontextmanager
async def run_prometheus(
    folder: Path, targets: Mapping[str, Sequence[str]], rules: Sequence[Path] = RULES
) -> AsyncIterator[Prometheus]:
    """Serve a Prometheus on a free port that keeps its data in `folder`; yield it when all targets are up.

    `targets` are addresses `host:port` by job: driftwarden-api, driftwarden-worker, driftwarden-scheduler.
    Where there is no Prometheus, the test is skipped and says so; in CI (CI=1) it fails.
    """
    program = find_program("prometheus")
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(_describe(targets, rules)))
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            "--web.listen-address=127.0.0.1:0",
            stderr=output,
        )
    try:
        url = await _read_address(process, log)
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            prometheus = Prometheus(url, client)
            wanted = sum(len(addresses) for addresses in targets.values())
            await prometheus.until("up == 1", lambda found: len(found) == wanted)
            yield prometheus
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def find_free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    while True:
        with ExitStack() as taken:
            first = taken.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            with suppress(OSError, OverflowError):
                for port in range(first + 1, first + count):
                    taken.enter_context(socket.create_server(("127.0.0.1", port)))
                return int(first)


def find_program(name: str) -> str:
    """Where a program of Prometheus is, `prometheus` or `promtool`; skips the test where it is not."""
    found = shutil.which(name)
    if found is None:
        reason = f"there is no {name}; Debian has it in the package `prometheus`"
        if os.environ.get("CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _describe(targets: Mapping[str, Sequence[str]], rules: Sequence[Path]) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
            for job, addresses in targets.items()
        ],
    }


async def _read_address(process: Process, log: Path) -> str:
    """The URL that Prometheus tells in its log, for it chose the port itself."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while process.returncode is None:
            if found := re.search(r'"Listening on".* address=(127\.0\.0\.1:\d+)', log.read_text()):
                return f"http://{found[1]}"
            await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"Prometheus did not start:\n{log.read_text()}")


def _as_series(data: Mapping[str, Any]) -> list[Series]:
    if data["resultType"] == "scalar":
        return [Series({}, [_as_point(data["result"])])]
    return [
        Series(each["metric"], [_as_point(point) for point in each.get("values") or [each["value"]]])
        for each in data["result"]
    ]


def _as_point(stored: Sequence[Any]) -> tuple[float, float]:
    return float(stored[0]), float(stored[1])
