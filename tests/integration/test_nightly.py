"""Nights come due, are opened once, and are told apart from those that nobody was there to open."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from services.scheduler.nightly import NOBODY_THERE
from shared.db import runs, schedules, suites
from shared.db.runs import Run
from shared.db.schedules import NightState, Schedule
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Scorer
from shared.domain.runs import RunKind
from shared.models import Catalogue
from shared.nights import open_confirmation, open_night
from shared.settings import Settings
from tests.factories import make_suite
from tests.integration.fleet import until
from tests.integration.scheduling import NOON, Watch, keep_watch, on_night, scheduler
from tests.integration.submitting import is_queued

FIRST = date(2026, 3, 2)
MODELS = ["bright", "dim", "also-bright", "echo"]


@pytest.fixture
async def watch(api_settings: Settings) -> AsyncIterator[Watch]:
    async with keep_watch(api_settings) as watch:
        yield watch


def nth(day: int) -> date:
    """The date of the `day`th night; 1 is the first that can come due."""
    return FIRST + timedelta(days=day - 1)


async def read_run(watch: Watch, schedule: Schedule, day: int = 1, attempt: int = 0) -> Run:
    async with watch.pool.acquire() as connection:
        night = await schedules.find_night(connection, schedule.id, nth(day))
        assert night is not None
        run = await runs.find_run(connection, night.runs[attempt].run_id)
    assert run is not None
    return run


async def test_a_night_is_opened_when_it_comes_due_and_not_before(watch: Watch) -> None:
    schedule = await watch.schedule()
    assert await watch.look(on_night(1, hours=1.99)) == {}
    assert await watch.look(on_night(1)) == {"opened": 1}
    assert await watch.look(on_night(1, hours=2.01)) == {}
    assert await watch.dates(schedule) == [(nth(1), "ran", 1)]


async def test_a_nights_run_asks_what_the_schedule_says_and_every_control(watch: Watch) -> None:
    schedule = await watch.schedule(models=["dim"], repeats=3, sample=2, judge=None)
    await watch.look(on_night(1))
    run = await read_run(watch, schedule)
    assert (run.kind, run.schedule, run.night, run.attempt) == (RunKind.NIGHTLY, "nightly", FIRST, 0)
    assert (run.models, run.repeats, run.sample) == (["dim", "echo"], 3, 2)
    assert await is_queued(watch.redis, "plan_run", str(run.id))


async def test_without_named_models_a_night_asks_all_but_the_judge(watch: Watch) -> None:
    schedule = await watch.schedule()
    await watch.look(on_night(1))
    assert (await read_run(watch, schedule)).models == MODELS


async def test_a_night_asks_the_suites_newest_version_with_its_judge(watch: Watch) -> None:
    schedule = await watch.schedule()
    async with watch.pool.acquire() as connection, connection.transaction():
        await suites.store_suite(connection, "golden", make_suite(scorer=Scorer()))
    await watch.look(on_night(1))
    run = await read_run(watch, schedule)
    assert (run.suite_version, run.judge) == (2, "sim-judge")


async def test_the_budget_that_held_is_a_fact_of_the_night(watch: Watch) -> None:
    """Models of all active schedules count, once for each schedule; controls and pauses do not."""
    await watch.schedule(name="one", models=["bright", "echo"])
    await watch.schedule(name="other")
    await watch.schedule(name="paused", is_paused=True)
    await watch.look(on_night(1), settings=watch.settings.model_copy(update={"nights_per_false_alarm": 90}))
    async with watch.pool.acquire() as connection:
        rows = await connection.fetch("SELECT watched_models, nights_per_false_alarm FROM nights")
    assert [tuple(row) for row in rows] == [(4, 90.0), (4, 90.0)]


async def test_nights_without_a_scheduler_are_missed_and_never_made_up(watch: Watch) -> None:
    schedule = await watch.schedule()
    await watch.look(on_night(1))
    with capture_logs() as logs:
        assert await watch.look(on_night(4, hours=3)) == {"opened": 1, "missed": 2}
    expected = [(nth(1), "ran", 1), (nth(2), "missed", 0), (nth(3), "missed", 0), (nth(4), "ran", 1)]
    assert await watch.dates(schedule) == expected
    assert (await watch.nights(schedule))[1].reason == NOBODY_THERE
    assert [entry["event"] for entry in logs].count("night.missed") == 2


@pytest.mark.parametrize(("hours", "state"), [(2 + 5.9, "ran"), (2 + 6.1, "missed")])
async def test_a_night_may_begin_late_within_its_grace(watch: Watch, hours: float, state: str) -> None:
    schedule = await watch.schedule()
    await watch.look(on_night(1, hours=hours))
    assert [found for _, found, _ in await watch.dates(schedule)] == [state]


async def test_a_new_schedule_has_missed_nothing(watch: Watch) -> None:
    schedule = await watch.schedule(now=on_night(9, hours=3))
    assert await watch.look(on_night(9, hours=4)) == {}
    await watch.look(on_night(10))
    assert await watch.dates(schedule) == [(nth(10), "ran", 1)]


async def test_a_paused_schedule_opens_nothing_and_misses_nothing(watch: Watch) -> None:
    """Once resumed, it begins with what comes due from then on."""
    schedule = await watch.schedule()
    await watch.look(on_night(1))
    async with watch.pool.acquire() as connection:
        await schedules.pause_schedule(connection, schedule.id)
        assert await watch.look(on_night(3)) == {}
        await schedules.resume_schedule(connection, schedule.id, on_night(5, hours=2.5))
    assert await watch.look(on_night(5, hours=3)) == {}
    await watch.look(on_night(6))
    assert await watch.dates(schedule) == [(nth(1), "ran", 1), (nth(6), "ran", 1)]


async def test_resuming_what_is_not_paused_loses_no_night(watch: Watch) -> None:
    schedule = await watch.schedule()
    async with watch.pool.acquire() as connection:
        await schedules.resume_schedule(connection, schedule.id, on_night(1, hours=3))
    assert await watch.look(on_night(1, hours=4)) == {"opened": 1}


async def test_changed_terms_lose_no_night_but_changed_times_begin_anew(watch: Watch) -> None:
    schedule = await watch.schedule()
    await watch.schedule(now=on_night(1, hours=2.1), repeats=2)
    assert await watch.look(on_night(1, hours=2.2)) == {"opened": 1}
    await watch.schedule(now=on_night(2, hours=3), cron="0 1 * * *")
    assert await watch.look(on_night(2, hours=4)) == {}
    await watch.look(on_night(3, hours=1))
    assert [night for night, _, _ in await watch.dates(schedule)] == [nth(1), nth(3)]


async def test_a_night_whose_order_can_not_be_run_is_missed_with_the_reason(watch: Watch) -> None:
    schedule = await watch.schedule(models=["bright", "dim"])
    healthy = await watch.schedule(name="healthy", models=["bright"])
    without_dim = {name: entry for name, entry in watch.catalogue.entries.items() if name != "dim"}
    catalogue = Catalogue(without_dim, watch.catalogue.default_judge)
    assert await watch.look(on_night(1), catalogue=catalogue) == {"opened": 1, "missed": 1}
    assert await watch.look(on_night(1, hours=2.1), catalogue=catalogue) == {}
    [night] = await watch.nights(schedule)
    assert (night.state, night.runs) == (NightState.MISSED, [])
    assert night.reason is not None
    assert night.reason.startswith("models[1]: 'dim' is not in models.yaml.")
    assert await watch.dates(healthy) == [(nth(1), "ran", 1)]


async def test_a_time_zone_that_is_no_longer_known_stops_no_other_schedule(watch: Watch) -> None:
    await watch.schedule(name="lost", time_zone="Europe/Atlantis")
    await watch.schedule(name="well")
    with capture_logs() as logs:
        assert await watch.look(on_night(1)) == {"opened": 1}
    assert [entry["schedule"] for entry in logs if entry["event"] == "schedule.unreadable"] == ["lost"]


async def test_many_schedulers_open_each_night_once(watch: Watch) -> None:
    named = [await watch.schedule(name=f"schedule-{number}") for number in range(3)]
    async with keep_watch(watch.settings) as other:
        for day in (1, 2, 3, 6):
            done = await asyncio.gather(*(each.look(on_night(day)) for each in (watch, other) * 3))
            assert sum(each["opened"] for each in done) == 3
    for schedule in named:
        states = [(state, runs) for _, state, runs in await watch.dates(schedule)]
        assert states == [("ran", 1)] * 3 + [("missed", 0)] * 2 + [("ran", 1)]


async def test_the_rows_alone_let_one_of_many_open_a_night(watch: Watch) -> None:
    schedule = await watch.schedule()

    async def open_it() -> Run | None:
        async with watch.pool.acquire() as connection:
            due_at = on_night(1)
            return await open_night(connection, watch.catalogue, watch.settings, schedule, FIRST, due_at)

    opened = await asyncio.gather(*(open_it() for _ in range(6)))
    assert len([run for run in opened if run is not None]) == 1


async def test_scheduler_processes_open_what_is_due_without_being_told(watch: Watch) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    schedule = await watch.schedule(
        now=an_hour_ago - timedelta(minutes=2), cron=f"{an_hour_ago.minute} {an_hour_ago.hour} * * *"
    )

    async def is_there() -> bool:
        return bool(await watch.nights(schedule))

    async with scheduler(watch.settings), scheduler(watch.settings):
        await until(is_there, within_seconds=60)
    assert await watch.dates(schedule) == [(an_hour_ago.date(), "ran", 1)]


async def test_no_night_is_put_before_a_later_one(watch: Watch) -> None:
    """What has been judged is not changed afterwards; the calendar goes on after nights that were made up."""
    schedule = await watch.schedule()
    async with watch.pool.acquire() as connection:
        for day in (9, 4):
            await open_night(connection, watch.catalogue, watch.settings, schedule, nth(day), NOON)
    assert await watch.look(on_night(5)) == {}
    await watch.look(on_night(10))
    assert await watch.dates(schedule) == [(nth(9), "ran", 1), (nth(10), "ran", 1)]


async def test_the_last_night_can_be_run_after_it_was_missed(watch: Watch) -> None:
    schedule = await watch.schedule()
    await watch.look(on_night(2, hours=20))
    async with watch.pool.acquire() as connection:
        for day in (1, 2):
            await open_night(connection, watch.catalogue, watch.settings, schedule, nth(day), NOON)
    assert await watch.dates(schedule) == [(nth(1), "missed", 0), (nth(2), "ran", 1)]


async def test_an_order_that_is_refused_leaves_no_night(watch: Watch) -> None:
    schedule = await watch.schedule(suite="golden", models=["bright"])
    async with watch.pool.acquire() as connection:
        await connection.execute("UPDATE suite_versions SET is_runnable = false")
        with pytest.raises(InvalidInput, match="suite: 'golden' came with imported results"):
            await open_night(connection, watch.catalogue, watch.settings, schedule, FIRST, NOON)
    assert await watch.dates(schedule) == []


async def test_a_night_is_confirmed_twice_at_most_by_the_models_that_deserve_it(watch: Watch) -> None:
    schedule = await watch.schedule(repeats=2)
    await watch.look(on_night(1))
    await watch.schedule(repeats=5)
    async with watch.pool.acquire() as connection, connection.transaction():
        await suites.store_suite(connection, "golden", make_suite(5))

    async def confirm() -> Run | None:
        async with watch.pool.acquire() as connection:
            return await open_confirmation(connection, schedule, FIRST, ["dim"])

    opened = [run for run in await asyncio.gather(*(confirm() for _ in range(4))) if run]
    assert sorted((run.attempt, run.kind, run.models) for run in opened) == [
        (1, RunKind.CONFIRMATION, ["dim"]),
        (2, RunKind.CONFIRMATION, ["dim"]),
    ]
    nightly = await read_run(watch, schedule)
    for run in opened:
        same = replace(run, repeats=nightly.repeats, suite_version=1, parameters=nightly.parameters)
        assert run == same, "all else is as in the nightly run"


async def test_a_night_that_did_not_run_can_not_be_confirmed(watch: Watch) -> None:
    schedule = await watch.schedule()
    await watch.look(on_night(1, hours=20))
    async with watch.pool.acquire() as connection:
        for day in (1, 2):
            assert await open_confirmation(connection, schedule, nth(day), ["dim"]) is None
