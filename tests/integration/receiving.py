"""Receivers as they are outside: real servers that take messages, fail, hang, or die in between."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from services.scheduler.channels.post import open_post
from services.scheduler.deliver import deliver
from shared.db import channels, deliveries
from shared.db.channels import ChannelKind, NewChannel
from shared.db.deliveries import Attempt, Delivery
from shared.db.pool import Pool
from shared.domain.telling.routing import MinSeverity
from shared.secrets import make_webhook_secret, open_vault
from shared.settings import Settings
from shared.targets import hint_at

KEY = "a secret key for tests, long enough"
INSIDE = "127.0.0.0/8"


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(slots=True)
class Receiver:
    """An HTTP receiver that answers as it is told, in order, and with 200 after that.

    An answer is a status, a status with headers, "hang" or "die". `accepted` is what it answered with 2xx.
    """

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        message = Received(request.path, headers, await request.read())
        self.received.append(message)
        self.came.set()
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "die":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer == "hang":
            await self.gate.wait()
            return web.Response(status=503)
        status, more = answer if isinstance(answer, tuple) else (answer, {})
        if 200 <= status < 300:
            self.accepted.append(message)
        return web.Response(status=status, headers=more, text="ok" if status == 200 else "no")


@asynccontextmanager
async def open_receiver(*answers: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        receiver.gate.set()
        await runner.cleanup()


@dataclass(slots=True)
class Clock:
    """A clock that stands still until it is told to go on."""

    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An installation that has something to tell, its clock, and what became of it."""

    pool: Pool
    settings: Settings
    clock: Clock

    async def add(
        self, name: str, kind: ChannelKind, target: str, secret: str | None = None, **changed: Any
    ) -> str:
        """Store a channel, and return what its webhooks are signed with."""
        vault = open_vault(self.settings)
        assert vault is not None
        signed = kind is ChannelKind.WEBHOOK
        secret = secret or make_webhook_secret()
        fields: dict[str, Any] = {
            "name": name, "kind": kind, "target": vault.seal(target),
            "target_hint": changed.get("target_hint") or hint_at(kind, target),
            "secret": vault.seal(secret) if signed else None, "min_severity": MinSeverity.SMALL,
            "models": None, "suites": None, "weekly_since": None, "created_by": "a test",
        }  # fmt: skip
        async with self.pool.acquire() as connection:
            assert await channels.store_channel(connection, NewChannel(**{**fields, **changed}))
        return secret

    async def send(self, **options: Any) -> dict[str, int]:
        """One turn of a sender."""
        async with open_post(self.settings, **options) as post:
            return dict(await deliver(self.pool, post, self.clock))

    async def deliveries(self, **which: Any) -> list[Delivery]:
        """Oldest first."""
        async with self.pool.acquire() as connection:
            return (await deliveries.list_deliveries(connection, limit=500, **which))[::-1]

    async def attempts(self, delivery: Delivery) -> list[Attempt]:
        async with self.pool.acquire() as connection:
            return await deliveries.list_attempts(connection, delivery.id)

    async def outcomes(self) -> list[list[str | None]]:
        """How each attempt at each delivery ended."""
        return [[one.outcome for one in await self.attempts(each)] for each in await self.deliveries()]


def with_receivers(settings: Settings, **changed: Any) -> Settings:
    """Settings under which this machine's receivers can be reached, and secrets be stored."""
    more = {"secret_key": KEY, "allowed_networks": INSIDE, "public_url": "https://drift.example", **changed}
    return Settings(**{**settings.model_dump(), **more}, _env_file=None)  # type: ignore[call-arg]


def is_signed(message: Received, secret: str) -> bool:
    """Whether a webhook carries a valid signature, by nothing but the standard's own words."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message.id}.{message.headers['webhook-timestamp']}.".encode() + message.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in message.headers["webhook-signature"].split(" ")


def all_text(blocks: Any, pick: Callable[[str], bool] = lambda _: True) -> list[str]:
    """Every text of a Slack message, in order."""
    found: list[str] = []
    match blocks:
        case {"text": str() as text}:
            found.append(text)
        case dict():
            found += [one for value in blocks.values() for one in all_text(value)]
        case list() | tuple():
            found += [one for value in blocks for one in all_text(value)]
    return [one for one in found if pick(one)]
