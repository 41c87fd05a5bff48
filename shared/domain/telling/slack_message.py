"""A message as Slack's Block Kit, within its limits whatever the message says.

Slack refuses a message with more than 50 blocks, a text of more than 3,000 characters, or a header of more
than 150. Everything that is not ours to write is either escaped or shown as plain text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from shared.domain.telling.message import Message, Passage, Quote

Block: TypeAlias = dict[str, Any]

MOST_BLOCKS = 50
LONGEST_TEXT = 3000
LONGEST_HEADER = 150
LONGEST_URL = 2000
LONGEST_LABEL = 75
LONGEST_PART = 600  # of a quoted answer
CUT = " …"
LEFT_OUT = "There is more; the links lead to it."
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# A word joiner keeps these from marking text as bold, struck or code; nobody sees it.
_MARKS = {mark: f"{mark}\N{WORD JOINER}" for mark in "*_~`"}


@dataclass(frozen=True, slots=True)
class SlackPayload:
    """`text` is what notifications show, and clients that know no blocks."""

    text: str
    blocks: tuple[Block, ...]


def build_slack(message: Message, *, aside: str = "") -> SlackPayload:
    """Put a message into blocks: title, summary, passages, links; `aside` is said at the end."""
    last = list(_end(message, aside))
    room = MOST_BLOCKS - len(last)
    blocks = list(_begin(message))
    for block in _tell_passages(message.passages):
        if len(blocks) == room - 1:
            blocks.append(_section(LEFT_OUT))
            break
        blocks.append(block)
    text = _fit(f"{escape(message.title)}: {escape(message.summary)}", LONGEST_TEXT)
    return SlackPayload(text, (*blocks, *last))


def escape(text: str) -> str:
    """Text that Slack shows as it is: it mentions nobody, links nowhere, and is in no style."""
    return "".join(_ESCAPES.get(char) or _MARKS.get(char, char) for char in _printable(text))


def _begin(message: Message) -> Iterator[Block]:
    title = _fit(_printable(message.title).replace("\n", " ").strip() or "Driftwarden", LONGEST_HEADER)
    yield {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    if _printable(message.summary).strip():
        yield _section(_fit(escape(message.summary), LONGEST_TEXT))


def _end(message: Message, aside: str) -> Iterator[Block]:
    """The links as buttons, and what is said aside."""
    links = [link for link in message.links if len(link.url) <= LONGEST_URL][:5]
    if links:
        yield {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "text": {"type": "plain_text", "text": _fit(link.label, LONGEST_LABEL), "emoji": False},
                    "url": link.url,
                }
                for link in links
            ],
        }
    if aside:
        said = {"type": "mrkdwn", "text": _fit(escape(aside), LONGEST_TEXT)}
        yield {"type": "context", "elements": [said]}


def _tell_passages(passages: Sequence[Passage]) -> Iterator[Block]:
    for passage in passages:
        heading = [f"*{escape(passage.heading)}*"] if passage.heading else []
        for text in _pack([*heading, *(escape(line) for line in passage.lines)]):
            yield _section(text)
        for quote in passage.quotes:
            yield from _quote(quote)


def _quote(quote: Quote) -> Iterator[Block]:
    yield _section(_fit(f"*{escape(quote.title)}*", LONGEST_TEXT))
    lines = [f"{name}: {_fit(_printable(text), LONGEST_PART)}" for name, text in quote.parts]
    for text in _pack(lines):
        yield {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _pack(lines: Iterable[str]) -> Iterator[str]:
    """Lines put together into as few texts as their limit allows."""
    held = ""
    for line in lines:
        fitting = _fit(line, LONGEST_TEXT)
        if held and _length(held) + 1 + _length(fitting) > LONGEST_TEXT:
            yield held
            held = ""
        held = f"{held}\n{fitting}" if held else fitting
    if held.strip():
        yield held


def _fit(text: str, longest: int) -> str:
    """As much of a text as fits, cut before an escape rather than in it."""
    if _length(text) <= longest:
        return text
    kept, room = 0, longest - len(CUT)
    while room >= (size := _length(text[kept])):
        room -= size
        kept += 1
    shorter = text[:kept]
    begins = shorter.rfind("&")
    if begins > shorter.rfind(";") and kept - begins < len("&amp;"):
        shorter = shorter[:begins]
    return shorter.rstrip() + CUT


def _length(text: str) -> int:
    """Characters as the strictest of counters counts them: in UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _printable(text: str) -> str:
    """Without characters that hide, reorder or end text; line breaks stay."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)
