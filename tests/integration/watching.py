"""A schedule's past made up: nights as rows, measured as a test says, for the watch to see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import numpy as np
from arq.connections import ArqRedis

from services.scheduler.detect import detect
from shared.db import aggregates, incidents, runs, schedules, suites
from shared.db.detections import read_fold
from shared.db.incidents import Incident
from shared.db.pool import Connection, Pool
from shared.db.runs import NewRun
from shared.db.schedules import Budget, Schedule
from shared.db.seen import find_last_seen
from shared.detecting import read_sequence, refold
from shared.domain.runs import RunId, RunKind, RunState
from shared.domain.telling.incidents import MonitorState
from shared.models import Catalogue
from tests.factories import make_suite
from tests.integration.scheduling import TERMS

FIRST_NIGHT = date(2026, 1, 1)
CHANCE = 0.8


@dataclass(frozen=True, slots=True)
class Story:
    """What a night measured: each question's chance to be answered right, by model; None: no answer.

    `wrong` tells of which model, night and category every answer is wrong.
    """

    chances: Callable[[str, int], float | None] = lambda model, night: CHANCE
    served_model: Callable[[str, int], str | None] = lambda model, night: None
    wrong: Callable[[str, int, str], bool] = lambda model, night, category: False
    seconds: Callable[[str, int], float] = lambda model, night: 0.5


@dataclass(slots=True)
class Past:
    """A schedule whose nights are made up one by one."""

    pool: Pool
    redis: ArqRedis
    schedule: Schedule
    models: Sequence[str]
    catalogue: Catalogue = field(default_factory=lambda: Catalogue({}))
    seed: int = 1
    nights: int = 0
    parameters: Mapping[str, object] = field(default_factory=lambda: {"temperature": 0})

    async def live(self, nights: int, story: Story = Story()) -> None:
        """Let nights go by, each seen by the watch when it is over."""
        for _ in range(nights):
            await self.measure(story)
            await self.watch()

    async def watch(self) -> int:
        return await detect(self.pool, self.redis, self.catalogue, self.now)

    @property
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 3, tzinfo=UTC) + timedelta(days=self.nights)

    async def measure(self, story: Story = Story(), *, end: RunState = RunState.COMPLETED) -> RunId:
        """One more night's run, completed or broken off, but not seen; `running`: not over yet."""
        night = FIRST_NIGHT + timedelta(days=self.nights)
        self.nights += 1
        chance = np.random.default_rng([self.seed, self.nights])
        async with self.pool.acquire() as connection, connection.transaction():
            await schedules.store_night(
                connection, self.schedule.id, night, self.now, Budget(len(self.models), 365.0)
            )
            return await self._store_run(connection, night, story, chance, end=end)

    async def confirm(self, night: int, story: Story = Story()) -> RunId:
        """Ask once more, by hand, in a night that may be long past."""
        chance = np.random.default_rng([self.seed, night, 1])
        async with self.pool.acquire() as connection, connection.transaction():
            return await self._store_run(
                connection, FIRST_NIGHT + timedelta(days=night - 1), story, chance, attempt=1
            )

    async def finish(self, run_id: RunId, end: RunState = RunState.COMPLETED) -> None:
        async with self.pool.acquire() as connection:
            await connection.execute(
                "UPDATE runs SET state = $2, finished_at = $3 WHERE id = $1", run_id, end, self.now
            )

    async def _store_run(
        self,
        connection: Connection,
        night: date,
        story: Story,
        chance: np.random.Generator,
        attempt: int = 0,
        end: RunState = RunState.COMPLETED,
    ) -> RunId:
        suite = await suites.find_suite(connection, self.schedule.suite)
        assert suite is not None
        questions = await suites.read_questions(connection, suite.id)
        run_id = RunId(uuid4())
        new = NewRun(
            id=run_id, kind=RunKind.CONFIRMATION if attempt else RunKind.NIGHTLY,
            suite_version_id=suite.id, judge_id=None,
            models=list(self.models), repeats=1, sample=None, parameters=self.parameters,
            max_cost_usd=None, labels={}, git_commit=None, client_versions={}, idempotency_key=None,
            request_hash="", schedule_id=self.schedule.id, night=night, attempt=attempt,
        )  # fmt: skip
        await runs.submit_run(connection, new)
        rows = []
        for model in self.models:
            p = story.chances(model, self.nights)
            served = story.served_model(model, self.nights)
            for stored, draw in zip(questions, chance.random(len(questions)), strict=True):
                is_wrong = story.wrong(model, self.nights, stored.question.category)
                right = None if p is None else bool(draw < p) and not is_wrong
                seconds = story.seconds(model, self.nights)
                rows.append(_as_pair(run_id, model, stored.number, right, served, seconds, self.now))
        await connection.copy_records_to_table("pairs", columns=_PAIR, records=rows)
        await connection.execute(
            "UPDATE runs SET state = 'running', planned_pairs = $2, planned_at = $3 WHERE id = $1",
            run_id, len(rows), self.now,
        )  # fmt: skip
        await aggregates.store_aggregates(connection, await aggregates.compute_aggregates(connection, run_id))
        if end is not RunState.RUNNING:
            await connection.execute(
                "UPDATE runs SET state = $2, finished_at = $3 WHERE id = $1", run_id, end, self.now
            )
        return run_id

    async def incidents(self) -> list[Incident]:
        """All of them, oldest first."""
        async with self.pool.acquire() as connection:
            return (await incidents.list_incidents(connection, limit=500))[::-1]

    async def detections(self) -> list[Mapping[str, object]]:
        """All rows that the fold has written, in order, without what the database made up."""
        async with self.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT * FROM detections ORDER BY subject, model, stream, sequence, run_id"
            )
        return [dict(row) for row in rows]

    async def refold(self) -> None:
        """Compute everything anew from the stored results."""
        async with self.pool.acquire() as connection, connection.transaction():
            last = await find_last_seen(connection, self.schedule.id)
            await refold(connection, await read_sequence(connection, self.schedule.id, (), last=last))

    async def events(self) -> list[tuple[str, str]]:
        """What befell whose incident, in order."""
        async with self.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT i.model, e.kind FROM incident_events e JOIN incidents i ON i.id = e.incident_id"
                " ORDER BY e.id"
            )
        return [(row["model"], row["kind"]) for row in rows]

    async def states(self) -> dict[str, MonitorState]:
        async with self.pool.acquire() as connection:
            rows = await incidents.list_monitors(connection, self.schedule.id)
        return {row.model: row.state for row in rows}

    async def has_fold(self) -> bool:
        async with self.pool.acquire() as connection:
            return await read_fold(connection, self.schedule.id) is not None


async def begin_past(
    pool: Pool,
    redis: ArqRedis,
    models: Sequence[str],
    *,
    questions: int = 120,
    categories: int = 4,
    **terms: object,
) -> Past:
    """A schedule with a suite and no night."""
    content = make_suite(questions)
    content = type(content)(
        tuple(
            type(question)(
                question.id, f"cat-{number % categories}", question.input, question.target, question.scorer
            )
            for number, question in enumerate(content.questions)
        )
    )
    async with pool.acquire() as connection, connection.transaction():
        await suites.store_suite(connection, TERMS.suite, content)
        schedule, _ = await schedules.store_schedule(
            connection, replace(TERMS, **{"confirmations": 0, **terms}), datetime(2025, 12, 31, tzinfo=UTC)
        )
    return Past(pool, redis, schedule, models)


_PAIR = (
    "run_id", "model", "question_id", "repeat", "state", "attempts", "response", "served_model",
    "latency_seconds", "output_tokens", "score", "passed", "reason", "error_kind", "refused", "answered_at",
    "closed_at",
)  # fmt: skip


def _as_pair(
    run_id: RunId,
    model: str,
    question: int,
    right: bool | None,
    served: str | None,
    seconds: float,
    now: datetime,
) -> tuple[object, ...]:
    if right is None:
        return (
            run_id, model, question, 1, "failed", 1, None, None, None, None, None, None, None,
            "timeout", None, None, now,
        )  # fmt: skip
    return (
        run_id, model, question, 1, "scored", 1, "right" if right else "wrong", served, seconds, 20,
        float(right), right, "as expected" if right else "not as expected", None, False, now, now,
    )  # fmt: skip
