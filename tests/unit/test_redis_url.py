"""What REDIS_URL may say, and what is said of one that can't be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.failures import Refused
from services.cli.processes import read_settings
from shared.redis_url import Sentinels, read_redis_url


@pytest.mark.parametrize(
    "url", ["redis://localhost:6379/0", "rediss://:pass@host/1", "unix:///run/redis?db=0"]
)
def test_one_server_is_left_to_the_client(url: str) -> None:
    assert read_redis_url(url) == url


@pytest.mark.parametrize(
    ("url", "sentinels"),
    [
        (
            "redis+sentinel://one/nights",
            Sentinels((("one", 26379),), "nights", "redis:///?"),
        ),
        (
            "redis+sentinel://me:s%40fe@one:1,[::1]:2,three/the%20nights/4?sentinel_password=a/b",
            Sentinels(
                (("one", 1), ("::1", 2), ("three", 26379)),
                "the nights",
                "redis://me:s%40fe@/4?sentinel_password=a/b",
            ),
        ),
        (
            "rediss+sentinel://one,two/nights/0?ssl_ca_certs=/ca.pem",
            Sentinels((("one", 26379), ("two", 26379)), "nights", "rediss:///0?ssl_ca_certs=/ca.pem"),
        ),
    ],
)
def test_sentinels_are_read(url: str, sentinels: Sentinels) -> None:
    assert read_redis_url(url) == sentinels


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("localhost:6379", "it begins with none of redis://, rediss://, unix:// and redis+sentinel://."),
        ("unix+sentinel://hidden@one/nights", "it begins with none of"),
        (
            "redis+sentinel://:hidden@one:26379",
            "it does not name the primary that the sentinels watch. Write",
        ),
        ("redis+sentinel://:hidden@one/?master=x", "it does not name the primary"),
        ("redis+sentinel://:hidden@/nights", "it names a sentinel without a host, or none. Write"),
        ("redis+sentinel://:hidden@one,,two/nights", "it names a sentinel without a host"),
        ("redis+sentinel://:hidden@one:many/nights", "it names a sentinel without a host"),
        ("redis+sentinel://:hidden@one/nights/first", "its database is no number. Write"),
    ],
)
def test_a_url_that_cannot_be_used_is_named(url: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(Refused) as refused:
        read_settings("worker")
    assert str(refused.value).startswith(f"REDIS_URL: {problem}")
    assert "hidden" not in str(refused.value)


@given(st.text(), st.sampled_from(["", "redis+sentinel://", "rediss+sentinel://user:pass@"]))
def test_any_text_is_read_or_refused(text: str, beginning: str) -> None:
    told = "it is read"
    try:
        read_redis_url(beginning + text)
    except ValueError as error:
        told = str(error)
    assert told.startswith(("it ", "its ")), "another error than ours"
