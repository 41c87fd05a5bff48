"""The audit log as it is told."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from services.api.paging import Page

FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

ActName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z_]{1,50}\.[a-z_]{0,50}$"), Field(examples=["key.created"])
]


def _check_is_sane(moment: datetime) -> datetime:
    if not FIRST < moment.replace(tzinfo=UTC) < LAST:
        raise ValueError("must lie between 1970 and 2200.")
    return moment


Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_check_is_sane)]


class Entry(BaseModel):
    """One act: who did what to what, and when."""

    id: int
    at: datetime
    actor: str = Field(
        description="The key's name at that time; `anonymous` where keys were switched off.", examples=["ci"]
    )
    act: str = Field(examples=["schedule.paused"])
    subject: str = Field(description="A name or an id.", examples=["nightly"])
    facts: Mapping[str, Any] = Field(description="What else is to be told of it.", examples=[{}])


class AuditPage(Page[Entry]):
    """One page of the audit log, newest first."""
