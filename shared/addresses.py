"""Where this program may be sent by others: never into networks that only it can reach.

An address that somebody else names is checked twice. `check_url` refuses what can be seen in its text.
`Guard.admit` is asked for every socket, with the very address it is about to connect to: whatever a name
resolved to before, or resolves to later, cannot get past it.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from shared.domain.errors import InvalidInput

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

RESOLVE_SECONDS = 2.0
LONGEST_URL = 2000
# Public by number, and yet an inside: what hosts ask about themselves in Azure and in Oracle's cloud.
_INSIDE = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24")))
_NAT64 = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48")))
_IPV4_COMPATIBLE = IPv6Network("::/96")


class AddressRefused(PermissionError):
    """A connection to where nobody outside may send this program."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`allowed_networks`: private ones that may be reached all the same."""

    allowed_networks: tuple[Network, ...] = ()

    def admits(self, address: str) -> bool:
        """Whether an address in its usual form may be connected to."""
        number = ipaddress.ip_address(address)
        return all(self._may_reach(each) for each in (number, *_hidden_in(number)))

    def admit(self, address: str) -> None:
        """
        Raises:
            AddressRefused
        """
        if not self.admits(address):
            raise AddressRefused(f"{address} is not a public address.")

    def is_allowed_inside(self, address: str) -> bool:
        """Whether an address is in one of the networks that the operator named."""
        number = _plain(ipaddress.ip_address(address))
        return any(number in network for network in self.allowed_networks)

    def _may_reach(self, number: Address) -> bool:
        if any(number in network for network in self.allowed_networks):
            return True
        if number.version == 6 and number.ipv4_mapped is not None:
            return True  # its IPv4 address is looked at by itself
        return _is_public(number)


def check_url(url: str, field: str = "url") -> SplitResult:
    """An http(s) address that somebody names, taken apart.

    Raises:
        InvalidInput: it is none, or written to look like another.
    """
    remedy = "Write https://HOST/PATH."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidInput(field, "is no address.", remedy) from None
    if parts.scheme not in ("http", "https") or not host or len(url) > LONGEST_URL:
        raise InvalidInput(field, "is no http or https address.", remedy)
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        problem = "holds characters that no address has."
        raise InvalidInput(field, problem, "Write a name of another script in its xn-- form.")
    if parts.username is not None or "@" in parts.netloc:
        raise InvalidInput(field, "holds a user name.", "Leave out what is before the @.")
    if "%" in parts.netloc or _is_odd_number(host) or ("[" in parts.netloc and ":" not in host):
        problem = "writes an IP address in an unusual form."
        raise InvalidInput(field, problem, "Write it as 192.0.2.1 or [2001:db8::1].")
    return parts


async def check_reachable(
    url: str, guard: Guard, field: str = "url", resolve: Resolve | None = None
) -> SplitResult:
    """Check an address as far as that can be told now; each connection is checked again.

    A name that does not resolve here may do so where it is used.

    Raises:
        InvalidInput: it leads to where nobody outside may send this program.
    """
    parts = check_url(url, field)
    assert parts.hostname is not None
    for address in await find_addresses(parts.hostname, parts.port or 443, resolve):
        if not guard.admits(address):
            raise InvalidInput(
                field,
                f"leads to {address}, which is not a public address.",
                "Name another, or have its network allowed in DRIFTWARDEN_ALLOWED_NETWORKS.",
            )
    return parts


async def find_addresses(host: str, port: int, resolve: Resolve | None = None) -> Sequence[str]:
    """What a host resolves to; nothing if that can't be told in time."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            return await (resolve or resolve_by_system)(host, port)
    except OSError:
        return ()


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks with commas between them, such as `10.1.0.0/16, fd00::/8`.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _is_public(number: Address) -> bool:
    return (
        number.is_global
        and not number.is_multicast
        and not number.is_reserved
        and not number.is_unspecified
        and not any(number in network for network in _INSIDE if network.version == number.version)
    )


def _hidden_in(number: Address) -> tuple[Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for, by any of the ways of doing so."""
    if number.version == 4:
        return ()
    found = [number.ipv4_mapped, number.sixtofour, *(number.teredo or ())]
    if any(number in network for network in (*_NAT64, _IPV4_COMPATIBLE)):
        found.append(IPv4Address(int(number) & 0xFFFFFFFF))
    return tuple(one for one in found if one is not None)


def _plain(number: Address) -> Address:
    return (number.ipv4_mapped or number) if number.version == 6 else number


def _is_odd_number(host: str) -> bool:
    """Whether a host is an IPv4 address as 2130706433, 0x7f.1 or 0177.0.0.1, which C libraries read, too, or
    one of IPv6 in no known form."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        return last.isdecimal() or last.startswith("0x") or ":" in host
    return False
