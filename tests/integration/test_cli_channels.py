"""Channels and deliveries as one types them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.integration.commands import Terminal, open_terminal
from tests.integration.receiving import Receiver, is_signed, open_receiver, with_receivers
from tests.integration.serving import Api, make_settings
from tests.integration.test_api_channels import outgoing
from tests.integration.test_deliver import lose_sight
from tests.integration.watched_api import begin_watch


@pytest.fixture
def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return with_receivers(make_settings(database_url, redis_url, tmp_path))


@pytest.fixture
def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    return open_terminal(served_api, tmp_path / "work")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


async def test_a_webhook_is_added_tried_and_listed(
    terminal: Terminal, served_api: Api, receiver: Receiver
) -> None:
    added = await terminal("channels", "add", "pipeline", "webhook", f"{receiver.url}/hook/long-and-secret")
    secret = added.out.strip()
    trying = asyncio.create_task(terminal("channels", "test", "pipeline"))
    sender = outgoing(served_api)
    while not await sender.send():  # noqa: ASYNC110  # the command is another process
        await asyncio.sleep(0.05)
    tried = await trying
    listed = await terminal("channels")

    assert (added.code, tried.code) == (0, 0), added.err + tried.err
    assert is_signed(receiver.accepted[0], secret)
    assert "It has arrived" in tried.err
    assert "long-and-secret" not in listed.out + tried.err
    assert listed.rows[0][:4] == ["pipeline", "webhook", "127.0.0.1", "…cret"]


async def test_a_dead_letter_is_found_and_replayed(
    terminal: Terminal, served_api: Api, receiver: Receiver
) -> None:
    receiver.answers = [404]
    await terminal("channels", "add", "pipeline", "webhook", receiver.url)
    await lose_sight(await begin_watch(served_api, questions=20))
    sender = outgoing(served_api)
    await sender.send()

    listed = await terminal("deliveries", "list", "--state", "dead")
    (row,) = listed.rows
    shown = await terminal("deliveries", "show", row[0])
    replayed = await terminal("deliveries", "replay", row[0])
    await sender.send()

    assert "incident.opened" in row
    assert "404" in shown.out
    assert replayed.code == 0
    assert len(receiver.accepted) == 1


async def test_a_channel_whose_receiver_was_gone_is_enabled_again(
    terminal: Terminal, served_api: Api, receiver: Receiver
) -> None:
    receiver.answers = [410]
    await terminal("channels", "add", "pipeline", "webhook", receiver.url)
    trying = await terminal.start("channels", "test", "pipeline")
    sender = outgoing(served_api)
    while not await sender.send():  # noqa: ASYNC110  # the command is another process
        await asyncio.sleep(0.05)
    _, err = await trying.communicate()
    assert trying.returncode == 2
    assert "410" in err.decode()
    assert "410" in (await terminal("channels")).out

    await terminal("channels", "enable", "pipeline")
    assert "active" in (await terminal("channels")).out


async def test_what_is_refused_is_told_by_field(terminal: Terminal) -> None:
    done = await terminal("channels", "add", "team", "slack", "https://example.org/hook")
    assert done.code == 2
    assert "target: is no incoming webhook of Slack" in done.err
