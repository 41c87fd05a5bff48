"""A message as an e-mail: a subject, a text, and the same as HTML."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from shared.domain.telling.message import Message, Passage, Quote, write_text

LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Email:
    subject: str
    text: str
    html: str


def build_email(message: Message, *, aside: str = "") -> Email:
    """Put a message into an e-mail; the HTML holds nothing that could load or run."""
    subject = " ".join("".join(c if c.isprintable() else " " for c in message.title).split())
    body = "\n".join(_write(message, aside))
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(subject)}</title>"
        '<body style="font: 15px/1.5 sans-serif; max-width: 42rem">\n'
        f"{body}\n</body></html>"
    )
    return Email(f"[Driftwarden] {subject}"[:LONGEST_SUBJECT], write_text(message, aside=aside), html)


def _write(message: Message, aside: str) -> Iterator[str]:
    yield f'<h1 style="font-size: 1.3rem">{escape(message.title)}</h1>'
    yield f"<p><strong>{escape(message.summary)}</strong></p>"
    for passage in message.passages:
        yield from _write_passage(passage)
    if message.links:
        links = (f'<a href="{escape(link.url)}">{escape(link.label)}</a>' for link in message.links)
        yield f"<p>{' · '.join(links)}</p>"
    if aside:
        yield f"<p><em>{escape(aside)}</em></p>"


def _write_passage(passage: Passage) -> Iterator[str]:
    if passage.heading:
        yield f'<h2 style="font-size: 1.05rem">{escape(passage.heading)}</h2>'
    if passage.lines:
        yield "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in passage.lines) + "</ul>"
    for quote in passage.quotes:
        yield from _write_quote(quote)


def _write_quote(quote: Quote) -> Iterator[str]:
    yield f"<p>{escape(quote.title)}</p><dl>"
    for name, text in quote.parts:
        yield f'<dt>{escape(name)}</dt><dd style="white-space: pre-wrap">{escape(text)}</dd>'
    yield "</dl>"
