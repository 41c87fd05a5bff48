"""Where others may send this program, and every disguise of where they may not."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.addresses import AddressRefused, Guard, check_reachable, check_url, read_networks
from shared.domain.errors import InvalidInput

PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8")
INSIDE = (
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "255.255.255.255", "240.0.0.1",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
)  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_admitted(address: str) -> None:
    Guard().admit(address)


@pytest.mark.parametrize("address", INSIDE)
def test_what_only_this_machine_can_reach_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        Guard().admit(address)


@given(st.sampled_from(INSIDE[:15]))
def test_no_ipv6_form_hides_an_inside_ipv4_address(inside: str) -> None:
    number = int(IPv4Address(inside))
    for prefix in (0xFFFF << 32, 0x0064FF9B << 96, 0, 0x2002 << 112):
        shift = 80 if prefix == 0x2002 << 112 else 0
        assert not Guard().admits(str(IPv6Address(prefix | number << shift)))


def test_allowed_networks_open_what_they_name_and_nothing_else() -> None:
    guard = Guard(read_networks("10.1.0.0/16, fd00::/8"))
    assert [guard.admits(one) for one in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1")] == [True] * 3
    assert not any(guard.admits(one) for one in ("10.2.0.1", "127.0.0.1", "fe80::1", "64:ff9b::a02:1"))


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.1/",
        "http://017700000001/", "http://127.0.0.1./", "http://0/", "http://1.2.3.0x4/",
        "http://user@example.org/", "http://user:password@example.org/", "http://example.org@127.0.0.1/",
        "http://example.org\\@127.0.0.1/", "http://127.0.0.1 .example.org/", "http://example.org%00.evil.example/",
        "http://[fe80::1%25eth0]/", "http://①②⑦.⓪.⓪.①/", "http://１２７.0.0.1/", "http://exämple.org/",
        "http://example.org\r\nX: y/", "http://example.org\t/", "//example.org/", "example.org", "",
        "file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "unix:///run/docker.sock",
        "javascript:alert(1)", "http:///path", "http://", "http://:80/", "http://example.org:99999/",
        "http://[::1", "http://[v1.x]/", "https://example.org/" + "x" * 3000,
    ],
)  # fmt: skip
def test_what_is_written_to_look_like_something_else_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://2130706433/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.1/"]
)
def test_the_odd_forms_are_ones_that_resolvers_do_read(url: str) -> None:
    """They are refused for a reason: the system takes each of them for this machine."""
    host = url.split("/")[2]
    assert {found[4][0] for found in socket.getaddrinfo(host, 80, socket.AF_INET)} == {"127.0.0.1"}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "http://EXAMPLE.org:8080/a?b=c#d",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/x",
    ],
)
async def test_usual_addresses_are_fine(url: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["8.8.8.8"]

    assert (await check_reachable(url, Guard(), resolve=resolve)).scheme in ("http", "https")


@pytest.mark.parametrize("url", ["http://localhost/", "http://[::1]:8700/", "http://127.0.0.1"])
async def test_this_machine_is_refused_by_any_name(url: str) -> None:
    with pytest.raises(InvalidInput, match="not a public address"):
        await check_reachable(url, Guard())


async def test_one_inside_address_among_public_ones_is_enough_to_refuse() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["8.8.8.8", "169.254.169.254"]

    with pytest.raises(InvalidInput, match=r"169\.254\.169\.254"):
        await check_reachable("https://both.example/", Guard(), resolve=resolve)


async def test_a_name_that_does_not_resolve_here_is_left_to_where_it_is_used() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    await check_reachable("https://only-there.example/", Guard(), resolve=resolve)


@given(st.text(max_size=80))
def test_no_text_breaks_the_check(text: str) -> None:
    try:
        parts = check_url(text)
    except InvalidInput:
        return
    assert parts.scheme in ("http", "https")
    assert parts.hostname
