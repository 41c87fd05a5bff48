"""Options that several commands share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="How many to list.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, or the first 4 digits of it or more.")
]
