"""Forms: what was filled in, read field by field, and what is wrong with it, told where it stands."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from services.api.problems import explain_error
from shared.domain.errors import InvalidInput

WHOLE_NUMBER, NUMBER = "Write a whole number, such as 3.", "Write a number, such as 2.50."
LABEL = "Write one label a line, such as branch=main."
PROMPT = "Write the name of a stored prompt, such as support, or of a version, such as support@2."
NAME = "Begin with a letter or a digit; then letters, digits, dots, hyphens and underscores, 100 at most."
LONGEST_TOLD = 500
_FORMS = {"name": NAME, "suite": NAME, "prompt": PROMPT}

Request = TypeVar("Request", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as a page shows it: every value of each field as text, and what is wrong, by field.

    Errors stand in the order of `labels`, the fields' names for people. `is_unsaved`: all was well, but the
    database did not answer.
    """

    labels: Mapping[str, str]
    values: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    errors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_unsaved: bool = False

    def text(self, name: str) -> str:
        return next(iter(self.values.get(name, ())), "")

    def holds(self, name: str, value: str) -> bool:
        return value in self.values.get(name, ())

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What is wrong: field, label and error, from the top of the form to its end."""
        return [
            (name, label, self.errors[name]) for name, label in self.labels.items() if name in self.errors
        ]

    def unsaved(self) -> "Filled":
        return replace(self, is_unsaved=True)


class Reader:
    """Reads the fields of a form that was sent. What can't be read is kept as it is, and told as an error."""

    def __init__(self, form: FormData, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._values = {
            name: [value for value in form.getlist(name) if isinstance(value, str)] for name in labels
        }
        self._errors: dict[str, str] = {}

    def text(self, name: str) -> str | None:
        """What was written; None where nothing was."""
        return next((value.strip() for value in self._values[name] if value.strip()), None)

    def is_ticked(self, name: str) -> bool:
        return bool(self._values[name])

    def whole(self, name: str) -> int | None:
        written = self.text(name)
        if written is None:
            return None
        if not written.removeprefix("-").isdecimal() or len(written) > 15:
            self._errors[name] = WHOLE_NUMBER
            return None
        return int(written)

    def number(self, name: str) -> float | None:
        written = self.text(name)
        if written is None:
            return None
        try:
            number = float(written)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._errors[name] = NUMBER
            return None
        return number

    def words(self, *names: str) -> list[str]:
        """All words of these fields, in their order, without commas between them."""
        return [
            word for name in names for value in self._values[name] for word in value.replace(",", " ").split()
        ]

    def labels(self, name: str) -> dict[str, str]:
        """`key=value` from each line."""
        read: dict[str, str] = {}
        for line in (self.text(name) or "").splitlines():
            key, separator, value = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not separator or not key or key in read:
                self._errors[name] = f"{key!r} is there twice." if key in read else LABEL
            read[key] = value
        return read

    def check(self, request: type[Request], fields: Mapping[str, object]) -> Request | None:
        """The request that these fields make, as the REST API would take it; None where anything is wrong.

        A field of None was left empty.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            checked = request.model_validate(given)
        except ValidationError as error:
            for one in error.errors():
                told = explain_error({**one, "loc": ("body", *one["loc"])})
                form = _FORMS.get(told.field) if one["type"] == "string_pattern_mismatch" else None
                self.refuse(InvalidInput(told.field, form or told.problem, told.remedy))
            return None
        return None if self._errors else checked

    def refuse(self, error: InvalidInput, other: str = "") -> None:
        """Tell what is wrong at its field, or at the field `other` where the form has no such field."""
        name = error.field.partition("[")[0].partition(".")[0]
        place = name if name in self._labels else other or next(iter(self._labels))
        self._errors.setdefault(place, _tell(error))

    @property
    def is_fine(self) -> bool:
        return not self._errors

    @property
    def filled(self) -> Filled:
        return Filled(self._labels, self._values, dict(self._errors))


def begin(labels: Mapping[str, str], **values: str | int | float | Iterable[str] | None) -> Filled:
    """A form as it is first shown."""
    return Filled(labels, {name: _as_texts(value) for name, value in values.items()})


def _as_texts(value: str | int | float | Iterable[str] | None) -> tuple[str, ...]:
    match value:
        case None:
            return ()
        case str() | int() | float():
            return (f"{value:g}" if isinstance(value, float) else str(value),)
        case _:
            return tuple(value)


def _tell(error: InvalidInput) -> str:
    """`is missing.` -> `It is missing.`"""
    told = f"{error.problem} {error.remedy}".strip()
    return (f"It {told}" if told[:1].islower() else told)[:LONGEST_TOLD]
