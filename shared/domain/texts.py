"""What a database keeps as text: no NUL, and no half of a surrogate pair."""

import re

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    return text.isprintable() or not _UNSTORABLE.search(text)


def make_storable(text: str) -> str:
    """The text with U+FFFD for each character that can't be kept."""
    return text if text.isprintable() else _UNSTORABLE.sub("\ufffd", text)
