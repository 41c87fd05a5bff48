"""Imported runs as a schedule's history, so that its first night is compared with them already."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeAlias
from uuid import UUID

from services.api.decisions import read_seen
from services.api.desk import Desk
from services.api.problems import Problem
from shared.db import audit, linked_imports, schedules, suites
from shared.db.pool import Connection
from shared.db.schedules import Schedule
from shared.detecting import refold
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId
from shared.nights import budget_of

FIELD = "continues"

Named: TypeAlias = tuple[UUID, str]


class LinkedElsewhere(Problem):
    status, title = HTTPStatus.CONFLICT, "Linked elsewhere"


async def link_imports(
    connection: Connection, desk: Desk, name: str, runs: Sequence[Named], actor: str
) -> set[UUID]:
    """Put imported runs, by their ids and names, before a schedule's nights; those that are new there.

    All detections of the schedule are computed anew. Nothing that they find in the past opens an incident.

    Raises:
        InvalidInput: there is no such schedule, or a run can't be its history; the field is `continues`.
        LinkedElsewhere: a run is the history of another schedule.
    """
    schedule = await schedules.find_schedule(connection, name)
    if schedule is None:
        raise InvalidInput(FIELD, f"{name!r} is no schedule.", "Settle it first: PUT /schedules/{name}.")
    schedule = await schedules.lock_schedule(connection, schedule.id)
    ids = [RunId(run_id) for run_id, _ in runs]
    links = await linked_imports.find_links(connection, ids)
    for run_id, source in runs:
        if links.get(RunId(run_id), name) != name:
            raise LinkedElsewhere(f"Run {source!r} is the history of {links[RunId(run_id)]!r} already.")
    new = [named for named in runs if named[0] not in links]
    if not new:
        return set()
    await _check_fit(connection, schedule, new)
    fresh = [RunId(run_id) for run_id, _ in new]
    budget = await budget_of(connection, desk.catalogue, desk.settings, schedule)
    await linked_imports.store_links(connection, schedule.id, fresh, budget, actor)
    facts = {"runs": [str(run_id) for run_id in fresh]}
    await audit.record(connection, actor, "results.linked", schedule.name, facts)
    sequence = await read_seen(connection, desk, schedule.id)
    assert sequence is not None, "the runs just linked count as seen"
    await refold(connection, sequence)
    return set(fresh)


async def _check_fit(connection: Connection, schedule: Schedule, runs: Sequence[Named]) -> None:
    names = {RunId(run_id): source for run_id, source in runs}
    suite = await suites.find_suite(connection, schedule.suite)
    assert suite is not None, "a schedule's suite is stored"
    strangers = await linked_imports.list_strangers(connection, list(names), suite.id)
    if strangers:
        raise InvalidInput(
            FIELD,
            f"run {names[strangers[0]]!r} shares no question with suite {suite.name!r} as"
            f" {schedule.name!r} asks it, so nothing could be compared.",
            "Import the questions with the inputs and targets that the suite has.",
        )
    first_night = await linked_imports.find_first_night(connection, schedule.id)
    dates = await linked_imports.list_dates(connection, list(names))
    late = [run_id for run_id in names if first_night is not None and dates[run_id] >= first_night]
    if late:
        raise InvalidInput(
            FIELD,
            f"run {names[late[0]]!r} is of {dates[late[0]]}, and the first night of {schedule.name!r} is"
            f" {first_night}.",
            "History lies before the first night: leave such runs out.",
        )
