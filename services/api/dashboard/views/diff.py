"""Two answers word by word: what is gone from the first, what is new in the second."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_WORDS = 1500  # beyond, the answers are shown as they are
_WORDS = re.compile(r"\w+|[^\w\s]|\s+")


@dataclass(frozen=True, slots=True)
class Stretch:
    """`is_changed`: not in the other answer."""

    text: str
    is_changed: bool


def compare_words(before: str, after: str) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
    """Cut both answers into stretches that they share and stretches that they don't."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if len(old) > MOST_WORDS or len(new) > MOST_WORDS:
        return (Stretch(before, False),), (Stretch(after, False),)
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return (
        tuple(_join((tag, old[i:j]) for tag, i, j, _, _ in steps)),
        tuple(_join((tag, new[i:j]) for tag, _, _, i, j in steps)),
    )


def _join(steps: Iterator[tuple[str, Sequence[str]]]) -> Iterator[Stretch]:
    for tag, words in steps:
        if words:
            yield Stretch("".join(words), tag != "equal")
