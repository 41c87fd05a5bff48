"""Notices as JSON and back: how they are stored, and what webhooks carry."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, TypeAdapter

from shared.domain.telling.alerts import Alert, FinishedRun, Gathering, Notice, Trial, Weekly

_notices: TypeAdapter[Notice] = TypeAdapter(
    Annotated[Alert | Gathering | Weekly | Trial | FinishedRun, Discriminator("type")]
)


def write_notice(notice: Notice) -> dict[str, Any]:
    written: dict[str, Any] = _notices.dump_python(notice, mode="json")
    return written


def read_notice(stored: Mapping[str, Any]) -> Notice:
    return _notices.validate_python(stored)


def describe_notices() -> dict[str, Any]:
    """The JSON Schema of every notice."""
    return _notices.json_schema(mode="serialization")


if __name__ == "__main__":
    print(json.dumps(describe_notices(), indent=1))
