"""REDIS_URL, read: the address of one server, or those of the sentinels that know it."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

SENTINEL_PORT = 26379
_SENTINEL_FORM = "Write redis+sentinel://[USER:PASSWORD@]HOST:26379,HOST:26379/PRIMARY[/DATABASE]."


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Whom to ask for the primary, and by which name.

    `server_url` is how the primary is spoken to, as redis-py reads it, without an address.
    """

    addresses: tuple[tuple[str, int], ...]
    primary: str
    server_url: str


def read_redis_url(url: str) -> str | Sentinels:
    """The URL of one server as it is, or the sentinels that it names.

    Sentinels are written as Redis-Sentinel-Url, LangChain, RedisVL and Prefect do:
    `redis+sentinel://[user:password@]host[:port],…/primary[/database][?options]`, `rediss+sentinel` for TLS.

    Raises:
        ValueError: it is neither, or a part is missing. It quotes nothing, for there may be a password in it.
    """
    scheme, _, rest = url.partition("://")
    match scheme.split("+"):
        case ["redis" | "rediss" | "unix"]:
            return url
        case ["redis" | "rediss" as protocol, "sentinel"]:
            return _read_sentinels(protocol, rest)
        case _:
            raise ValueError("it begins with none of redis://, rediss://, unix:// and redis+sentinel://.")


def _read_sentinels(protocol: str, rest: str) -> Sentinels:
    place, _, options = rest.partition("?")
    authority, _, path = place.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    primary, _, database = path.partition("/")
    if not primary:
        raise ValueError(f"it does not name the primary that the sentinels watch. {_SENTINEL_FORM}")
    if database and not database.isdecimal():
        raise ValueError(f"its database is no number. {_SENTINEL_FORM}")
    addresses = tuple(map(_read_address, hosts.split(",")))
    return Sentinels(addresses, unquote(primary), f"{protocol}://{credentials}{at}/{database}?{options}")


def _read_address(written: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{written}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ValueError(f"it names a sentinel without a host, or none. {_SENTINEL_FORM}")
    return host, port or SENTINEL_PORT
