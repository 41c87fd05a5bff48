"""Server-sent events: the part of the format that a reader of progress needs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: str


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Cut a stream of lines into events. Comments, such as a heartbeat, and what is cut off are dropped."""
    name, data = "message", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(name, "\n".join(data))
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
