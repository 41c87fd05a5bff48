"""Channels and what is sent over them, as they are asked for and as they are told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.paging import Page
from services.api.schemas.fields import Flag, ModelName, RequestBody, SuiteName, text
from shared.db.channels import ChannelKind, ChannelState
from shared.domain.telling.routing import MinSeverity

EXAMPLE: dict[str, Any] = {
    "name": "team",
    "kind": "slack",
    "target": "https://hooks.slack.com/services/T000/B000/XXXX",
    "min_severity": "minor",
}
Target = Annotated[
    str,
    text(2000, 1),
    Field(
        description="Slack: the incoming webhook's address. Webhook: an http(s) address. E-mail: addresses "
        "with commas between. Apprise: one of its addresses. It is stored encrypted and never shown again."
    ),
]
Severity = Annotated[
    MinSeverity,
    Field(
        description="The least severity that is told. Missing answers count as major, so that `critical` "
        "alone leaves them out."
    ),
]
Models = Annotated[
    list[ModelName] | None,
    Field(
        min_length=1,
        max_length=200,
        description="Only these models. Null: all. What judge or harness do concerns every model.",
    ),
]
Suites = Annotated[
    list[SuiteName] | None, Field(min_length=1, max_length=200, description="Only these. Null: all.")
]
Weekly = Annotated[Flag, Field(description="Also tell the fleet's week, each Monday morning (UTC).")]


class ChannelRequest(RequestBody):
    """Where people, or programs, are to be told of incidents."""

    name: SuiteName = Field(examples=["team"])
    kind: ChannelKind
    target: Target
    min_severity: Severity = MinSeverity.SMALL
    models: Models = None
    suites: Suites = None
    weekly_digest: Weekly = False

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class ChannelChange(RequestBody):
    """What is to be otherwise from now on; what is left out stays as it is."""

    target: Target = ""
    min_severity: Severity = MinSeverity.SMALL
    models: Models = None
    suites: Suites = None
    weekly_digest: Weekly = False
    is_enabled: Flag = Field(True, description="False: nothing is sent over it, nor is it kept for later.")


class Channel(BaseModel):
    name: str = Field(examples=["team"])
    kind: ChannelKind
    origin: str = Field(description="`person`, or `settings`: DRIFTWARDEN_SLACK_WEBHOOK_URL makes it.")
    target: str = Field(description="All of it that is shown.", examples=["hooks.slack.com …XXXX"])
    state: ChannelState
    disabled_because: str | None = Field(examples=[None])
    min_severity: MinSeverity
    models: Sequence[str] | None = Field(examples=[None])
    suites: Sequence[str] | None = Field(examples=[None])
    weekly_digest: bool
    former_secret_until: datetime | None = Field(
        description="Until then webhooks are signed with the secret before this one, too.", examples=[None]
    )
    created_at: datetime
    created_by: str


class NewChannel(Channel):
    secret: str | None = Field(
        description="What a webhook's messages are signed with. It is shown now and can't be read again.",
        examples=["whsec_…"],
    )


class ChannelPage(Page[Channel]):
    """One page of channels, by name."""


class Secret(BaseModel):
    """A secret of webhooks. It is shown now and, of a channel, can't be read again."""

    secret: str = Field(examples=["whsec_…"])
    former_secret_until: datetime | None = Field(
        description="Until then messages are signed with the one before it, too.", examples=[None]
    )


class Delivery(BaseModel):
    """One message to one receiver."""

    id: UUID = Field(description="A webhook's `webhook-id` is msg_ and its hex digits.")
    event: str = Field(description="What is told.", examples=["incident.opened"])
    channel: str | None = Field(description="Null: a run's callback.", examples=["team"])
    channel_kind: str = Field(examples=["slack"])
    receiver: str = Field(description="As much of it as is shown.")
    incident_id: UUID | None
    run_id: UUID | None
    state: str = Field(description="pending, delivered, dead, or gathered: told in another message.")
    gathered_into: UUID | None = Field(description="The delivery that tells of it, too.")
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    created_at: datetime
    closed_at: datetime | None


class DeliveryPage(Page[Delivery]):
    """One page of deliveries, newest first."""


class Attempt(BaseModel):
    number: int
    begun_at: datetime
    ended_at: datetime | None
    outcome: str | None = Field(
        description="delivered, failed, refused, gone, or unknown. Null: it is under way.",
        examples=["delivered"],
    )
    status: int | None = Field(description="The receiver's, where it gave one.", examples=[200])
    detail: str


class DeliveryDetail(Delivery):
    """A delivery with what it tells and every attempt at it."""

    log: Sequence[Attempt]
    content: dict[str, Any] = Field(description="What is told; a webhook's `data`. Of a run: the run itself.")
