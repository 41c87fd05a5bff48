"""Finding what a path names, or saying that it is not there."""

from uuid import UUID

from services.api.problems import NotFound
from shared.db import runs, suites
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.db.suites import SuiteVersion
from shared.domain.runs import RunId


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
