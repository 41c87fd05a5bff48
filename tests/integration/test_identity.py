"""Who models say they are: asked once a night by a worker, read beside what came with their answers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.worker.check import QUESTION
from services.worker.probe import probe_identity
from shared.db import identity, schedules
from shared.db.identity import Probe
from shared.db.pool import Connection
from shared.domain.causes.identity import IdentityChange, IdentityKind, follow
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.runs import RunId, RunKind, RunState
from shared.models import Catalogue
from shared.queue import enqueue_run_job
from tests.factories import make_question, make_suite
from tests.integration.pipeline import Installation, install
from tests.integration.scheduling import NOON, TERMS

CONTENT = make_suite(12)
ATLAS: dict[str, Any] = {"served_model": "atlas-2026-01", "system_fingerprint": "fp_1"}
FLEET: dict[str, Any] = {"atlas": ATLAS, "nobody": {}, "down": {"faults": {"server_error": 1}}}
WHO = make_question(
    99, input=QUESTION[0]["content"], target="I am Claude, made by Anthropic.", scorer=Scorer("equals")
)


@asynccontextmanager
async def watch(
    database_url: str, redis_url: str, folder: Path, models: dict[str, Any] = FLEET
) -> AsyncIterator[tuple[Installation, int]]:
    """An installation whose models know one answer more than the suite asks, and a schedule in it."""
    known = SuiteContent((*CONTENT.questions, WHO))
    async with install(database_url, redis_url, folder, known, models, max_attempts=1) as here:
        async with here.pool.acquire() as connection:
            schedule_id = await store_schedule(connection)
        yield here, schedule_id


async def store_schedule(connection: Connection) -> int:
    await connection.execute("INSERT INTO suites (name) VALUES ($1)", TERMS.suite)
    schedule, _ = await schedules.store_schedule(connection, TERMS, NOON)
    return schedule.id


async def run_night(
    here: Installation, schedule_id: int, day: int, *models: str, kind: RunKind = RunKind.NIGHTLY
) -> RunId:
    place = {"schedule_id": schedule_id, "night": date(2026, 3, day), "attempt": int(kind != "nightly")}
    run_id = await here.submit(CONTENT, *models, kind=kind, **place)
    await here.work()
    assert (await here.run(run_id)).state is RunState.COMPLETED
    return run_id


async def read_probes(here: Installation, run_ids: Sequence[RunId]) -> dict[str, Any]:
    async with here.pool.acquire() as connection:
        rows = await connection.fetch("SELECT * FROM identity_probes WHERE run_id = ANY ($1)", run_ids)
    return {row["model"]: row for row in rows}


@pytest.fixture
def places(database_url: str, redis_url: str, tmp_path: Path) -> tuple[str, str, Path]:
    return database_url, redis_url, tmp_path


async def test_each_model_of_a_night_is_asked_once_who_it_is(places: tuple[str, str, Path]) -> None:
    async with watch(*places) as (here, schedule_id):
        run_id = await run_night(here, schedule_id, 1, *FLEET)
        probes = await read_probes(here, [run_id])
        assert probes.keys() == FLEET.keys()
        atlas, down = probes["atlas"], probes["down"]
        assert atlas["served_model"] == "atlas-2026-01"
        assert atlas["system_fingerprint"] == "fp_1"
        assert atlas["error"] is None
        assert atlas["says_it_is"]
        assert (down["says_it_is"], down["served_model"]) == (None, None)
        assert down["error"]

        asked = await here.requests("atlas")
        await enqueue_run_job(here.redis, "plan_run", run_id)
        await enqueue_run_job(here.redis, "probe_identity", run_id)
        await here.work()
        assert await here.requests("atlas") == asked == len(CONTENT.questions) + 1
        assert await read_probes(here, [run_id]) == probes


async def test_a_probe_that_was_broken_off_asks_only_who_is_missing(places: tuple[str, str, Path]) -> None:
    async with watch(*places) as (here, schedule_id):
        run_id = await run_night(here, schedule_id, 1, *FLEET)
        async with here.pool.acquire() as connection:
            await connection.execute("DELETE FROM identity_probes WHERE model = 'atlas'")
        before = await here.requests("atlas"), await here.requests("nobody")
        await probe_identity(here.pool, Catalogue.load(here.settings.models_file, {}), run_id)
        assert (await here.requests("atlas"), await here.requests("nobody")) == (before[0] + 1, before[1])
        assert (await read_probes(here, [run_id])).keys() == FLEET.keys()


@pytest.mark.parametrize("kind", [RunKind.ADHOC, RunKind.CONFIRMATION])
async def test_only_nights_are_probed(places: tuple[str, str, Path], kind: RunKind) -> None:
    async with watch(*places) as (here, schedule_id):
        if kind is RunKind.ADHOC:
            run_id = await here.submit(CONTENT, "atlas")
            await here.work()
        else:
            run_id = await run_night(here, schedule_id, 1, "atlas", kind=kind)
        assert await read_probes(here, [run_id]) == {}
        assert await here.requests("atlas") == len(CONTENT.questions)


async def test_what_came_with_the_answers_is_followed_from_night_to_night(
    places: tuple[str, str, Path],
) -> None:
    async with watch(*places) as (here, schedule_id):
        nights = [await run_night(here, schedule_id, 1, "atlas", "nobody")]
        async with httpx.AsyncClient(base_url=here.provider_url) as client:
            later = {"served_model": "atlas-2026-03", "system_fingerprint": "fp_2"}
            (await client.patch("/admin/models/atlas", json=later)).raise_for_status()
        nights += [await run_night(here, schedule_id, day, "atlas", "nobody") for day in (2, 3)]

        async with here.pool.acquire() as connection:
            found = await identity.read_identities(connection, nights)
        first = found[nights[0]]["atlas"]
        assert [(one.value, one.answers) for one in first.served_models] == [("atlas-2026-01", 12)]
        assert [(one.value, one.answers) for one in first.fingerprints] == [("fp_1", 12)]
        assert first.says_it_is
        assert found[nights[0]]["nobody"].fingerprints == ()
        assert follow(found[run_id]["atlas"] for run_id in nights) == [
            (),
            (
                IdentityChange(IdentityKind.SERVED_MODEL, "atlas-2026-01", "atlas-2026-03"),
                IdentityChange(IdentityKind.SYSTEM_FINGERPRINT, "fp_1", "fp_2"),
            ),
            (),
        ]
        assert follow(found[run_id]["nobody"] for run_id in nights) == [(), (), ()]


async def test_a_model_that_names_another_one_is_found_by_its_probes(places: tuple[str, str, Path]) -> None:
    bright = {"atlas": {"skill": 1.0, "noise": 0.0}}
    async with watch(*places, models=bright) as (here, schedule_id):
        nights = [await run_night(here, schedule_id, day, "atlas") for day in (1, 2)]
        async with here.pool.acquire() as connection:
            before = Probe("atlas", "I am ChatGPT, by OpenAI.", None, None, None)
            await connection.execute("DELETE FROM identity_probes WHERE run_id = $1", nights[0])
            await identity.store_probes(connection, nights[0], [before])
            await identity.store_probes(
                connection, nights[0], [Probe("atlas", "I am Grok.", None, None, None)]
            )
            found = await identity.read_identities(connection, nights)
        assert found[nights[1]]["atlas"].says_it_is == "I am Claude, made by Anthropic."
        assert follow(found[run_id]["atlas"] for run_id in nights) == [
            (),
            (IdentityChange(IdentityKind.SAYS_IT_IS, "GPT", "Claude"),),
        ]


async def test_a_change_is_stored_once_and_listed_newest_first(places: tuple[str, str, Path]) -> None:
    async with watch(*places) as (here, schedule_id), here.pool.acquire() as connection:
        run_id = await here.submit(CONTENT, "atlas")
        changes = (
            IdentityChange(IdentityKind.SERVED_MODEL, "a", "b"),
            IdentityChange(IdentityKind.SYSTEM_FINGERPRINT, "x", "y"),
        )
        at = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
        for _ in range(2):
            await identity.store_identity_events(connection, schedule_id, "atlas", run_id, changes, at)
        await identity.store_identity_events(connection, schedule_id, "nobody", run_id, changes[:1], at)
        listed = await identity.list_identity_events(connection, schedule_id)
        assert [(each.model, each.change) for each in listed] == [
            ("nobody", changes[0]),
            ("atlas", changes[1]),
            ("atlas", changes[0]),
        ]
        assert {(each.run_id, each.at) for each in listed} == {(run_id, at)}
        newer, *older = listed
        assert await identity.list_identity_events(connection, schedule_id, before=newer.id) == older
        assert (
            await identity.list_identity_events(connection, schedule_id, model="atlas", limit=1) == older[:1]
        )
