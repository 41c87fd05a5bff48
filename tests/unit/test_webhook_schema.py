"""The published description of what webhooks carry."""

import json
from pathlib import Path

from shared.notices import describe_notices

SCHEMA = Path(__file__).parents[2] / "docs" / "webhooks.schema.json"


def test_the_published_schema_is_that_of_the_code() -> None:
    """To publish a change: python -m shared.notices > docs/webhooks.schema.json"""
    assert json.loads(SCHEMA.read_text()) == describe_notices()
