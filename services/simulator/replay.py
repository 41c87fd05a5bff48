"""Recorded answers, given again: the same model, the same input, in the order in which they were recorded."""

import gzip
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.simulator.recognition import Recogniser
from shared.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded answer; what was not recorded is None."""

    response: str
    latency_seconds: float | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Tape:
    """All answers recorded for one input: those of certain nights, and those that serve any night."""

    input: str
    by_night: dict[int, list[Recording]]
    any_night: list[Recording]

    def play(self, night: int, attempt: int) -> Recording | None:
        """The answer to the `attempt`-th asking (from 0) on a night, round and round; or None."""
        tracks = self.by_night.get(night) or self.any_night
        return tracks[attempt % len(tracks)] if tracks else None


Library = dict[str, Recogniser[Tape]]


def read_recordings(path: Path) -> Library:
    """Read rows of `{model, input, response, latency_seconds?, night?, input_tokens?, output_tokens?}`.

    InvalidInput names the file, the line and the field.
    """
    tapes: dict[str, dict[str, Tape]] = defaultdict(dict)
    try:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).splitlines()
    except (OSError, EOFError) as error:
        raise InvalidInput("replay", f"{path} cannot be read ({error}).", "Name a JSONL file.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(line, f"{path}, line {number}")
        known = tapes[row["model"]]
        tape = known.setdefault(row["input"], Tape(row["input"], defaultdict(list), []))
        recording = Recording(
            row["response"], row.get("latency_seconds"), row.get("input_tokens"), row.get("output_tokens")
        )
        night = row.get("night")
        (tape.any_night if night is None else tape.by_night[night]).append(recording)
    return {model: Recogniser(known) for model, known in tapes.items()}


_FIELDS: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "input": (str,),
    "response": (str,),
    "latency_seconds": (int, float),
    "night": (int,),
    "input_tokens": (int,),
    "output_tokens": (int,),
}
_REQUIRED = ("model", "input", "response")


def _row(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(place, f"it is not JSON ({error}).") from None
    if not isinstance(row, dict):
        raise InvalidInput(place, "it is not an object.")
    for field, kinds in _FIELDS.items():
        value = row.get(field)
        if value is None and field not in _REQUIRED:
            continue
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise InvalidInput(f"{place}: {field}", f"{value!r} is not of type {kinds[-1].__name__}.")
        if isinstance(value, int | float) and value < 0:
            raise InvalidInput(f"{place}: {field}", f"{value!r} is below zero.")
    return row
