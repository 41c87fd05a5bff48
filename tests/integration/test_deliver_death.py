"""What becomes of messages when their senders are killed at any moment: none is lost."""

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter

import pytest

from services.scheduler.deliver import LEASE
from shared.db.channels import ChannelKind
from shared.db.pool import open_pool
from shared.domain.telling.messages import PERHAPS_AGAIN
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.delivering_process import CLOCK
from tests.integration.fleet import ROOT, until
from tests.integration.receiving import (
    INSIDE,
    KEY,
    Clock,
    Outgoing,
    all_text,
    open_receiver,
    with_receivers,
)
from tests.integration.test_deliver import lose_sight
from tests.integration.watching import begin_past

CHANNELS = 4
MOST_KILLS = 6


async def start_sending(settings: Settings, point: str = "nowhere") -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.delivering_process", point,
        f"database_url={settings.database_url.get_secret_value()}",
        f"redis_url={settings.redis_url.get_secret_value()}",
        f"secret_key={KEY}", f"allowed_networks={INSIDE}",
        cwd=ROOT, stdout=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    return process


async def kill(process: Process) -> None:
    process.kill()
    await process.wait()


@pytest.mark.parametrize("point", ["before", "during", "after"])
@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.WEBHOOK])
async def test_a_sender_that_is_killed_leaves_the_message_to_the_next(
    database_url: str, redis_url: str, point: str, kind: ChannelKind
) -> None:
    settings = with_receivers(Settings(database_url=database_url, redis_url=redis_url))
    async with (
        open_pool(settings) as pool,
        open_redis(redis_url) as redis,
        open_receiver(*(["hang"] if point == "during" else [])) as receiver,
    ):
        past = await begin_past(pool, redis, ["bright", "dim"], questions=20)
        outgoing = Outgoing(pool, settings, Clock())
        await redis.set(CLOCK, outgoing.clock.now.isoformat())
        await outgoing.add("people", kind, receiver.url)
        await lose_sight(past)

        sender = await start_sending(settings, point)
        assert sender.stdout is not None
        await (receiver.came.wait() if point == "during" else sender.stdout.readline())
        await kill(sender)

        assert await outgoing.send() == {}  # the lease holds
        outgoing.clock.now += LEASE
        assert await outgoing.send() == {"delivered": 1}

        sent_twice = point == "after"
        assert len(receiver.accepted) == 1 + sent_twice
        assert await outgoing.outcomes() == [["unknown", "delivered"]]
        if kind is ChannelKind.WEBHOOK:
            assert len({(one.id, one.body) for one in receiver.received}) == 1
        else:
            says = [PERHAPS_AGAIN in all_text(one.json["blocks"]) for one in receiver.accepted]
            assert says == [False] * sent_twice + [True]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_two_senders_that_are_killed_again_and_again_lose_nothing(
    database_url: str, redis_url: str, seed: int
) -> None:
    """Receivers fail and hang up at random meanwhile. What comes twice has the same id, or says so."""
    chance = random.Random(seed)
    settings = with_receivers(Settings(database_url=database_url, redis_url=redis_url))
    async with open_pool(settings) as pool, open_redis(redis_url) as redis, open_receiver() as receiver:
        past = await begin_past(pool, redis, ["bright", "dim"], questions=20)
        outgoing = Outgoing(pool, settings, Clock())
        for number in range(CHANNELS):
            await outgoing.add(f"slack-{number}", ChannelKind.SLACK, f"{receiver.url}/slack/{number}")
            await outgoing.add(f"hook-{number}", ChannelKind.WEBHOOK, f"{receiver.url}/hook/{number}")
        await lose_sight(past, nights=4)
        owed = len(await outgoing.deliveries())
        receiver.answers = [chance.choice([200, 200, 200, 500, "die", 429]) for _ in range(2 * owed)]
        await redis.set(CLOCK, outgoing.clock.now.isoformat())

        async def something_came() -> bool:
            """Whether a message came; time goes on to the next that is due, never past a living sender."""
            async with pool.acquire() as connection:
                waiting = await connection.fetch(
                    "SELECT DISTINCT ON (channel_id) next_attempt_at, lease_until FROM deliveries"
                    " WHERE state = 'pending' ORDER BY channel_id, incident_event_id"
                )
            if not any(one["lease_until"] and one["lease_until"] > outgoing.clock.now for one in waiting):
                due = min((one["next_attempt_at"] for one in waiting), default=outgoing.clock.now)
                outgoing.clock.now = max(outgoing.clock.now, due)
                await redis.set(CLOCK, outgoing.clock.now.isoformat())
            return not waiting or len(receiver.received) > seen

        running = list(await asyncio.gather(start_sending(settings), start_sending(settings)))
        kills = 0
        try:
            while await outgoing.deliveries(state="pending"):
                seen = len(receiver.received)
                await until(something_came)
                if kills < MOST_KILLS:
                    await kill(running.pop(chance.randrange(2)))
                    kills += 1
                    outgoing.clock.now += LEASE
                    running.append(await start_sending(settings))
        finally:
            for process in running:
                await kill(process)

        assert kills >= 3
        assert {one.state for one in await outgoing.deliveries()} == {"delivered"}
        hooks = [one for one in receiver.accepted if one.path.startswith("/hook")]
        assert len({one.id for one in hooks}) == owed // 2
        first_ones = Counter(
            (one.path, one.json["text"])
            for one in receiver.accepted
            if one.path.startswith("/slack") and PERHAPS_AGAIN not in all_text(one.json["blocks"])
        )
        assert max(first_ones.values()) == 1
