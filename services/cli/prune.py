"""`driftwarden prune`: answers that are old enough go; what they were worth stays."""

import asyncio
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.failures import Refused
from services.cli.help import MANAGE, examples
from services.cli.numbers import count, many
from services.cli.render import tell

if TYPE_CHECKING:
    from shared.db.retention import Removed

commands = typer.Typer()

ACTOR = "driftwarden prune"  # who acts, for the audit log


@commands.command(
    rich_help_panel=MANAGE, epilog=examples("prune --older-than 90d --dry-run", "prune --older-than 90d")
)
def prune(
    older_than: Annotated[
        str, typer.Option(metavar="DAYS", help="Runs that finished longer ago than that, such as 90d.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The data folder of `up` [default: as `up` takes it].")
    ] = None,
) -> None:
    """Remove the texts of old answers, and what judges said of them. It can't be undone.

    Scores, costs, aggregates, baselines, detections and anchors stay; so do the answers of controls and those
    that an open incident is about. DRIFTWARDEN_KEEP_RESPONSES_DAYS has the scheduler do this every night.
    """
    if not (match := re.fullmatch(r"(\d{1,5})d", older_than)) or int(match[1]) < 1:
        raise Refused(f"--older-than: {older_than!r} is no number of days. Write 90d.")
    found = asyncio.run(_prune(int(match[1]), dry_run, data))
    done = "would go" if dry_run else "are gone"
    what = f"{many(found.pairs, 'answer')} of {many(found.runs, 'run')}"
    tell(f"The texts of {what} {done} ({found.bytes / 1e6:.1f} MB, {count(found.bytes)} bytes).")


async def _prune(days: int, dry_run: bool, data: Path | None) -> "Removed":
    from services.cli.databases import connect_to_database
    from services.cli.processes import read_settings
    from shared import pruning
    from shared.db.pool import speak_json
    from shared.models import Catalogue

    settings = read_settings("prune", data=data)
    kept = Catalogue.load(settings.models_file, os.environ).controls()
    async with connect_to_database(settings, must_exist=True) as connection:
        await speak_json(connection)
        if dry_run:
            return await pruning.count_prunable(connection, datetime.now(UTC), days, kept)
        return await pruning.prune(connection, datetime.now(UTC), days, kept, ACTOR)
