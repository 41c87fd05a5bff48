"""What schemathesis is taught: a media type of ours, and what a well-formed request may be refused for."""

import re
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

# What pydantic says of a value's form.
OF_FORM = re.compile(
    r"Input should|should (be|have|match)|does not have the form|is missing\.|not known here"
)


@schemathesis.serializer("application/jsonl")
def write_lines(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.check
def refused_for_its_meaning(ctx: CheckContext, response: Response, case: Case) -> None:
    """What the description takes for well-formed is not refused for its form."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code != 422:
        return
    for error in response.json()["errors"]:
        assert not OF_FORM.search(error["problem"]), f"of the right form, and refused for it: {error}"
