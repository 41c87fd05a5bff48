"""The connections to Redis: how many, to whom, and what makes them end and begin anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, ReadOnlyError, RedisError, ResponseError, TimeoutError
from redis.utils import str_if_bytes

from shared.domain.errors import InvalidInput
from shared.redis_url import Sentinels, read_redis_url

CHECK_SECONDS = 2.0  # within which a server that can never serve is to be told at the start
SENTINEL_SECONDS = 1.0  # within which a sentinel is to answer; then the next one is asked


class ClusterRefused(RedisError):
    """The server is part of a Redis Cluster. No attempt will go better."""

    def __init__(self) -> None:
        super().__init__(
            "this is a Redis Cluster, and the scripts of the queue touch keys of several slots. "
            "Lead REDIS_URL to a server with `cluster-enabled no`, or to Sentinels."
        )


@asynccontextmanager
async def open_redis_pool(redis_url: str) -> AsyncIterator[BlockingConnectionPool]:
    """Open a bounded pool of connections to one server, or to whoever the sentinels say is the primary.

    A dropped connection is opened anew within about a second; after that the caller sees redis.RedisError.
    """
    place = read_redis_url(redis_url)
    pool = BlockingConnectionPool.from_url(
        place.server_url if isinstance(place, Sentinels) else place,
        max_connections=32,
        socket_connect_timeout=2,
        socket_timeout=5,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=3),
        retry_on_error=[ConnectionError, TimeoutError],
        redis_connect_func=_greet,
    )
    async with AsyncExitStack() as stack:
        if isinstance(place, Sentinels):
            _follow(pool, place, stack)
        pool.connection_class = type("Line", (_Line, pool.connection_class), {})
        stack.push_async_callback(pool.disconnect)
        yield pool


async def check_redis(redis_url: str) -> None:
    """Tell at the start what waiting would not mend; a server that is away now may come yet.

    Raises:
        InvalidInput: REDIS_URL leads to a cluster.
    """
    async with open_redis_pool(redis_url) as pool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await pool.get_connection()
        except ClusterRefused as error:
            raise InvalidInput("REDIS_URL", str(error)) from error
        except (RedisError, OSError):
            pass


async def _greet(connection: AbstractConnection) -> None:
    """Begin a connection as redis-py does, and look at whom it leads to."""
    await connection.on_connect()
    await connection.send_command("INFO", "cluster", check_health=False)
    with suppress(ResponseError):  # not every user may ask, and not every proxy understands
        if "cluster_enabled:1" in str_if_bytes(await connection.read_response()):
            raise ClusterRefused


class _Line:
    """What every connection does besides: tell what broke as redis-py does, so that it is opened anew."""

    async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        try:
            await super().send_packed_command(*arguments, **options)  # type: ignore[misc]
        except RuntimeError as error:  # uvloop's "the handler is closed": reset while nobody was looking
            raise ConnectionError(str(error)) from error

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)  # type: ignore[misc]
        except ReadOnlyError as error:  # it was the primary; whoever is it now is found anew
            await self.disconnect()  # type: ignore[attr-defined]
            raise ConnectionError(str(error)) from error


class _Following:
    """A connection that asks at each attempt whom it should lead to."""

    find_primary: Callable[[], Awaitable[tuple[str, int]]]

    async def _connect(self) -> None:
        self.host, self.port = await self.find_primary()
        await super()._connect()  # type: ignore[misc]


def _follow(pool: BlockingConnectionPool, place: Sentinels, stack: AsyncExitStack) -> None:
    """Have connections ask the sentinels, which are spoken to as the servers are.

    Options such as `sentinel_password` are theirs alone.
    """
    options = pool.connection_kwargs
    own = {name: options.pop(name) for name in list(options) if name.startswith("sentinel_")}
    is_encrypted = issubclass(pool.connection_class, SSLConnection)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        place.addresses,
        sentinel_kwargs={
            **{name: value for name, value in options.items() if name.startswith("ssl_")},
            **{name.removeprefix("sentinel_"): value for name, value in own.items()},
            "ssl": is_encrypted,
            "socket_connect_timeout": SENTINEL_SECONDS,
            "socket_timeout": SENTINEL_SECONDS,
        },
    )
    for each in sentinel.sentinels:
        stack.push_async_callback(each.aclose)
    known: tuple[str, int] | None = None

    async def find_primary() -> tuple[str, int]:
        nonlocal known
        found: tuple[str, int] = await sentinel.discover_master(place.primary)
        if found != known:
            known = found
            await pool.disconnect(inuse_connections=False)  # a host that died would keep each of them waiting
        return found

    bases = (_Following, pool.connection_class)
    pool.connection_class = type("Following", bases, {"find_primary": staticmethod(find_primary)})
