"""Forms that fields share, in words that JSON Schema can say, so that /docs tells all of what is refused."""

import math
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic.functional_validators import AfterValidator, BeforeValidator

from shared.domain.texts import is_storable

JSON_DEPTH = 20
SAFE_INTEGER = 2**53 - 1
# Control characters and spaces, spelled out: what `\s` stands for differs from one language to the next.
BLANK = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


class RequestBody(BaseModel):
    """What is sent as JSON: fields that are not known are refused, not overlooked."""

    model_config = ConfigDict(extra="forbid")


def text(max_length: int, min_length: int = 0) -> Any:
    """The constraint of text that can be stored: PostgreSQL knows no NUL."""
    return StringConstraints(min_length=min_length, max_length=max_length, pattern=r"^[^\x00]*$")


Text: TypeAlias = Annotated[str, text(1000)]
SuiteName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"), Field(examples=["golden"])
]
ModelName: TypeAlias = Annotated[
    str, StringConstraints(pattern=f"^[^{BLANK}]{{1,200}}$"), Field(examples=["atlas-large"])
]
PromptReference: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[1-9][0-9]{0,9})?$"),
    Field(examples=["support", "support@2"]),
]


def _as_whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integral = BeforeValidator(_as_whole)
"""Whole numbers as JSON Schema knows them: 3.0 is one, neither "3" nor true is."""
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000), Integral]
Version: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1), Integral]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]

Usd: TypeAlias = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": "number", "description": "US dollars: added up as decimals, given as a number."}),
]

UsdLimit: TypeAlias = Annotated[float, Field(strict=True, ge=0.000001, le=1e6, allow_inf_nan=False)]
"""An amount that something may cost."""


def _refuse_text_only(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be text, such as 2030-01-31T00:00:00Z.")
    return value


WrittenInText = BeforeValidator(_refuse_text_only)
"""For types that pydantic would make from numbers, too."""


def _check_storable(value: Any, depth: int = 1) -> Any:
    match value:
        case _ if depth > JSON_DEPTH:
            raise ValueError(f"is nested deeper than {JSON_DEPTH} levels.")
        case str() if not is_storable(value):
            raise ValueError("holds characters that can't be stored (NUL or a lone surrogate).")
        case float() if not math.isfinite(value):
            raise ValueError("holds NaN or Infinity, which JSON does not know.")
        case int() if abs(value) > SAFE_INTEGER:
            raise ValueError("holds a whole number beyond 2^53.")
        case list():
            for part in value:
                _check_storable(part, depth + 1)
        case dict():
            for key, part in value.items():
                _check_storable(key, depth + 1)
                _check_storable(part, depth + 1)
    return value


JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(_check_storable)]
"""Any JSON object that can be stored and comes back as it was."""
