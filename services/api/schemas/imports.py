"""Results that another tool has measured, as they are taken in."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class ImportedRun(BaseModel):
    run_id: UUID
    source: str = Field(description="Its run_id in the file, else its run_at.", examples=["night-2025-03-01"])
    suite: str = Field(examples=["golden"])
    suite_version: int = Field(examples=[1])
    state: Literal["created", "already_there"]
    rows: int = Field(examples=[500])
    is_newly_linked: bool = Field(
        default=False, description="It has just become history of the schedule that `continues` names."
    )


class Imported(BaseModel):
    """What a file was stored as, oldest run first."""

    runs: list[ImportedRun]
    rows: int
    continues: str | None = Field(default=None, description="The schedule whose history they are.")
