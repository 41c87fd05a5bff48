"""How often each caller may ask: a bucket of tokens for each, in Redis, so that all replicas count as one."""

import asyncio
import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError
from starlette.requests import HTTPConnection

from services.api.problems import TooManyRequests

TAKE = Path(__file__).with_name("take_token.lua").read_text()
MINUTE_SECONDS = 60
ANSWER_SECONDS = 0.25
AWAY_SECONDS = 5.0  # so long Redis is not asked again once it gave no answer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a bucket. `wait_seconds`: 0 when a token was taken, else how long there is none."""

    policy: str
    size: int
    left: int
    wait_seconds: int
    full_in_seconds: int

    @property
    def headers(self) -> Mapping[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-10 has it."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.size};w={MINUTE_SECONDS}',
            "RateLimit": f'"{self.policy}";r={self.left};t={self.full_in_seconds}',
        }


class Limits:
    """Counts requests. While Redis is away nobody does: all are let through, and the log tells so once."""

    def __init__(self, redis: ArqRedis) -> None:
        self._take = redis.register_script(TAKE)
        self._is_away = False
        self._ask_again_at = 0.0

    async def take(self, policy: str, whose: str, size: int) -> Allowance | None:
        """Take a token from a bucket of `size` that fills within a minute; None while Redis is away."""
        if time.monotonic() < self._ask_again_at:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reply = await self._take(
                    [f"driftwarden:limit:{policy}:{whose}"], [size, MINUTE_SECONDS * 1000]
                )
        except (RedisError, OSError) as error:
            self._note_away(error)
            return None
        if self._is_away:
            self._is_away = False
            log.info("limits.counted_again")
        return _read(policy, size, reply)

    def _note_away(self, error: Exception) -> None:
        self._ask_again_at = time.monotonic() + AWAY_SECONDS
        if not self._is_away:
            self._is_away = True
            log.warning("limits.not_counted", error=repr(error))


async def limit_requests(request: HTTPConnection, limits: Limits, policy: str, whose: str, size: int) -> None:
    """Count a request against what its caller may ask; the answer's headers tell what is left.

    Raises:
        TooManyRequests: nothing is.
    """
    allowance = await limits.take(policy, whose, size)
    if allowance is None:
        return
    request.state.rate_limit = allowance.headers
    if allowance.wait_seconds:
        told = f"{size} requests a minute are allowed here. Try again in {allowance.wait_seconds} s."
        raise TooManyRequests(told, headers={"Retry-After": str(allowance.wait_seconds)})


async def count_failure(request: HTTPConnection, limits: Limits, size: int) -> None:
    """Count a key that opens nothing against the address it came from, which may send `size` in a minute.

    A valid key is never kept waiting by what its neighbours do.

    Raises:
        TooManyRequests: too many of them came from there.
    """
    allowance = await limits.take("unknown-keys", _neighbourhood(request), size)
    if allowance is not None and allowance.wait_seconds:
        told = f"Too many keys from this address were unknown. Try again in {allowance.wait_seconds} s."
        raise TooManyRequests(told, headers={"Retry-After": str(allowance.wait_seconds), **allowance.headers})


def _read(policy: str, size: int, reply: Any) -> Allowance:
    taken, left, wait_ms, missing_ms = reply
    return Allowance(
        policy, size, left, 0 if taken else max(1, ceil(wait_ms / 1000)), ceil(missing_ms / 1000)
    )


def _neighbourhood(request: HTTPConnection) -> str:
    """The address of whoever asks; of an IPv6 address the part that one customer has."""
    if request.client is None:
        return "unknown"
    try:
        address = ipaddress.ip_address(request.client.host.partition("%")[0])
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
