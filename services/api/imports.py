"""Importing results: all runs of a file or none; a run that is there already is found, not stored again."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal, TypedDict

from services.api.desk import Desk
from services.api.linking import link_imports
from services.api.problems import Problem
from services.api.schemas.imports import Imported
from services.api.schemas.imports import ImportedRun as ToldRun
from shared.db import audit, imports, suites
from shared.db.pool import Connection
from shared.db.suites import SuiteVersion
from shared.domain.errors import InvalidInput
from shared.domain.imports import ImportedRun, parse_results
from shared.domain.questions.imported_suites import find_stranger, learn
from shared.domain.questions.suites import Question
from shared.domain.runs import RunId

CLOCK_TOLERANCE = timedelta(hours=1)


class ResultsDiffer(Problem):
    status, title = HTTPStatus.CONFLICT, "Results differ"


class ImportState(TypedDict):
    """What each request finds in `request.state`."""

    import_turn: asyncio.Lock


@asynccontextmanager
async def open_imports(_: Any) -> AsyncIterator[ImportState]:
    """Imports take turns: each needs memory for its whole file, and a connection for as long as it takes."""
    yield {"import_turn": asyncio.Lock()}


async def import_results(desk: Desk, content: bytes, actor: str, *, continues: str | None = None) -> Imported:
    """Store the runs of a file as completed when they were measured; `continues`: as this schedule's history.

    Raises:
        InvalidInput: a row is wrong, a suite is known otherwise, or a run can't be that history; the field
            says where.
        ResultsDiffer: a run of the same name was imported with other results before.
        LinkedElsewhere: a run is the history of another schedule.
    """
    parsed = await asyncio.to_thread(_parse, content)
    async with desk.connection() as connection, connection.transaction():
        await imports.lock_imports(connection)
        shelf = Shelf(connection)
        told = [await _import_run(connection, shelf, run, identity) for run, identity in parsed]
        created = [run for run in told if run.state == "created"]
        if created:
            facts = {
                "suites": sorted({run.suite for run in created}),
                "rows": sum(run.rows for run in created),
            }
            await audit.record(connection, actor, "results.imported", f"{len(created)} runs", facts)
        if continues is not None:
            named = [(run.run_id, run.source) for run in told]
            new = await link_imports(connection, desk, continues, named, actor)
            told = [run.model_copy(update={"is_newly_linked": run.run_id in new}) for run in told]
    return Imported(runs=told, rows=sum(run.rows for run in told), continues=continues)


def _parse(content: bytes) -> list[tuple[ImportedRun, str]]:
    latest = datetime.now(UTC) + CLOCK_TOLERANCE
    runs = parse_results("body", content)
    for run in runs:
        if run.run_at > latest:
            problem = f"{run.run_at.isoformat()} of run {run.name!r} lies in the future."
            raise InvalidInput("run_at", problem, "Write when the answers were given.")
    return [(run, run.identity) for run in runs]


async def _import_run(connection: Connection, shelf: "Shelf", run: ImportedRun, identity: str) -> ToldRun:
    there = await imports.find_import(connection, run)
    if there is not None:
        if there.request_hash != identity:
            raise ResultsDiffer(
                f"Run {run.name!r} of suite {run.suite!r} was imported before, as run {there.id}, with other"
                " results. What is stored stays: give these rows another run_id."
            )
        return _tell(run, there.id, there.suite_version, "already_there")
    held = await shelf.place(run)
    run_id = await imports.store_import(connection, run, identity, held.suite.id, held.numbers)
    return _tell(run, run_id, held.suite.version, "created")


def _tell(
    run: ImportedRun, run_id: RunId, suite_version: int, state: Literal["created", "already_there"]
) -> ToldRun:
    return ToldRun(
        run_id=run_id,
        source=run.name,
        suite=run.suite,
        suite_version=suite_version,
        state=state,
        rows=len(run.pairs),
    )


@dataclass(frozen=True, slots=True)
class Shelved:
    """A suite version with its questions, and the numbers that they are stored under, by id."""

    suite: SuiteVersion
    questions: Mapping[str, Question]
    numbers: Mapping[str, int]


class Shelf:
    """The suites that one import belongs to, each version read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._versions: dict[str, list[SuiteVersion]] = {}
        self._read: dict[int, Shelved] = {}

    async def place(self, run: ImportedRun) -> Shelved:
        """The newest version that holds the run's questions as told, else one made of what the rows tell.

        None is made of a suite that came from a file: its newest version is what future runs ask.

        Raises:
            InvalidInput: such a suite does not hold the questions.
        """
        for version in await self._list(run.suite):
            known = await self._open(version)
            if find_stranger(known.questions, run.questions) is None:
                return known
        return await self._add(run)

    async def _list(self, suite: str) -> list[SuiteVersion]:
        if suite not in self._versions:
            self._versions[suite] = await suites.list_versions(self._connection, suite)
        return self._versions[suite]

    async def _open(self, version: SuiteVersion) -> Shelved:
        if version.id not in self._read:
            stored = await suites.read_questions(self._connection, version.id)
            self._read[version.id] = Shelved(
                version,
                {each.question.id: each.question for each in stored},
                {each.question.id: each.number for each in stored},
            )
        return self._read[version.id]

    async def _add(self, run: ImportedRun) -> Shelved:
        versions = await self._list(run.suite)
        newest = await self._open(versions[0]) if versions else None
        known = newest.questions if newest else {}
        if newest and not newest.suite.is_imported:
            stranger = find_stranger(known, run.questions)
            assert stranger is not None, "no version holds all questions"
            raise InvalidInput(
                "suite",
                f"{run.suite!r} came from a file that does not hold question {stranger.id!r} as run"
                f" {run.name!r} tells it.",
                "Name another suite in these rows; or leave out input, target and category of questions that"
                " only read differently; or import the suite's file as it was then.",
            )
        stored, _ = await suites.store_suite(
            self._connection, run.suite, learn(known, run.questions), is_imported=True
        )
        versions.insert(0, stored)
        return await self._open(stored)
