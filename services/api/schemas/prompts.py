"""Prompts: the chat that a question is put in, versioned by content."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.paging import Page
from services.api.schemas.fields import RequestBody, SuiteName, text
from shared.domain.questions.prompts import MOST_MESSAGES

EXAMPLE: dict[str, Any] = {
    "name": "support",
    "messages": [
        {"role": "system", "content": "You answer for {{company}}. Be brief."},
        {"role": "user", "content": "{{input}}"},
    ],
    "variables": {"company": "Acme"},
}


class MessageRequest(RequestBody):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, text(100_000)] = Field(
        description="`{{input}}` and `{{category}}` are the question's, other names are variables.",
        examples=["{{input}}"],
    )


class PromptRequest(RequestBody):
    """A prompt to store; content that is new under its name makes a new version."""

    name: SuiteName = Field(examples=["support"])
    messages: Annotated[list[MessageRequest], Field(min_length=1, max_length=MOST_MESSAGES)] = Field(
        description="Instructions, examples, then the user's message that puts `{{input}}`."
    )
    variables: dict[Annotated[str, text(100, 1)], Annotated[str, text(100_000)]] = Field(
        {}, max_length=100, description="Texts for the other names in double braces."
    )

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class Message(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    role: str = Field(examples=["user"])
    content: str = Field(examples=["{{input}}"])


class Prompt(BaseModel):
    name: str = Field(examples=["support"])
    version: int = Field(examples=[1])
    messages: Sequence[Message]
    variables: Mapping[str, str] = Field(examples=[{"company": "Acme"}])
    created_at: datetime


class PromptPage(Page[Prompt]):
    """One page of prompts: by name, each name's newest version first."""
