"""The week's digest: once for each channel that wants it, over the same road as alerts."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.scheduler.digest import write_digests
from shared.db.channels import ChannelKind
from shared.db.pool import open_pool
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.receiving import Clock, Outgoing, Receiver, all_text, open_receiver, with_receivers
from tests.integration.watching import Past, Story, begin_past

# The nights begin on Thursday, 2026-01-01: the fifth is the first Monday, the twelfth the second.
SECOND_MONDAY = datetime(2026, 1, 12, 7, tzinfo=UTC)
BEFORE = datetime(2026, 1, 7, tzinfo=UTC)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


@pytest.fixture
async def past(database_url: str, redis_url: str) -> AsyncIterator[Past]:
    settings = Settings(database_url=database_url, redis_url=redis_url)
    async with open_pool(settings) as pool, open_redis(redis_url) as redis:
        yield await begin_past(pool, redis, ["bright", "dim"], questions=40)


async def test_a_week_is_told_once_to_those_who_want_it(
    past: Past, receiver: Receiver, database_url: str, redis_url: str
) -> None:
    settings = with_receivers(Settings(database_url=database_url, redis_url=redis_url))
    outgoing = Outgoing(past.pool, settings, Clock(SECOND_MONDAY))
    slack, hook = ChannelKind.SLACK, ChannelKind.WEBHOOK
    await past.live(11, Story(lambda model, night: None if (model, night) == ("dim", 11) else 0.8))
    await outgoing.add("team", slack, f"{receiver.url}/slack", weekly_since=BEFORE)
    await outgoing.add("dim", hook, f"{receiver.url}/hook", weekly_since=BEFORE, models=["dim"])
    await outgoing.add("late", slack, f"{receiver.url}/late", weekly_since=SECOND_MONDAY)
    await outgoing.add("never", slack, f"{receiver.url}/never")

    assert [await write_digests(past.pool, SECOND_MONDAY) for _ in range(2)] == [2, 0]
    assert await outgoing.send() == {"delivered": 2}

    told = {one.path: one.json for one in receiver.accepted}
    assert set(told) == {"/slack", "/hook"}
    assert told["/hook"]["type"] == "digest.weekly"
    data = told["/hook"]["data"]
    assert (data["begin"], data["end"], len(data["incidents"])) == ("2026-01-05", "2026-01-12", 1)
    (schedule,) = data["schedules"]
    assert (schedule["nights_ran"], [one["model"] for one in schedule["models"]]) == (7, ["dim"])
    said = " ".join(all_text(told["/slack"]["blocks"]))
    assert "The week from 2026-01-05" in said
    assert "points to the week before" in said
    assert "1 new incident, 1 open at its end." in said
