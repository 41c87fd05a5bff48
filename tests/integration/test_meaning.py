"""One source of meaning: every face of a measurement tells the same accuracy, to the last digit."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.api.dashboard.views.choices import ALL, Chosen, choose
from services.api.dashboard.views.home import read_home
from services.api.dashboard.views.unwatched import read_unwatched
from services.api.rankings import RankingShelf
from services.scheduler.detect import detect
from shared.db import runs
from shared.domain.runs import RunId
from shared.models import Catalogue
from tests.integration.anchoring import Nights, make_judged_suite, open_nights
from tests.integration.commands import Terminal, open_terminal
from tests.integration.pipeline import JUDGE
from tests.integration.scraping import scrape
from tests.integration.serving import Api, serve_api

MODELS = ("bright", "wrong")
Accuracies = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Faces:
    """An installation with real runs in it, and all the ways to look at them."""

    nights: Nights
    api: Api
    terminal: Terminal

    async def ask(self, path: str, **query: str) -> Any:
        response = await self.api.client.get(f"/api/v1{path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def command(self, *words: str) -> Any:
        return (await self.terminal(*words, "--json")).json

    async def stored(self, view: str, run_id: RunId) -> Accuracies:
        """What SQL panels read."""
        async with self.api.desk.connection() as connection:
            rows = await connection.fetch(
                f"SELECT model, accuracy FROM {view} WHERE run_id = $1 AND category = 'all'", run_id
            )
        return {row["model"]: row["accuracy"] for row in rows}

    async def suite_of(self, run_id: RunId) -> str:
        async with self.api.desk.connection() as connection:
            run = await runs.find_run(connection, run_id)
        assert run is not None
        return run.suite

    async def chosen(self, suite: str) -> Chosen:
        async with self.api.desk.connection() as connection:
            found = await choose(connection, "/", suite=suite, schedule=None, category=ALL, period="all")
        assert found is not None
        return found

    async def everywhere(self, run_id: RunId) -> dict[str, Accuracies]:
        """What each face tells of this run, which is the newest measurement of its suite, but for /stats."""
        suite = await self.suite_of(run_id)
        told = await scrape(self.api.client)
        gauges = told.having("driftwarden_accuracy_ratio", suite=suite, category="all")
        return {
            "REST: the run": whole((await self.ask(f"/runs/{run_id}"))["aggregates"]),
            "REST: the leaderboard": by_model((await self.ask("/models", suite=suite))["items"]),
            "REST: a run's leaderboard": by_model((await self.ask("/models", run=str(run_id)))["items"]),
            "CLI: show": whole((await self.command("show", str(run_id)))["aggregates"]),
            "CLI: models": by_model((await self.command("models", "--suite", suite))["items"]),
            "metrics": {labels["model"]: value for labels, value in gauges},
            "SQL: newest_measurements": await self.stored("newest_measurements", run_id),
            "SQL: model_history": await self.stored("model_history", run_id),
        }


def by_model(items: list[dict[str, Any]]) -> Accuracies:
    return {item["model"]: item["accuracy"] for item in items}


def whole(aggregates: list[dict[str, Any]]) -> Accuracies:
    return by_model([each for each in aggregates if each["category"] == "all"])


@pytest.fixture
async def faces(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Faces]:
    async with (
        open_nights(database_url, redis_url, tmp_path) as nights,
        serve_api(nights.here.settings) as api,
    ):
        yield Faces(nights, api, open_terminal(api, tmp_path / "terminal"))


def assert_same(told: dict[str, Accuracies], expected: Accuracies) -> None:
    assert set(expected) == set(MODELS)
    assert all(accuracy is not None and 0 < accuracy < 1 for accuracy in expected.values())
    assert told == dict.fromkeys(told, expected)


async def test_a_run_by_hand_is_told_alike_everywhere(faces: Faces) -> None:
    here = faces.nights.here
    run_id = await here.submit(make_judged_suite(20), *MODELS, judge=JUDGE, repeats=3)
    await here.work()

    told = await faces.everywhere(run_id)
    for name, stats in (
        ("REST: stats", await faces.ask("/stats", period="all")),
        ("CLI: stats", await faces.command("stats", "--period", "all")),
    ):
        told[name] = by_model(stats["top_models"])
    chosen = await faces.chosen(await faces.suite_of(run_id))
    async with faces.api.desk.connection() as connection:
        page = await read_unwatched(connection, faces.api.desk, RankingShelf(), chosen, ())
    told["dashboard"] = {row.model: row.accuracy for row in page.standings}

    assert_same(told, {model: each.accuracy for model, each in (await here.totals(run_id)).items()})


async def test_a_night_is_told_alike_everywhere(faces: Faces) -> None:
    here = faces.nights.here
    run_id = await faces.nights.run(repeats=3)
    await detect(here.pool, here.redis, Catalogue({}), datetime.now(UTC))

    told = await faces.everywhere(run_id)
    for name, drift in (
        ("REST: drift", await faces.ask("/drift")),
        ("CLI: drift", await faces.command("drift")),
    ):
        told[name] = {
            item["model"]: item["accuracy"]["value"] for item in drift["items"] if item["subject"] == "model"
        }
    chosen = await faces.chosen("golden")
    async with faces.api.desk.connection() as connection:
        home = await read_home(connection, faces.api.desk, chosen, (), 1, datetime.now(UTC))
    assert home is not None
    told["dashboard"] = {row.model: row.accuracy for row in home.fleet.rows}

    assert_same(told, {model: each.accuracy for model, each in (await here.totals(run_id)).items()})
