"""API keys: their secret is told once, when they are made."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from services.api.paging import Page
from services.api.schemas.fields import Count, RequestBody, WrittenInText, text
from shared.db.keys import Scope

LAST_EXPIRY = datetime(2200, 1, 1, tzinfo=UTC)


def _check_is_sane(moment: datetime) -> datetime:
    if not moment.replace(tzinfo=UTC) < LAST_EXPIRY:
        raise ValueError("must lie before the year 2200. Leave it out for a key that does not expire.")
    return moment


class KeyRequest(RequestBody):
    """A key to make; each scope includes those before it: read, submit, admin."""

    name: Annotated[str, text(100, 1)] = Field(examples=["nightly-ci"])
    scope: Scope
    expires_at: Annotated[AwareDatetime, AfterValidator(_check_is_sane), WrittenInText] | None = Field(
        None, description="In the future, with a time zone. Absent: the key does not expire."
    )
    requests_per_minute: Count | None = Field(
        None,
        description="Absent: as many as DRIFTWARDEN_REQUESTS_PER_MINUTE says.",
    )


class Key(BaseModel):
    id: UUID
    name: str = Field(examples=["nightly-ci"])
    prefix: str = Field(description="How the secret begins.", examples=["dw_3fA9x"])
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    requests_per_minute: int | None = Field(
        description="Null: as many as DRIFTWARDEN_REQUESTS_PER_MINUTE says.", examples=[None]
    )


class NewKey(Key):
    secret: str = Field(description="The key itself. It is shown now and can't be read again.")


class KeyPage(Page[Key]):
    """One page of keys, oldest first."""
