"""From a drift to the people who should know: one message for each channel, whatever its receiver does."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import structlog.testing

from shared.db import channels
from shared.db.channels import ChannelKind, ChannelState
from shared.db.pool import open_pool
from shared.domain.telling.redelivery import MOST_TRIES, RETRY_SECONDS
from shared.domain.telling.routing import MinSeverity
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.receiving import (
    Clock,
    Outgoing,
    Receiver,
    all_text,
    is_signed,
    open_receiver,
    with_receivers,
)
from tests.integration.test_detect import dropping
from tests.integration.watching import Past, Story, begin_past

SLACK, WEBHOOK = ChannelKind.SLACK, ChannelKind.WEBHOOK


@pytest.fixture
async def past(database_url: str, redis_url: str) -> AsyncIterator[Past]:
    settings = Settings(database_url=database_url, redis_url=redis_url)
    async with open_pool(settings) as pool, open_redis(redis_url) as redis:
        yield await begin_past(pool, redis, ["bright", "dim"])


@pytest.fixture
def outgoing(past: Past, database_url: str, redis_url: str) -> Outgoing:
    settings = with_receivers(Settings(database_url=database_url, redis_url=redis_url))
    return Outgoing(past.pool, settings, Clock())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


async def drift(past: Past) -> None:
    """One incident, of one event."""
    await past.live(8, dropping("dim", 8, 0.3))


async def lose_sight(past: Past, nights: int = 2) -> None:
    """One incident, of one event, soon: in the second night nothing of a model was measured."""
    await past.live(nights, Story(lambda model, night: None if (model, night) == ("dim", 2) else 0.8))


async def test_a_drift_becomes_one_slack_message_and_one_verified_webhook(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    await outgoing.add("team", SLACK, f"{receiver.url}/slack")
    secret = await outgoing.add("pipeline", WEBHOOK, f"{receiver.url}/hook")
    await drift(past)

    first, again = await outgoing.send(), await outgoing.send()

    assert (first, again) == ({"delivered": 2}, {})
    (slack,) = [one for one in receiver.accepted if one.path == "/slack"]
    (hook,) = [one for one in receiver.accepted if one.path == "/hook"]
    (incident,) = await past.incidents()
    said = all_text(slack.json["blocks"])
    assert said[0] == "Drift, critical: dim"
    assert said[1] == incident.headline
    order = [said.index(next(one for one in said if one.startswith(f"*{head}"))) for head in
             ("Who did it?", "How sure is that?", "Where?")]  # fmt: skip
    assert order == sorted(order)
    assert f"https://drift.example/incidents/{incident.id}" in slack.body.decode()
    assert is_signed(hook, secret)
    assert (hook.json["type"], hook.json["data"]["headline"]) == ("incident.opened", incident.headline)
    assert len(hook.json["data"]["flips"]) == 3


async def test_two_senders_at_once_send_each_message_once(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    for number in range(12):
        await outgoing.add(f"hook-{number}", WEBHOOK, f"{receiver.url}/{number}")
    await lose_sight(past)

    counts = await asyncio.gather(outgoing.send(), outgoing.send(), outgoing.send())

    assert sum(one.get("delivered", 0) for one in counts) == 12
    assert sorted(one.path for one in receiver.received) == sorted(f"/{number}" for number in range(12))


@pytest.mark.parametrize("answer", [500, 503, 408, 425, "die", "hang"])
async def test_a_receiver_that_fails_in_passing_gets_the_same_message_later(
    past: Past, outgoing: Outgoing, receiver: Receiver, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.scheduler.channels.post.SEND_SECONDS", 0.3)
    await outgoing.add("pipeline", WEBHOOK, receiver.url)
    await lose_sight(past)
    receiver.answers = [answer, answer]

    assert await outgoing.send() == {"retried": 1}
    assert await outgoing.send() == {}  # not before its time
    outgoing.clock.go_on(seconds=1.2 * RETRY_SECONDS[0])
    assert await outgoing.send() == {"retried": 1}
    outgoing.clock.go_on(seconds=1.2 * RETRY_SECONDS[1])
    assert await outgoing.send() == {"delivered": 1}

    (message,) = receiver.accepted
    assert {(one.id, one.body) for one in receiver.received} == {(message.id, message.body)}
    (outcomes,) = await outgoing.outcomes()
    assert outcomes == (["unknown"] * 2 if isinstance(answer, str) else ["failed"] * 2) + ["delivered"]


@pytest.mark.parametrize("after", ["3600", "Sun, 01 Mar 2026 13:00:00 GMT"])
async def test_retry_after_is_honoured(
    past: Past, outgoing: Outgoing, receiver: Receiver, after: str
) -> None:
    await outgoing.add("team", SLACK, receiver.url)
    await lose_sight(past)
    receiver.answers = [(429, {"Retry-After": after})]

    await outgoing.send()

    (waiting,) = await outgoing.deliveries()
    assert waiting.next_attempt_at is not None
    assert timedelta(hours=1) <= waiting.next_attempt_at - outgoing.clock.now <= timedelta(hours=1.2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
async def test_what_is_refused_for_good_is_a_dead_letter_and_is_not_tried_again(
    past: Past, outgoing: Outgoing, receiver: Receiver, status: int
) -> None:
    await outgoing.add("pipeline", WEBHOOK, receiver.url)
    await lose_sight(past)
    receiver.answers = [(status, {"Location": f"{receiver.url}/elsewhere"})]

    assert await outgoing.send() == {"dead": 1}
    outgoing.clock.go_on(days=10)
    assert await outgoing.send() == {}
    (dead,) = await outgoing.deliveries(state="dead")
    assert str(status) in (dead.last_error or "")
    assert len(receiver.received) == 1


async def test_a_receiver_that_is_gone_gets_nothing_more(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    await outgoing.add("pipeline", WEBHOOK, receiver.url)
    await lose_sight(past)
    receiver.answers = [410]
    await outgoing.send()

    await past.live(3, Story(lambda model, night: None))
    await outgoing.send()

    async with past.pool.acquire() as connection:
        channel = await channels.find_channel(connection, "pipeline")
    assert channel is not None
    assert channel.state is ChannelState.DISABLED
    assert "410" in (channel.disabled_because or "")
    assert len(receiver.received) == 1


async def test_a_receiver_that_never_recovers_gives_a_dead_letter_after_two_days(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    await outgoing.add("team", SLACK, receiver.url)
    await lose_sight(past)
    receiver.answers = [500] * 100
    begin = outgoing.clock.now

    while (await outgoing.deliveries())[0].state == "pending":
        waiting = (await outgoing.deliveries())[0]
        assert waiting.next_attempt_at is not None
        outgoing.clock.now = max(outgoing.clock.now, waiting.next_attempt_at)
        await outgoing.send()

    assert len(receiver.received) == MOST_TRIES
    assert timedelta(hours=46) < outgoing.clock.now - begin < timedelta(hours=57)


async def test_what_came_later_waits_for_what_was_told_first(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    await outgoing.add("pipeline", WEBHOOK, receiver.url)
    await lose_sight(past, nights=3)
    receiver.answers = [500]

    await outgoing.send()
    assert len(receiver.received) == 1
    outgoing.clock.go_on(seconds=10)
    await outgoing.send()

    assert [one.json["type"] for one in receiver.accepted] == ["incident.opened", "incident.outage_over"]


async def test_a_channel_is_told_of_what_it_asked_for(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    await outgoing.add("all", WEBHOOK, f"{receiver.url}/all")
    await outgoing.add("critical", WEBHOOK, f"{receiver.url}/critical", min_severity=MinSeverity.CRITICAL)
    await outgoing.add("bright", WEBHOOK, f"{receiver.url}/bright", models=["bright"])
    await outgoing.add("other", WEBHOOK, f"{receiver.url}/other", suites=["other"])
    await drift(past)
    await outgoing.send()
    assert sorted(one.path for one in receiver.accepted) == ["/all", "/critical"]


async def test_many_models_that_move_at_once_are_one_message(
    database_url: str, redis_url: str, receiver: Receiver
) -> None:
    settings = with_receivers(Settings(database_url=database_url, redis_url=redis_url))
    models = ["m1", "m2", "m3", "m4", "m5"]
    async with open_pool(settings) as pool, open_redis(redis_url) as redis:
        past = await begin_past(pool, redis, models, questions=40)
        outgoing = Outgoing(pool, settings, Clock())
        await outgoing.add("team", SLACK, f"{receiver.url}/slack")
        secret = await outgoing.add("pipeline", WEBHOOK, f"{receiver.url}/hook")
        await past.live(2, Story(lambda model, night: None if night == 2 else 0.8))

        assert await outgoing.send() == {"delivered": 2}

        slack, hook = sorted(receiver.accepted, key=lambda one: one.path, reverse=True)
        assert hook.json["type"] == "incidents.opened"
        assert [one["model"] for one in hook.json["data"]["alerts"]] == models
        assert is_signed(hook, secret)
        assert all_text(slack.json["blocks"])[0] == "5 at once moved: golden"
        states = [one.state for one in await outgoing.deliveries()]
        assert sorted(states) == ["delivered"] * 2 + ["gathered"] * 8

        await past.live(1)  # all are back: that is one message, too
        await outgoing.send()
        assert [one.json["type"] for one in receiver.accepted if one.path == "/hook"] == [
            "incidents.opened", "incidents.outage_over",
        ]  # fmt: skip


async def test_while_secrets_are_rotated_both_are_valid(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    from shared.secrets import make_webhook_secret, open_vault

    former = await outgoing.add("pipeline", WEBHOOK, receiver.url)
    fresh, vault = make_webhook_secret(), open_vault(outgoing.settings)
    assert vault is not None
    async with past.pool.acquire() as connection:
        channel = await channels.find_channel(connection, "pipeline")
        assert channel is not None
        until = outgoing.clock.now + timedelta(hours=24)
        await channels.rotate_secret(connection, channel.id, vault.seal(fresh), until)

    await lose_sight(past)
    await outgoing.send()
    outgoing.clock.go_on(hours=25)
    await past.live(1)
    await outgoing.send()

    during, after = receiver.accepted
    assert (is_signed(during, former), is_signed(during, fresh)) == (True, True)
    assert (is_signed(after, former), is_signed(after, fresh)) == (False, True)


async def test_the_setting_makes_a_channel_by_itself(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    from services.scheduler.own_channel import follow_settings

    settings = with_receivers(outgoing.settings, slack_webhook_url=f"{receiver.url}/own", secret_key=None)
    await follow_settings(past.pool, settings)
    await follow_settings(past.pool, settings)
    await lose_sight(past)

    assert await Outgoing(past.pool, settings, outgoing.clock).send() == {"delivered": 1}

    await follow_settings(past.pool, outgoing.settings)
    async with past.pool.acquire() as connection:
        (channel,) = await channels.list_channels(connection)
        stored = await connection.fetchval("SELECT target FROM channels")
    assert (channel.origin, channel.state, stored) == ("settings", ChannelState.DISABLED, None)


async def test_nothing_of_a_target_is_logged(
    past: Past, outgoing: Outgoing, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    await outgoing.add("team", SLACK, f"{receiver.url}/services/T0/B0/verysecrettoken")
    await outgoing.add("pipeline", WEBHOOK, f"{receiver.url}/hook?token=verysecrettoken")
    await lose_sight(past)
    receiver.answers = [500, "die"]

    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as logged:
        await outgoing.send()
        outgoing.clock.go_on(hours=1)
        await outgoing.send()

    assert [one["event"] for one in logged] == ["delivery.retried"] * 2 + ["delivery.delivered"] * 2
    assert "verysecrettoken" not in caplog.text + str(logged)
    assert "verysecrettoken" not in "".join(one.last_error or "" for one in await outgoing.deliveries())


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_carries_title_and_text(past: Past, outgoing: Outgoing, receiver: Receiver) -> None:
    await outgoing.add("chat", ChannelKind.APPRISE, f"json://{receiver.url.removeprefix('http://')}/chat")
    await lose_sight(past)
    receiver.answers = [500]

    assert await outgoing.send() == {"retried": 1}
    outgoing.clock.go_on(minutes=1)
    assert await outgoing.send() == {"delivered": 1}

    (message,) = receiver.accepted
    assert message.json["title"] == "Not measured: dim"
    assert "Missing answers are no score of 0" in message.json["message"]


async def test_a_channel_of_another_secret_key_is_a_dead_letter_that_says_so(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    await outgoing.add("pipeline", WEBHOOK, receiver.url)
    await lose_sight(past)
    other = Outgoing(past.pool, with_receivers(outgoing.settings, secret_key="another"), outgoing.clock)
    assert await other.send() == {"dead": 1}
    (dead,) = await outgoing.deliveries()
    assert "DRIFTWARDEN_SECRET_KEY" in (dead.last_error or "")


async def test_what_cannot_be_read_any_more_keeps_nothing_else_back(
    past: Past, outgoing: Outgoing, receiver: Receiver
) -> None:
    await outgoing.add("one", WEBHOOK, f"{receiver.url}/one")
    await outgoing.add("two", WEBHOOK, f"{receiver.url}/two")
    await lose_sight(past)
    async with past.pool.acquire() as connection:
        await connection.execute(
            "UPDATE deliveries SET content = '{}' WHERE channel_id = (SELECT min(id) FROM channels)"
        )
    assert await outgoing.send() == {"retried": 1, "delivered": 1}
    assert [one.path for one in receiver.accepted] == ["/two"]
