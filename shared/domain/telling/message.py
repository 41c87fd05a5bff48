"""A message in plain text, before a channel puts it into its own form."""

from dataclasses import dataclass

MINUS = "−"


@dataclass(frozen=True, slots=True)
class Quote:
    """What a model was asked and has said, word for word: (name, text) for each part."""

    title: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Passage:
    heading: str
    lines: tuple[str, ...]
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """`summary` says by itself what happened; `is_good`: it is news that nobody has to act upon."""

    title: str
    summary: str
    passages: tuple[Passage, ...] = ()
    links: tuple[Link, ...] = ()
    is_good: bool = False


def points(value: float) -> str:
    """A difference between two shares in percentage points, always signed."""
    rounded = round(100 * value, 1)
    return f"{MINUS if rounded < 0 else '+'}{abs(rounded):.1f}"


def spread(lower: float, upper: float) -> str:
    return f"95 %: {points(lower)} to {points(upper)}"


def write_text(message: Message, *, aside: str = "") -> str:
    """A message as plain text, without its title; `aside` is said at its end."""
    parts = [message.summary]
    for passage in message.passages:
        lines = [passage.heading] if passage.heading else []
        lines += passage.lines
        for quote in passage.quotes:
            lines += ["", quote.title, *(f"  {name}: {text}" for name, text in quote.parts)]
        parts.append("\n".join(lines))
    parts.append("\n".join(f"{link.label}: {link.url}" for link in message.links))
    parts.append(aside)
    return "\n\n".join(part for part in parts if part)
