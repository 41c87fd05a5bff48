"""A schedule whose questions a judge grades, night after night, over a simulated provider."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from services.worker.anchors import judge_anchors
from services.worker.finalize import finalize_run
from services.worker.main import open_worker
from shared.db import anchor_sets, judges, pairs, runs, schedules, suites
from shared.db.anchor_sets import AnchorSet
from shared.db.pairs import PairStep
from shared.db.runs import NewRun
from shared.db.schedules import Budget, Schedule
from shared.domain.answers.anchors import Choice, choose_anchors
from shared.domain.answers.judging import Judge
from shared.domain.answers.scoring import Verdict
from shared.domain.questions.suites import Scorer, SuiteContent
from shared.domain.runs import PairState, RunId, RunKind
from shared.queue import enqueue_run_job
from tests.factories import make_answer, make_question, plan_run
from tests.integration.pipeline import JUDGE, Installation, install
from tests.integration.scheduling import NOON, TERMS
from tests.integration.serving import Api

FIRST_NIGHT = date(2026, 3, 2)
# Half of the answers are borderline, and no verdict is a matter of chance.
STEADY_JUDGE: Mapping[str, Any] = {"kind": "judge", "borderline": {"share": 0.5, "right": 0.6, "wrong": 0.4}}
FLEET: Mapping[str, Mapping[str, Any]] = {
    "bright": {"skill": 1.0, "noise": 0.0},
    "wrong": {"skill": 0.0, "noise": 0.0},
    "judge": STEADY_JUDGE,
    "strict": {**STEADY_JUDGE, "shift": -0.2},
}
PRICED = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}


def make_judged_suite(size: int) -> SuiteContent:
    """Questions that a judge grades, and a last one that it does not."""
    asked = [
        make_question(n, scorer=Scorer(), target=f"The sum is {2 * n}, twice {n}.", category=f"c{n % 3}")
        for n in range(1, size + 1)
    ]
    return SuiteContent((*asked, make_question(size + 1)))


@dataclass(slots=True)
class Nights:
    """The schedule's nights, opened one by one; the worker's part is the test's to call."""

    here: Installation
    schedule: Schedule
    size: int
    opened: int = 0

    async def open(self, *, judge: Judge = JUDGE, **changed: Any) -> RunId:
        """Store the next night with its run, and enqueue the plan."""
        night = FIRST_NIGHT + timedelta(days=self.opened)
        self.opened += 1
        async with self.here.pool.acquire() as connection, connection.transaction():
            suite = await suites.find_suite(connection, self.schedule.suite)
            assert suite is not None
            due_at = datetime(night.year, night.month, night.day, 2, tzinfo=UTC)
            await schedules.store_night(connection, self.schedule.id, night, due_at, Budget(2, 365))
            new = NewRun(
                id=RunId(uuid4()), kind=RunKind.NIGHTLY, suite_version_id=suite.id,
                judge_id=(await judges.store_judge(connection, judge)).id, models=["bright", "wrong"],
                repeats=1, sample=None, parameters={"temperature": 0, "max_tokens": 256}, max_cost_usd=None,
                labels={}, git_commit=None, client_versions={}, idempotency_key=None, request_hash="",
                schedule_id=self.schedule.id, night=night, attempt=0,
            )  # fmt: skip
            run_id = await runs.submit_run(connection, replace(new, **changed))
        assert run_id is not None
        await enqueue_run_job(self.here.redis, "plan_run", run_id)
        return run_id

    async def run(self, **changed: Any) -> RunId:
        """One whole night."""
        run_id = await self.open(**changed)
        await self.here.work()
        return run_id

    async def plan(self, run_id: RunId) -> None:
        """Bring a run to the point where all of its pairs wait, and nothing is done."""
        async with self.here.pool.acquire() as connection:
            run = await runs.find_run(connection, run_id)
            assert run is not None
            questions = await suites.read_questions(connection, run.suite_version_id)
            numbers = [stored.number for stored in questions]
            await runs.mark_planned(
                connection, run_id, await pairs.plan_pairs(connection, run_id, run.models, numbers, 1)
            )
            await runs.mark_running(connection, run_id)

    async def choose(self) -> AnchorSet:
        """Freeze anchors of what was scored until now."""
        async with self.here.pool.acquire() as connection, connection.transaction():
            graded = await anchor_sets.read_graded(connection, self.schedule.suite, 14)
            choice = choose_anchors(graded, borderline=12, clear=12, seed="s")
            assert isinstance(choice, Choice)
            return await anchor_sets.store_set(connection, self.schedule.suite, choice, "a tester")

    async def judge(self, run_id: RunId, repeats: int = 1) -> None:
        """Do one job of judging anchors, and nothing else."""
        async with open_worker(self.here.settings) as worker:
            await judge_anchors(worker.ctx["bench"], self.here.redis, run_id, repeats)

    async def judgements(self, run_id: RunId) -> list[dict[str, Any]]:
        async with self.here.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT g.*, a.stratum, a.score AS frozen FROM anchor_judgements g"
                " JOIN anchors a ON a.id = g.anchor_id WHERE g.run_id = $1 ORDER BY g.repeat, g.anchor_id",
                run_id,
            )
        return [dict(row) for row in rows]

    async def change(self, model: str, **fields: Any) -> None:
        """Have the provider change a model from now on."""
        async with httpx.AsyncClient(base_url=self.here.provider_url) as client:
            (await client.patch(f"/admin/models/{model}", json=fields)).raise_for_status()

    async def forget_requests(self) -> None:
        async with httpx.AsyncClient(base_url=self.here.provider_url) as client:
            (await client.post("/admin/stats/reset")).raise_for_status()


@asynccontextmanager
async def open_nights(
    database_url: str, redis_url: str, folder: Path, *, size: int = 20, **settings: Any
) -> AsyncIterator[Nights]:
    """A schedule of two models, one always right and one always wrong, with no night yet."""
    content = make_judged_suite(size)
    priced = dict.fromkeys(("judge", "strict", "bright"), PRICED)
    async with install(
        database_url, redis_url, folder, content, FLEET, parameters=priced, **settings
    ) as here:
        async with here.pool.acquire() as connection, connection.transaction():
            await suites.store_suite(connection, TERMS.suite, content)
            schedule, _ = await schedules.store_schedule(connection, TERMS, NOON)
        yield Nights(here, schedule, size)


async def store_anchors(api: Api, suite: str = "judged") -> None:
    """A suite with 24 judged answers, all of them anchors, of which people have labelled two."""
    content = SuiteContent(
        tuple(make_question(n, scorer=Scorer(), category=f"c{n % 3}") for n in range(1, 13))
    )
    keys = await plan_run(
        api.desk.pool, content=content, models=("bright", "dim"), judge=Judge("j", "sim-judge")
    )
    run_id = keys[0].run_id
    steps = [
        PairStep(
            key, PairState.PENDING, PairState.SCORED, make_answer(), make_answer(response="{}"),
            Verdict(1.0, True, "as it should be"),
        )
        for key in keys
    ]  # fmt: skip
    async with api.desk.connection() as connection:
        await pairs.record_steps(connection, steps)
    await finalize_run(api.desk.pool, run_id)
    async with api.desk.connection() as connection, connection.transaction():
        await connection.execute(
            "UPDATE suites SET name = $2 WHERE id = (SELECT v.suite_id FROM runs r"
            " JOIN suite_versions v ON v.id = r.suite_version_id WHERE r.id = $1)",
            run_id,
            suite,
        )
        choice = choose_anchors(
            await anchor_sets.read_graded(connection, suite, 1), borderline=0, clear=30, seed=suite
        )
        assert isinstance(choice, Choice)
        stored = await anchor_sets.store_set(connection, suite, choice, "ada")
        for anchor in (await anchor_sets.list_anchors(connection, stored.id))[:2]:
            await anchor_sets.label_anchor(connection, anchor.id, anchor.id % 2, "ada")
