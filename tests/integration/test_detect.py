"""The watch over a schedule: what it makes of nights, and what it leaves behind."""

from collections.abc import AsyncIterator

import pytest

from shared.db.pool import open_pool
from shared.db.seen import find_last_seen
from shared.domain.runs import RunState
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.watching import Past, Story, begin_past


@pytest.fixture
async def past(database_url: str, redis_url: str) -> AsyncIterator[Past]:
    settings = Settings(database_url=database_url, redis_url=redis_url)
    async with open_pool(settings) as pool, open_redis(redis_url) as redis:
        yield await begin_past(pool, redis, ["bright", "dim"])


def dropping(model: str, night: int, to: float) -> Story:
    return Story(lambda name, number: to if name == model and number >= night else 0.8)


async def test_a_drop_becomes_one_incident_that_names_date_and_size(past: Past) -> None:
    await past.live(14, dropping("dim", 11, 0.5))

    (incident,) = await past.incidents()

    assert incident.model == "dim"
    assert incident.cause == "model"
    assert incident.severity == "critical"
    assert incident.findings["since"] == "2026-01-11"
    assert -0.45 < incident.findings["size"]["value"] < -0.15


async def test_a_slow_decay_is_caught_once_a_month(past: Past) -> None:
    decay = Story(lambda model, night: 0.9 - 0.006 * night if model == "dim" else 0.9)
    await past.live(32, decay)

    found = [one for one in await past.detections() if one["stream"] == "decay"]

    assert {(one["model"], one["outcome"]) for one in found} == {("dim", "alarm"), ("bright", "quiet")}
    assert [one.model for one in await past.incidents()] == ["dim"]


async def exactly(past: Past) -> list[tuple[object, ...]]:
    """All detection rows, floats to their last bit."""
    return [
        tuple(value.hex() if isinstance(value, float) else value for value in row.values())
        for row in await past.detections()
    ]


async def is_what_a_refold_says(past: Past) -> bool:
    """Whether the detections, to the last bit, are those that the stored results give anew."""
    before = await exactly(past)
    await past.refold()
    return bool(before) and before == await exactly(past)


async def test_an_improvement_is_told_and_opens_no_incident(past: Past) -> None:
    await past.live(16, dropping("dim", 10, 1.0))

    improved = [one for one in await past.detections() if one["outcome"] == "improved"]
    assert {one["model"] for one in improved} == {"dim"}
    assert await past.incidents() == []


async def test_a_night_without_answers_is_an_outage_until_the_next_one(past: Past) -> None:
    out = Story(lambda model, night: None if (model, night) == ("dim", 9) else 0.8)
    await past.live(9, out)
    (opened,) = await past.incidents()
    assert (opened.model, opened.cause, opened.status) == ("dim", "outage", "open")
    assert (await past.states())["dim"] == "no_data"

    await past.live(1, out)
    (closed,) = await past.incidents()
    assert (closed.status, closed.resolution) == ("closed", "outage_over")
    assert await past.events() == [("dim", "opened"), ("dim", "outage_over")]
    assert await past.states() == {"bright": "ok", "dim": "ok"}
    assert await is_what_a_refold_says(past)


async def test_a_night_of_wrong_answers_alone_is_taken_out_again(past: Past) -> None:
    """The night is set aside, and what is said later is as if it had not been."""
    await past.live(11, Story(wrong=lambda model, night, category: (model, night) == ("dim", 10)))

    (incident,) = await past.incidents()
    assert (incident.model, incident.resolution) == ("dim", "outage_over")
    there = [one for one in await past.detections() if (one["model"], one["sequence"]) == ("dim", 10)]
    assert {one["outcome"] for one in there} == {"set_aside"}
    assert await is_what_a_refold_says(past)

    await past.live(3)
    assert len(await past.incidents()) == 1
    assert await is_what_a_refold_says(past)


async def test_a_drop_in_one_category_is_found_there(past: Past) -> None:
    await past.live(
        14, Story(wrong=lambda model, night, category: model == "dim" and night > 9 and category == "cat-2")
    )

    (incident,) = await past.incidents()
    assert incident.model == "dim"
    assert "category:cat-2" in incident.findings["streams"]
    assert [one["category"] for one in incident.findings["categories"] if one["is_worse"]] == ["cat-2"]


async def test_another_stream_joins_the_incident_that_is_open(past: Past) -> None:
    slow = Story(
        lambda model, night: 0.5 if model == "dim" and night >= 20 else 0.8,
        seconds=lambda model, night: 0.5 + 0.001 * (night % 5) + 5 * (model == "dim" and night >= 26),
    )
    await past.live(32, slow)

    (incident,) = await past.incidents()
    assert {"latency", "slow_calls"} & set(incident.findings["streams"])
    assert incident.findings["stream"] not in ("latency", "slow_calls")
    kinds = [kind for _, kind in await past.events()]
    assert kinds[0] == "opened"
    assert "joined" in kinds


async def test_people_are_reminded_of_what_stays_open(past: Past) -> None:
    await past.live(24, dropping("dim", 10, 0.4))

    kinds = [kind for _, kind in await past.events()]
    assert kinds[0] == "opened"
    assert 1 <= kinds.count("reminded") <= 2
    assert len(await past.incidents()) == 1


async def test_an_incident_closes_when_the_model_is_back(past: Past) -> None:
    back = Story(lambda model, night: 0.5 if model == "dim" and 10 <= night < 15 else 0.97)
    await past.live(25, back)

    (incident,) = await past.incidents()
    assert (incident.status, incident.resolution) == ("closed", "recovered")
    assert (await past.states())["dim"] == "ok"
    assert await is_what_a_refold_says(past)


async def test_an_incident_of_a_model_that_is_asked_no_more_is_over(past: Past) -> None:
    await past.live(12, dropping("dim", 10, 0.3))
    [incident] = await past.incidents()
    assert (incident.model, incident.status) == ("dim", "open")
    past.models = ["bright"]
    await past.live(2)
    [incident] = await past.incidents()
    assert (incident.status, incident.resolution) == ("closed", "left")
    assert [kind for _, kind in await past.events()].count("left") == 1


async def test_a_run_that_was_broken_off_is_seen_and_changes_nothing(past: Past) -> None:
    await past.live(5)
    before = await exactly(past)
    for state in (RunState.STOPPED_BY_BUDGET, RunState.CANCELLED, RunState.FAILED):
        await past.measure(end=state)
        assert await past.watch() == 1

    assert await exactly(past) == before
    assert await past.watch() == 0
    await past.live(2)
    assert {one["sequence"] for one in await past.detections()} == set(range(1, 8))
    assert await past.incidents() == []


async def test_a_night_that_is_not_over_keeps_later_ones_waiting(past: Past) -> None:
    await past.live(3)
    late = await past.measure(end=RunState.RUNNING)
    await past.measure()
    assert await past.watch() == 0

    await past.finish(late)
    assert await past.watch() == 2
    assert {one["sequence"] for one in await past.detections()} == set(range(1, 6))
    assert await is_what_a_refold_says(past)


async def test_a_night_long_past_that_is_asked_again_is_evidence_and_no_news(past: Past) -> None:
    """It takes its place before the nights that were seen; nobody is told, and nothing is lost."""
    await past.live(20, dropping("dim", 12, 0.4))
    told, opened = await past.events(), await past.incidents()
    assert opened
    await past.confirm(11, Story(lambda model, night: 0.8))
    assert await past.watch() == 1

    assert {one["sequence"] for one in await past.detections()} == set(range(1, 22))
    assert await past.events() == told
    assert [one.status for one in await past.incidents()] == [one.status for one in opened]
    assert await is_what_a_refold_says(past)
    await past.live(1, dropping("dim", 1, 0.4))
    assert len(await past.incidents()) == len(opened)
    assert await is_what_a_refold_says(past)


async def test_a_model_that_joins_late_has_its_outage_taken_out_as_well(past: Past) -> None:
    await past.live(4)
    past.models = ["bright", "dim", "young"]
    wrong = Story(
        lambda model, night: 0.97, wrong=lambda model, night, category: (model, night) == ("young", 14)
    )
    await past.live(16, wrong)

    (incident,) = await past.incidents()
    assert (incident.model, incident.resolution) == ("young", "outage_over")
    assert await is_what_a_refold_says(past)


async def test_one_schedule_s_trouble_is_not_another_s(past: Past) -> None:
    """A schedule whose entries can't be folded keeps no other schedule waiting."""
    await past.live(2)
    other = await begin_past(past.pool, past.redis, ["bright"], name="other")
    await past.measure()
    await other.measure()
    async with past.pool.acquire() as connection:
        await connection.execute("UPDATE folds SET state = 'torn' WHERE schedule_id = $1", past.schedule.id)
    with pytest.raises(ExceptionGroup):
        await past.watch()

    async with past.pool.acquire() as connection:
        assert await find_last_seen(connection, other.schedule.id) is not None
