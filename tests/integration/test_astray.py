"""Addresses that would lead the sender astray, over its real session."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.addresses import Guard, check_reachable
from shared.db.channels import ChannelKind
from shared.db.pool import open_pool
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.receiving import Clock, Outgoing, Receiver, open_receiver, with_receivers
from tests.integration.test_deliver import lose_sight
from tests.integration.watching import begin_past

NOWHERE: dict[str, Any] = {"allowed_networks": ""}


class Rebinding(AbstractResolver):
    """A name server that gives another address each time it is asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def next_address(self) -> str:
        self.asked += 1
        return self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.next_address()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}
        ]  # fmt: skip

    async def close(self) -> None:
        pass


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


@pytest.fixture
async def outgoing(database_url: str, redis_url: str) -> AsyncIterator[Outgoing]:
    """Something to tell, and no private network that may be reached."""
    settings = with_receivers(Settings(database_url=database_url, redis_url=redis_url), **NOWHERE)
    async with open_pool(settings) as pool:
        yield Outgoing(pool, settings, Clock())


async def tell_something(outgoing: Outgoing, redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        await lose_sight(await begin_past(outgoing.pool, redis, ["bright", "dim"], questions=20))


@pytest.mark.parametrize("kind", [ChannelKind.WEBHOOK, ChannelKind.SLACK])
@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0"]
)
async def test_a_name_that_changes_its_address_after_the_check_reaches_nothing(
    outgoing: Outgoing, receiver: Receiver, redis_url: str, kind: ChannelKind, address: str
) -> None:
    port = receiver.url.rpartition(":")[2]
    names = Rebinding("8.8.8.8", address)
    url = f"http://rebinding.example:{port}/hook"

    async def resolve(host: str, port: int) -> list[str]:
        return [names.next_address()]

    await check_reachable(url, Guard(), resolve=resolve)  # it looks well when it is added
    await outgoing.add("evil", kind, url)
    await tell_something(outgoing, redis_url)

    assert await outgoing.send(resolver=names) == {"dead": 1}

    assert names.asked == 2
    assert receiver.received == []
    (dead,) = await outgoing.deliveries()
    assert "not a public one" in (dead.last_error or "")


@pytest.mark.parametrize("kind", [ChannelKind.WEBHOOK, ChannelKind.SLACK])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
async def test_an_inside_address_that_got_stored_reaches_nothing(
    outgoing: Outgoing, receiver: Receiver, redis_url: str, kind: ChannelKind, host: str
) -> None:
    url = receiver.url.replace("127.0.0.1", host)
    await outgoing.add("evil", kind, url, target_hint="evil.example")
    await tell_something(outgoing, redis_url)
    assert await outgoing.send() == {"dead": 1}
    assert receiver.received == []


@pytest.mark.parametrize("kind", [ChannelKind.WEBHOOK, ChannelKind.SLACK])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(
    outgoing: Outgoing, receiver: Receiver, redis_url: str, kind: ChannelKind, status: int
) -> None:
    reachable = Outgoing(outgoing.pool, with_receivers(outgoing.settings), outgoing.clock)
    receiver.answers = [(status, {"Location": f"{receiver.url}/latest/meta-data"})]
    await reachable.add("evil", kind, f"{receiver.url}/hook")
    await tell_something(reachable, redis_url)
    assert await reachable.send() == {"dead": 1}
    assert [one.path for one in receiver.received] == ["/hook"]
