"""What a scorer goes by: its options and the target, read in the kinds that scorers need."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Json

_BETWEEN_COMMAS = re.compile(r'\s*"([^"]*)"\s*(?=,|\Z)|([^,]+)')


@dataclass(frozen=True, slots=True)
class Terms:
    """What a scorer goes by; `asked` is the question's text, for the choices that it lists."""

    options: Mapping[str, Json]
    target: str
    asked: str = ""

    def wanted_text(self) -> str:
        value = self.options.get("value", self.target)
        if not _is_text(value):
            raise InvalidInput("scorer_options.value", f"{shown(value)} is not a text.", "Write one text.")
        return str(value)

    def wanted_texts(self) -> list[str]:
        """Several texts: a list, or one text with commas between them ("…" around one that holds a comma)."""
        value = self.options.get("value", self.target)
        if isinstance(value, str):
            value = [quoted or plain.strip() for quoted, plain in _BETWEEN_COMMAS.findall(value)]
        return _texts(value, "value")

    def named_choices(self) -> list[str]:
        choices = _texts(self.options["choices"], "choices") if "choices" in self.options else []
        if len({choice.strip().casefold() for choice in choices}) != len(choices) or len(choices) == 1:
            raise InvalidInput(
                "scorer_options.choices", "they are fewer than two, or repeat.", "Name each choice once."
            )
        return choices

    def number(self, option: str, default: float, highest: float = math.inf) -> float:
        value = self.options.get(option, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= min(highest, 1e300)
        ):
            bounds = "of at least 0" if highest == math.inf else f"from 0 to {highest:g}"
            raise InvalidInput(
                f"scorer_options.{option}", f"{shown(value)} is no number {bounds}.", "Correct it."
            )
        return float(value)


def refuse_unknown_options(name: str, options: Mapping[str, Json], allowed: Iterable[str]) -> None:
    """InvalidInput where an option is not among those that the scorer knows."""
    for option in options:
        if option not in allowed:
            known = f"It knows {', '.join(sorted(allowed))}." if allowed else "It takes no options."
            raise InvalidInput(f"scorer_options.{option}", f"{name} has no such option.", known)


def shown(value: object) -> str:
    """A value as messages show it: quoted, and not too long."""
    written = repr(value)
    return written if len(written) <= 120 else f"{written[:117]}…"


def _is_text(value: Json) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and bool(str(value).strip())


def _texts(value: Json, option: str) -> list[str]:
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or not value
        or not all(map(_is_text, value))
    ):
        raise InvalidInput(
            f"scorer_options.{option}", f"{shown(value)} is no list of texts.", 'Write ["one", "two"].'
        )
    return [str(text) for text in value]
