"""Reading `models.yaml`: values by name and type, with errors that say where a value stands."""

from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

from shared.domain.cost import Price
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Json

SECONDS = "a number of seconds above 0"
LONGEST_TOLD = 60
PRICE = "US dollars for one token, such as 0.000002"


class Section:
    """A mapping in the file. What has been taken is gone from `values`, so that the rest can be judged."""

    def __init__(self, file: Path, inside: str, values: object) -> None:
        self.file, self.inside = file, inside
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            where = f"{file}: {inside.rstrip('.')}" if inside else str(file)
            raise InvalidInput(
                where, "must be a mapping of names to values.", "See LiteLLM's model_list form."
            )
        self.values: dict[str, Json] = dict(values)

    def at(self, key: str) -> str:
        """The full name of a field, for an error."""
        return f"{self.file}: {self.inside}{key}"

    def take_entries(self, key: str) -> list["Section"]:
        """The mappings in the list of that name, none if it is absent."""
        entries = self.values.pop(key, None) or []
        if not isinstance(entries, list):
            raise InvalidInput(self.at(key), "must be a list.", "Begin each of its entries with a dash.")
        return [Section(self.file, f"{self.inside}{key}[{at}].", entry) for at, entry in enumerate(entries)]

    def take_section(self, key: str) -> "Section":
        """The mapping of that name, empty if it is absent."""
        values = self.values.pop(key, None)
        return Section(self.file, f"{self.inside}{key}.", {} if values is None else values)

    def take_text(self, key: str) -> str | None:
        value = self.values.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self._refusal(key, value, "text; put it in quotes")
        return value

    def take_flag(self, key: str) -> bool | None:
        value = self.values.pop(key, None)
        if value is not None and not isinstance(value, bool):
            raise self._refusal(key, value, "true or false")
        return value

    def take_count(self, key: str) -> int | None:
        value = self.values.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._refusal(key, value, "a whole number, 1 or more")
        return value

    def take_seconds(self, key: str) -> float | None:
        seconds = self._take_decimal(key, SECONDS)
        if seconds == 0:
            raise self._refusal(key, 0, SECONDS)
        return None if seconds is None else float(seconds)

    def take_price(self) -> Price | None:
        read = self._take_decimal("input_cost_per_token", PRICE)
        written = self._take_decimal("output_cost_per_token", PRICE)
        if read is not None and written is not None:
            return Price(read, written)
        if read is not None or written is not None:
            missing = "input_cost_per_token" if read is None else "output_cost_per_token"
            raise InvalidInput(self.at(missing), "is missing.", "State both prices, or neither.")
        return None

    def refuse_rest(self, *, allowed: frozenset[str] = frozenset()) -> None:
        for key in self.values.keys() - allowed:
            raise InvalidInput(self.at(key), "is not known here.", "Correct its name or place, or remove it.")

    def _take_decimal(self, key: str, form: str) -> Decimal | None:
        value = self.values.pop(key, None)
        if value is None:
            return None
        try:
            # YAML reads 1e-6 as text.
            number = Decimal(str(value) if type(value) in (str, int, float) else "")
        except InvalidOperation:
            raise self._refusal(key, value, form) from None
        if not number.is_finite() or number < 0:
            raise self._refusal(key, value, form)
        return number

    def _refusal(self, key: str, value: Json, form: str) -> InvalidInput:
        # A few aliases make a list that takes gigabytes to write.
        told = (
            "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else repr(value)
        )
        return InvalidInput(self.at(key), f"{told[:LONGEST_TOLD]} is not {form}.")


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML in which a date stays text, as in `api_version: 2024-06-01`."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_model_file(path: Path) -> Section:
    """The file's top level; InvalidInput if it cannot be read or is not YAML."""
    try:
        written = yaml.load(path.read_bytes(), _PlainLoader)  # nosec B506  # a SafeLoader
    except OSError as error:
        raise InvalidInput(str(path), f"it cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise InvalidInput(str(path), f"it is not YAML: {' '.join(str(error).split())}.") from None
    except (ValueError, RecursionError):
        raise InvalidInput(str(path), "it holds a number or a nesting too large to read.") from None
    return Section(path, "", written)
