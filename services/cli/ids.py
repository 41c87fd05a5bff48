"""Ids as people type them: whole, or as much of their beginning as tells them apart."""

import re
from typing import TYPE_CHECKING

from services.cli.failures import Refused

if TYPE_CHECKING:
    from services.cli.client import Client

SHOWN_DIGITS = 8
_PREFIX = re.compile(r"[0-9A-Fa-f-]{4,35}")


def find_run(client: "Client", typed: str) -> str:
    """The id of the run that is meant.

    Raises:
        Refused: no run's id begins like this, or several do.
    """
    return _find(client, "/runs", "run", typed)


def find_incident(client: "Client", typed: str) -> str:
    return _find(client, "/incidents", "incident", typed)


def find_delivery(client: "Client", typed: str) -> str:
    return _find(client, "/deliveries", "delivery", typed)


def shorten(whole: str) -> str:
    """Enough of an id to type it again."""
    return whole[:SHOWN_DIGITS]


def _find(client: "Client", path: str, noun: str, typed: str) -> str:
    if not _PREFIX.fullmatch(typed):
        return typed  # whole, or nothing that the server could know
    found = client.get(path, id_prefix=typed, limit=2)["items"]
    if not found:
        raise Refused(f"There is no {noun} whose id begins with {typed}.")
    if len(found) > 1:
        raise Refused(f"Several {_plural(noun)} have an id that begins with {typed}. Give more of it.")
    return str(found[0]["id"])


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
