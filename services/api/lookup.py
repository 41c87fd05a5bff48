"""Finding what a path names, or saying that it is not there."""

from typing import Annotated, TypeAlias
from uuid import UUID

from fastapi import Query

from services.api.problems import NotFound
from shared.db import runs, schedules, suites
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.db.schedules import Schedule
from shared.db.suites import SuiteVersion
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId

SHORTEST_PREFIX = 4
HEX_DIGITS = 32

IdPrefix: TypeAlias = Annotated[
    str | None,
    Query(
        min_length=SHORTEST_PREFIX,
        max_length=36,
        pattern=r"^[0-9A-Fa-f-]+$",
        description="Only ids that begin like this.",
        examples=["191b2cbd"],
    ),
]


def range_of_ids(prefix: str | None) -> tuple[UUID, UUID] | None:
    """The first and the last id that begins with these hex digits, hyphens left out of account.

    Raises:
        InvalidInput: no id does; the field is `id_prefix`.
    """
    if prefix is None:
        return None
    digits = prefix.replace("-", "")
    if not SHORTEST_PREFIX <= len(digits) <= HEX_DIGITS:
        raise InvalidInput("id_prefix", f"{prefix!r} begins no id.", "Give 4 to 32 of its hex digits.")
    return UUID(digits.ljust(HEX_DIGITS, "0")), UUID(digits.ljust(HEX_DIGITS, "f"))


async def find_run(connection: Connection, run_id: UUID) -> Run:
    run = await runs.find_run(connection, RunId(run_id))
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run


async def find_suite(connection: Connection, name: str, version: int | None) -> SuiteVersion:
    suite = await suites.find_suite(connection, name, version)
    if suite is None:
        raise NotFound(f"There is no suite {name!r}" + (f" of version {version}." if version else "."))
    return suite


async def find_schedule(connection: Connection, name: str) -> Schedule:
    schedule = await schedules.find_schedule(connection, name)
    if schedule is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return schedule
