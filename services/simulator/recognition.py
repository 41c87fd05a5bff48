"""Recognising a known question inside whatever prompt surrounds it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

_HEAD = 24
_REMEMBERED = 4096


class Recogniser(Generic[T]):
    """Known inputs and what they stand for: an exact match first, else the longest input within the text.

    Inputs are found by their first 24 characters, so the cost of a new text grows with its own length and
    hardly with the number of inputs; texts seen before cost one look-up.
    """

    def __init__(self, known: Mapping[str, T]) -> None:
        self._known = {text.strip(): value for text, value in known.items() if text.strip()}
        self._by_head: dict[str, list[str]] = defaultdict(list)
        self._short: list[str] = []
        for text in sorted(self._known, key=len, reverse=True):
            if len(text) < _HEAD:
                self._short.append(text)
            else:
                self._by_head[text[:_HEAD]].append(text)
        self._seen: dict[str, T | None] = {}

    def recognise(self, text: str) -> T | None:
        """What the text asks, or None if it holds no known input."""
        found = self._known.get(text)
        if found is not None:
            return found
        if text in self._seen:
            return self._seen[text]
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        return self._seen.setdefault(text, self._longest_within(text.strip()))

    def _longest_within(self, text: str) -> T | None:
        if text in self._known:
            return self._known[text]
        by_head = self._by_head
        heads = {text[start : start + _HEAD] for start in range(len(text) - _HEAD + 1)} & by_head.keys()
        inside = _contained((known for head in heads for known in by_head[head]), text)
        longest = max(inside, key=len, default=None)
        if longest is None:
            longest = next(_contained(self._short, text), None)
        return None if longest is None else self._known[longest]


def _contained(candidates: Iterable[str], text: str) -> Iterator[str]:
    return (candidate for candidate in candidates if candidate in text)
