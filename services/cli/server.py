"""Where the server is: the environment says so, else `.env`, else the file that `driftwarden up` wrote."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlsplit

from services.cli.failures import Refused

if TYPE_CHECKING:
    from services.cli.client import Client

# What the API answers, as it came.
Json: TypeAlias = dict[str, Any]

DATA = ".driftwarden"


@dataclass(frozen=True, slots=True)
class Server:
    """How to reach the server. `source` names where that was found, for messages."""

    url: str
    api_key: str | None = field(repr=False)
    source: str


def find_server(sources: Mapping[str, Mapping[str, str | None]], folder: Path = Path()) -> Server:
    """Take the first source that names a server, with that source's own key: a key goes to no other address.

    `sources` are environments by name, such as {"the environment": os.environ}.

    Raises:
        Refused: none of them does, or not in a usable form.
    """
    for name, source in sources.items():
        url, api_key = source.get("DRIFTWARDEN_URL"), source.get("DRIFTWARDEN_API_KEY")
        if url:
            return _describe(url, api_key, name)
        if api_key:
            raise Refused(f"DRIFTWARDEN_API_KEY: is set in {name}. Set DRIFTWARDEN_URL there as well.")
    data = next((value for source in sources.values() if (value := source.get("DRIFTWARDEN_DATA"))), DATA)
    return _read_client_file(folder / Path(data).expanduser() / "client.json")


def _describe(url: str, api_key: str | None, source: str) -> Server:
    url, api_key = url.strip().rstrip("/"), (api_key or "").strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isascii()
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username:
        raise Refused(f"{source}: {url!r} is no address of a server. Write http://HOST:PORT.")
    if not (api_key.isascii() and api_key.isprintable()):
        raise Refused(f"{source}: the API key holds characters that no key has. Copy it again.")
    return Server(url, api_key or None, source)


def _read_client_file(path: Path) -> Server:
    try:
        stored = json.loads(path.read_text())
        return _describe(stored["url"], stored["api_key"], str(path))
    except FileNotFoundError:
        raise Refused(
            f"No server is known: DRIFTWARDEN_URL is not set, and there is no {path}.\n"
            "Start one here with `driftwarden up`, or set DRIFTWARDEN_URL and DRIFTWARDEN_API_KEY."
        ) from None
    except OSError as error:
        raise Refused(f"{path}: can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path}: holds no address and key. Start `driftwarden up` again; it writes the file anew."
        ) from error


@contextmanager
def connect() -> Iterator["Client"]:
    """Open a client of the server that this command should speak to."""
    # Together a third of a second to import: `driftwarden --help` goes without.
    from dotenv import dotenv_values

    from services.cli.client import open_client

    server = find_server({"the environment": os.environ, ".env": dotenv_values(".env")})
    with open_client(server) as client:
        yield client


def segment(name: str) -> str:
    """A name or id as one segment of a path, whatever characters it has."""
    if name in ("", ".", ".."):
        raise Refused(f"{name!r} is no name.")
    return quote(name, safe="")
