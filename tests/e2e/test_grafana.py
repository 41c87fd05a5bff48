"""Grafana's dashboards over a real stack: every query of every panel is asked, and brings data.

Grafana itself is not there: `grafana.py` fills the queries in as it does and asks the sources. PostgreSQL is
read as the user of deploy/grafana/reader.sql.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.scheduler.detect import detect
from services.standalone.up import UpOptions, run_instance
from shared.db import anchor_sets, schedules, suites
from shared.models import Catalogue
from shared.settings import Settings
from tests.e2e.grafana import FOLDER, Place, Sources, Viewer, read_dashboards
from tests.e2e.prometheus import find_program, run_prometheus
from tests.integration.anchoring import FLEET, PRICED, Nights, make_judged_suite
from tests.integration.fleet import until
from tests.integration.pipeline import install
from tests.integration.scheduling import TERMS

NEW_YEAR = "0 2 1 1 *"  # the test opens the nights itself; the one that came due was missed
HURRIED = {"faults": {"rate_limited": 0.1}, "limits": {"retry_after_seconds": 0.05}}
SIMULATED: Mapping[str, Mapping[str, Any]] = {
    **FLEET,
    "bright": {**FLEET["bright"], **HURRIED, "served_model": "bright-1"},
}
# What tells of drift only: empty while nothing has ever moved.
NEEDS_AN_INCIDENT: set[Place] = {
    ("Fleet overview", "Open incidents in words"),
    ("Fleet overview", "Change"),
    ("Fleet overview", "Incident"),
    ("Model", "Change"),
    ("Model", "Incident"),
    ("Model", "Identity"),
    ("Model", "What the provider says it serves"),
    ("Pipeline health", "Alerts that fire"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    nights: Nights
    sources: Sources

    async def live(self, nights: int) -> None:
        """Let nights go by: workers measure them, and the watch sees them."""
        for _ in range(nights):
            await self.nights.open()
            await until(self._has_nothing_open, within_seconds=60)
            here = self.nights.here
            await detect(
                here.pool,
                here.redis,
                Catalogue.load(here.settings.models_file, os.environ),
                datetime.now(UTC),
            )

    async def freeze_anchors(self) -> None:
        """Choose anchors, and have a person agree with the judge about all of them but one."""
        chosen = await self.nights.choose()
        async with self.nights.here.pool.acquire() as connection:
            anchors = await anchor_sets.list_anchors(connection, chosen.id)
            for number, anchor in enumerate(anchors):
                label = 1 - round(anchor.score) if number == 0 else round(anchor.score)
                await anchor_sets.label_anchor(connection, anchor.id, label, "a person")

    async def look(self, **how: Any) -> dict[Place, list[str]]:
        """Whatever is wrong on any dashboard."""
        found: dict[Place, list[str]] = {}
        for dashboard in read_dashboards():
            found |= await Viewer(dashboard, self.sources, **how).look()
        return found

    async def until_scraped(self, *expressions: str) -> None:
        for expression in expressions:
            await self.sources.prometheus.until_data(expression)

    async def _has_nothing_open(self) -> bool:
        async with self.nights.here.pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT count(*) = 0 FROM runs WHERE finished_at IS NULL"))


@pytest.fixture
async def stage(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    find_program("prometheus")
    content = make_judged_suite(20)
    priced = dict.fromkeys(("judge", "bright"), PRICED)
    async with install(database_url, redis_url, tmp_path, content, SIMULATED, parameters=priced) as here:
        async with here.pool.acquire() as connection, connection.transaction():
            await suites.store_suite(connection, TERMS.suite, content)
            terms = replace(TERMS, cron=NEW_YEAR, confirmations=0)
            schedule, _ = await schedules.store_schedule(
                connection, terms, datetime(2025, 12, 31, tzinfo=UTC)
            )
        async with (
            serve(here.settings, tmp_path) as targets,
            run_prometheus(tmp_path, targets) as prometheus,
            open_reader(database_url) as reader,
        ):
            yield Stage(Nights(here, schedule, 20), Sources(prometheus, reader))


@asynccontextmanager
async def serve(settings: Settings, folder: Path) -> AsyncIterator[dict[str, list[str]]]:
    """API, worker and scheduler as processes; yield where their metrics are, by Prometheus's job."""
    scheduler_port, worker_port = find_neighbouring_ports()
    options = UpOptions(
        settings.model_copy(update={"data": folder / "data", "metrics_port": scheduler_port}),
        port=0,
        environment={"DRIFTWARDEN_MODELS": str(settings.models), "DRIFTWARDEN_LOG_LEVEL": "error"},
    )
    async with run_instance(options, asyncio.Event()) as instance:
        yield {
            "driftwarden-api": [urlsplit(instance.url).netloc],
            "driftwarden-worker": [f"127.0.0.1:{worker_port}"],
            "driftwarden-scheduler": [f"127.0.0.1:{scheduler_port}"],
        }


def find_neighbouring_ports() -> tuple[int, int]:
    """Two that are free now: the scheduler's metrics have one, and its worker's the next."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port, port + 1


@asynccontextmanager
async def open_reader(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the user that Grafana reads with."""
    owner = await asyncpg.connect(database_url)
    for _ in range(2):  # it can be run again
        await owner.execute((FOLDER / "reader.sql").read_text())
    await owner.close()
    connection = await asyncpg.connect(database_url, user="driftwarden_reader")
    yield connection
    await connection.close()


@pytest.mark.slow
async def test_every_query_of_every_dashboard_brings_data(stage: Stage) -> None:
    await stage.live(1)
    await stage.freeze_anchors()
    await stage.live(3)
    await stage.until_scraped(
        "driftwarden_judge_kappa_ratio",
        "driftwarden_anchor_shift_ratio",
        "driftwarden_drift_evidence_ratio",
        'absent(ALERTS{alertstate="firing"})',
    )

    assert set(calm := await stage.look()) == NEEDS_AN_INCIDENT, calm

    await stage.nights.change("bright", skill=0.0, served_model="bright-2")
    await stage.live(3)
    await stage.until_scraped("driftwarden_incidents_open > 0", 'ALERTS{alertstate="firing"}')

    assert await stage.look() == {}
    assert await stage.look(only_first=True) == {}


@pytest.mark.slow
async def test_a_new_installation_has_no_data_and_no_errors(database_url: str, tmp_path: Path) -> None:
    async with run_prometheus(tmp_path, {}) as prometheus, open_reader(database_url) as reader:
        for dashboard in read_dashboards():
            await Viewer(dashboard, Sources(prometheus, reader)).look()


@pytest.mark.slow
async def test_grafanas_user_reads_what_was_measured_and_nothing_else(database_url: str) -> None:
    async with open_reader(database_url) as reader:
        assert await reader.fetchval("SELECT count(*) FROM newest_measurements") == 0
        for secret in ("api_keys", "audit_log", "runs"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.fetch(f"SELECT * FROM {secret}")
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reader.execute("DELETE FROM suites")
