"""Suites and their questions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.api.paging import Page


class SuiteVersion(BaseModel):
    """One version of a suite."""

    name: str = Field(examples=["golden"])
    version: int = Field(examples=[1])
    content_hash: str = Field(description="Equal for equal questions, in whatever order.")
    questions: int = Field(examples=[50])
    asks_judge: bool = Field(description="Whether any question's scorer asks a judge.")
    is_runnable: bool = Field(description="False: imported, with questions whose input is not known.")
    created_at: datetime


class CategorySize(BaseModel):
    category: str = Field(examples=["math"])
    questions: int = Field(examples=[10])


class SuiteDetail(SuiteVersion):
    """A version with its categories, and all versions of the suite, newest first."""

    categories: list[CategorySize]
    versions: list[SuiteVersion]


class StoredSuite(SuiteVersion):
    """What a file was stored as."""

    is_new: bool = Field(description="False: the newest version holds the same questions already.")


class SuitePage(Page[SuiteVersion]):
    """One page of suites, each by its newest version, in alphabetical order."""


class Question(BaseModel):
    """One golden question."""

    id: str = Field(examples=["math-017"])
    position: int
    category: str = Field(examples=["math"])
    input: str
    target: str
    scorer: Mapping[str, Any] = Field(examples=[{"name": "numeric"}])
    cluster: str | None = Field(description="Questions of one cluster fall together.")
    unit: str = Field(description="Identity of the question over versions: hash of what is measured.")


class QuestionPage(Page[Question]):
    """One page of questions, in suite order."""
