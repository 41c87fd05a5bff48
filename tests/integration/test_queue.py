"""How jobs get onto the queues, and what can be read and taken off again."""

from typing import Any
from uuid import UUID, uuid4

from arq.connections import ArqRedis
from arq.worker import Worker, func
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.runs import PairKey, RunId
from shared.queue import (
    CONTROL_QUEUE,
    deserialize,
    enqueue_pairs,
    enqueue_run_job,
    model_of,
    model_queue,
    pair_job_id,
    pair_of,
    plant_sentinel,
    queue_states,
    running_pairs,
    serialize,
    slots_key,
    was_flushed,
    withdraw_pairs,
)
from tests.integration.fleet import Floor, pairs_of, until_nothing_is_left, work_off, worker_for, working


@given(
    run_id=st.uuids(),
    model=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1),
    question_id=st.integers(1, 2**63 - 1),
    repeat=st.integers(1, 100),
)
def test_a_job_id_names_its_pair(run_id: UUID, model: str, question_id: int, repeat: int) -> None:
    """Model names hold slashes and colons: `ollama/llama3.2:1b`."""
    pair = PairKey(RunId(run_id), model, question_id, repeat)
    assert pair_of(pair_job_id(pair)) == pair
    assert model_of(model_queue(model)) == model


async def test_a_stock_arq_worker_runs_what_was_enqueued_in_bulk(redis: ArqRedis, run_id: RunId) -> None:
    seen: list[tuple[Any, ...]] = []

    async def evaluate_pair(ctx: dict[Any, Any], *args: object) -> None:
        seen.append(args)

    await enqueue_pairs(redis, run_id, pairs_of(run_id, "ollama/llama3.2:1b", [2**60, 2**60 + 1]))
    worker = Worker(
        [func(evaluate_pair, name="evaluate_pair")],
        queue_name=model_queue("ollama/llama3.2:1b"),
        redis_pool=redis,
        burst=True,
        handle_signals=False,
        keep_result=0,
        job_serializer=serialize,
        job_deserializer=deserialize,
    )
    await work_off(worker)

    expected = [(str(run_id), "ollama/llama3.2:1b", question_id, 1) for question_id in (2**60, 2**60 + 1)]
    assert sorted(seen) == expected
    assert await redis.zcard(model_queue("ollama/llama3.2:1b")) == 0


async def test_enqueueing_again_adds_only_what_is_missing(redis: ArqRedis, run_id: RunId) -> None:
    pairs = pairs_of(run_id, "a", range(5_000))
    assert await enqueue_pairs(redis, run_id, pairs[:4_500]) == 4_500
    before = await redis.zrange(model_queue("a"), 0, -1, withscores=True)

    assert await enqueue_pairs(redis, run_id, reversed(pairs)) == 500

    after = dict(await redis.zrange(model_queue("a"), 0, -1, withscores=True))
    assert len(after) == 5_000
    assert after | dict(before) == after


async def test_a_job_waits_for_a_month_before_it_expires(redis: ArqRedis, run_id: RunId) -> None:
    [pair] = pairs_of(run_id, "a", [1])
    await enqueue_pairs(redis, run_id, [pair])
    await enqueue_run_job(redis, "plan_run", run_id)
    for job_id in (pair_job_id(pair), f"plan_run:{run_id}"):
        assert await redis.ttl(f"arq:job:{job_id}") > 29 * 24 * 3600


async def test_a_run_begins_at_the_head_of_the_line(redis: ArqRedis, run_id: RunId) -> None:
    """A hundred jobs are done and one of the first still runs: a new run stands level with what waits."""
    line = model_queue("a")
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(200)))
    await redis.zremrangebyrank(line, 1, 100)
    [(stuck, _), (_, place)] = await redis.zrange(line, 0, 1, withscores=True)
    await redis.zadd(slots_key(line), {stuck: 1e15})

    newcomer = RunId(uuid4())
    pairs = pairs_of(newcomer, "a", range(3))
    await enqueue_pairs(redis, newcomer, pairs)

    assert place == 102
    assert [await redis.zscore(line, pair_job_id(pair)) for pair in pairs] == [102, 103, 104]


async def test_places_never_fall_below_one(redis: ArqRedis, run_id: RunId) -> None:
    """arq takes a score of 0 for "not queued" and never runs such a job."""
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", [1]))
    assert await redis.zrange(model_queue("a"), 0, -1, withscores=True) == [
        (f"pair:{run_id}:a:1:1".encode(), 1.0)
    ]


async def test_a_control_job_is_unique_for_its_run_until_it_has_run(redis: ArqRedis, run_id: RunId) -> None:
    planned: list[str] = []

    async def plan_run(ctx: dict[Any, Any], run_id: str) -> None:
        assert not await enqueue_run_job(redis, "plan_run", RunId(UUID(run_id)))
        planned.append(run_id)

    assert await enqueue_run_job(redis, "plan_run", run_id)
    assert not await enqueue_run_job(redis, "plan_run", run_id)
    assert await enqueue_run_job(redis, "plan_run", RunId(uuid4()))
    await work_off(worker_for(redis, plan_run, burst=True))

    assert len(planned) == 2
    assert await enqueue_run_job(redis, "plan_run", run_id)


async def test_running_pairs_are_told_apart_and_never_withdrawn(redis: ArqRedis, run_id: RunId) -> None:
    floor, other = Floor(), RunId(uuid4())
    await enqueue_pairs(redis, run_id, pairs_of(run_id, "a", range(3_000)))
    await enqueue_pairs(redis, other, pairs_of(other, "a", range(50)))
    async with working(worker_for(redis, floor.evaluate_pair, limit=4)):
        await floor.until_begun(4)
        running = await running_pairs(redis, run_id)
        assert len(running) + len(await running_pairs(redis, other)) == 4

        assert await withdraw_pairs(redis, run_id) == 3_000 - len(running)

        assert await redis.zcard(model_queue("a")) == 50 + len(running)
        assert await running_pairs(redis, run_id) == running
        [state] = await queue_states(redis)
        assert (state.queue, state.waiting, state.running) == (model_queue("a"), 46 + len(running), 4)
        assert state.oldest_seconds is not None
        assert 0 <= state.oldest_seconds < 60
        floor.gate.set()
        await until_nothing_is_left(redis)
    assert await redis.keys("arq:*") == []


async def test_a_queue_without_waiting_jobs_has_no_age(redis: ArqRedis, run_id: RunId) -> None:
    await enqueue_run_job(redis, "plan_run", run_id)
    await redis.zadd(slots_key(CONTROL_QUEUE), {f"plan_run:{run_id}": 1e15})
    [state] = await queue_states(redis)
    assert (state.waiting, state.running, state.oldest_seconds) == (0, 1, None)


async def test_a_flush_is_noticed(redis: ArqRedis) -> None:
    assert await was_flushed(redis)
    await plant_sentinel(redis)
    assert not await was_flushed(redis)
    await redis.flushall()
    assert await was_flushed(redis)
