"""The road to receivers on the internet: one HTTP session that no address leads astray."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from shared.addresses import AddressRefused, Guard
from shared.domain.telling.redelivery import Failed, Outcome, Refused, Unknown

CONNECT_SECONDS = 5.0


class RedirectRefused(Exception):
    """A receiver sends us on to another address."""


@asynccontextmanager
async def open_road(
    guard: Guard, resolver: AbstractResolver | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose every socket is admitted by the guard, by the address that it is about to connect to.

    It follows no redirect, uses no proxy, and keeps no connection.
    """

    def make_socket(found: Any) -> socket.socket:
        family, kind, protocol, _, where = found
        guard.admit(str(where[0]))
        return socket.socket(family, kind, protocol)

    async def refuse_redirect(*_: object) -> None:
        raise RedirectRefused

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse_redirect)
    connector = aiohttp.TCPConnector(
        resolver=resolver, use_dns_cache=False, force_close=True, socket_factory=make_socket
    )
    async with aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        trace_configs=[trace],
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        headers={"User-Agent": "Driftwarden"},
    ) as session:
        yield session


def read_failure(error: Exception) -> Outcome:
    """What an exception of the session says about a delivery. Its text may hold secrets and is not kept."""
    match error:
        case RedirectRefused():
            return Refused("The receiver redirects. Redirects are not followed: name the final address.")
        case aiohttp.InvalidURL():
            return Refused("The address can't be used.")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return Failed("The receiver's certificate or TLS is not valid.")
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, PermissionError):
            return Refused("The address leads to where nothing may be sent: it is not a public one.")
        case AddressRefused():
            return Refused("The address leads to where nothing may be sent: it is not a public one.")
        case aiohttp.ClientConnectorDNSError():
            return Failed("The receiver's name does not resolve.")
        case aiohttp.ClientConnectorError():
            return Failed("The receiver can't be connected to.")
        case aiohttp.ConnectionTimeoutError():
            return Failed(f"The receiver can't be connected to within {CONNECT_SECONDS:.0f} s.")
        case _:
            return Unknown("The connection broke before an answer came.")
