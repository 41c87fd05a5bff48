"""Pages of a list: a cursor is the place of the last item that was given, opaque to clients."""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeAlias, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, TypeAdapter

from shared.domain.errors import InvalidInput

Item = TypeVar("Item")
Place = TypeVar("Place")

Limit: TypeAlias = Annotated[int, Query(ge=1, le=500, description="How many items a page holds at most.")]
CursorText: TypeAlias = Annotated[
    str | None,
    Query(max_length=2000, description="`next_cursor` of the page before; absent: the first page."),
]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` leads to the next one, null: this is the last."""

    items: list[Item]
    next_cursor: str | None = Field(examples=[None])


class Cursor(Generic[Place]):
    """Writes places into cursors and reads them back; `shape` is what the place is made of."""

    def __init__(self, shape: Any) -> None:
        self._shape: TypeAdapter[Place] = TypeAdapter(shape)

    def write(self, place: Place) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(place, default=str)).decode().rstrip("=")

    def read(self, cursor: str | None) -> Place | None:
        """The place in a cursor; None without one.

        Raises:
            InvalidInput: this cursor was not given out here.
        """
        if cursor is None:
            return None
        try:
            written = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return self._shape.validate_json(written)
        except (ValueError, OverflowError):
            raise InvalidInput("cursor", "is not one of this list.", "Give next_cursor as it came.") from None

    def cut(
        self, found: Sequence[Item], limit: int, place_of: Callable[[Item], Place]
    ) -> tuple[Sequence[Item], str | None]:
        """One page of what was found with `limit + 1`, and the cursor to the next page if there is one."""
        page = found[:limit]
        return page, self.write(place_of(page[-1])) if len(found) > limit else None


def _as_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


BY_TIME = Cursor[tuple[datetime, UUID]](tuple[Annotated[AwareDatetime, AfterValidator(_as_utc)], UUID])
"""For lists that are ordered by a moment, then by id."""
