"""A job that is half done moves into the line of another model."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from arq.connections import ArqRedis

from shared.domain.runs import PairKey, RunId
from shared.queue import enqueue_pairs, live_queues, model_queue, pair_job_id, running_in
from tests.integration.fleet import pairs_of, until, until_nothing_is_left, work_off, worker_for, working


class Judged:
    """Jobs that are answered in the line of their model and judged in that of `judge`, each once."""

    def __init__(self) -> None:
        self.answered: list[int] = []
        self.judged: list[int] = []
        self.turns: Counter[int] = Counter()
        self.at_once = self.most_at_once = 0
        self.slots_of_the_answered: list[int] = []

    async def evaluate_pair(
        self, ctx: dict[Any, Any], run_id: str, model: str, question_id: int, repeat: int
    ) -> None:
        pair = PairKey(RunId(UUID(run_id)), model, question_id, repeat)
        self.turns[question_id] += 1
        if question_id not in self.answered:
            self.answered.append(question_id)
        if not await ctx["worker"].pass_on(pair, "judge"):
            return
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.slots_of_the_answered.append(pair in await running_in(ctx["redis"], model))
        self.at_once -= 1
        self.judged.append(question_id)


async def test_each_job_is_answered_and_judged_once_within_both_limits(
    redis: ArqRedis, run_id: RunId
) -> None:
    floor, limits = Judged(), {"a": 8, "judge": 2}
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(60)))
    options: dict[str, Any] = {"limit_for": limits.__getitem__, "burst": True, "poll_seconds": 0.01}
    await work_off(*(worker_for(redis, floor.evaluate_pair, **options) for _ in range(2)))
    assert sorted(floor.answered) == sorted(floor.judged) == list(range(60))
    assert floor.most_at_once == 2
    assert not any(floor.slots_of_the_answered), "who is judged has left the model's line"
    assert max(floor.turns.values()) == 2
    assert await redis.keys("arq:*") == []
    assert await redis.keys("driftwarden:places:*") == await redis.keys("driftwarden:slots:*") == []


async def test_two_runs_take_turns_at_the_judge(redis: ArqRedis, run_id: RunId) -> None:
    """A short run that comes later is not judged after the long one that is waiting already."""
    floor, short = Judged(), RunId(uuid4())
    limits = {"a": 10, "judge": 0}
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(100, 150)))
    async with working(
        worker_for(redis, floor.evaluate_pair, limit_for=limits.__getitem__, poll_seconds=0.01)
    ):
        await until(lambda: all_wait_for_the_judge(redis, 50))
        await enqueue_pairs(redis, short, pairs_of(short, "a", range(5)))
        await until(lambda: all_wait_for_the_judge(redis, 55))
        limits["judge"] = 1
        await until_nothing_is_left(redis)
    assert max(floor.judged.index(question_id) for question_id in range(5)) < 12


async def all_wait_for_the_judge(redis: ArqRedis, jobs: int) -> bool:
    return await redis.zcard(model_queue("judge")) == jobs and await live_queues(redis) == [
        model_queue("judge")
    ]


async def test_a_turn_that_ends_late_does_not_end_the_next_one(redis: ArqRedis, run_id: RunId) -> None:
    """The job is claimed here again, in its new line, while its first turn still winds up."""
    wound_up, second_turn, limits = asyncio.Event(), asyncio.Event(), {"a": 1, "judge": 0}
    turns: list[str] = []

    async def evaluate_pair(ctx: dict[Any, Any], run_id: str, model: str, question_id: int, _: int) -> None:
        pair = PairKey(RunId(UUID(run_id)), model, question_id, 1)
        if not await ctx["worker"].pass_on(pair, "judge"):
            limits["judge"] = 1

            async def it_is_claimed_again() -> bool:
                return await running_in(ctx["redis"], "judge") == [pair]

            await until(it_is_claimed_again)
            turns.append("first")
            wound_up.set()
            return
        turns.append("second")
        second_turn.set()
        await wound_up.wait()
        assert await ctx["redis"].exists(f"arq:job:{pair_job_id(pair)}"), "its first turn has not removed it"

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", [1]))
    options: dict[str, Any] = {"limit_for": limits.__getitem__, "burst": True, "poll_seconds": 0.01}
    worker = worker_for(redis, evaluate_pair, **options)
    await work_off(worker)
    assert turns == ["first", "second"]
    assert worker.jobs_failed == 0
