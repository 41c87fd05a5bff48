"""The road between the services: which jobs wait for which model, and how they get there.

The jobs are arq's own, and any arq worker can run them; services/worker/claim.py is how ours share them out.
PostgreSQL is the truth: whatever is lost here is put back by calling `enqueue_pairs` again.
"""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job

from shared.domain.runs import PairKey, RunId
from shared.redis_pool import open_redis_pool

CONTROL_QUEUE = "driftwarden:runs"
SCHEDULER_QUEUE = "driftwarden:scheduler"
LIVE_QUEUES = "driftwarden:queues"  # a set: every queue that may hold a job; the claim drops the empty ones
SENTINEL = "driftwarden:sentinel"
WORKERS = "driftwarden:workers"  # a sorted set: workers, scored by the time until which they count as alive
SCHEDULER_HEALTH = f"{SCHEDULER_QUEUE}:health"  # there as long as any scheduler is

# Who runs a job holds it on a lease, renewed three times before it ends. The claim keeps the same names.
LEASE_SECONDS = 12.0
RENEWAL_SECONDS = LEASE_SECONDS / 3

BODY_SECONDS = 30 * 24 * 3600  # a job whose body has expired fails; the rescuer would bring it back
BATCH_JOBS = 2_000
REAL_TIME = 1e12  # scores from here on are milliseconds since 1970, smaller ones are places in line

_MODEL_PREFIX = "driftwarden:model:"
_PAIR_PREFIX = "pair:"


def model_queue(model: str) -> str:
    return _MODEL_PREFIX + model


def model_of(queue: str) -> str | None:
    """The model whose pairs wait in this queue; None for the control queue."""
    return queue.removeprefix(_MODEL_PREFIX) if queue.startswith(_MODEL_PREFIX) else None


def slots_key(queue: str) -> str:
    """A sorted set: the queue's running jobs over all processes, scored by the end of their lease in ms."""
    return f"driftwarden:slots:{queue}"


def pace_key(queue: str) -> str:
    """A hash: what all workers have learned of how fast the queue's model may be asked (learn.lua)."""
    return f"driftwarden:pace:{queue}"


def check_key(check_id: str) -> str:
    """A list: what a connection test found, one entry for each model, pushed by the worker that asked it."""
    return f"driftwarden:check:{check_id}"


def pair_job_id(pair: PairKey) -> str:
    return f"{_PAIR_PREFIX}{pair.run_id}:{pair.model}:{pair.question_id}:{pair.repeat}"


def pair_of(job_id: str) -> PairKey:
    """The pair that a job evaluates. Model names may hold colons; a run's id and numbers do not."""
    _, run_id, rest = job_id.split(":", 2)
    model, question_id, repeat = rest.rsplit(":", 2)
    return PairKey(RunId(UUID(run_id)), model, int(question_id), int(repeat))


def serialize(job: dict[str, Any]) -> bytes:
    """What a job is written with: JSON, so that reading one never runs code.

    The errors that arq writes into results, which are not kept, become text.
    """
    return orjson.dumps(job, default=repr)


def deserialize(body: bytes) -> dict[str, Any]:
    job: dict[str, Any] = orjson.loads(body)
    return job


@asynccontextmanager
async def open_redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """Open a bounded pool of connections, see `open_redis_pool`; who finds all of them busy waits."""
    async with open_redis_pool(redis_url) as pool:
        yield ArqRedis(
            pool,
            job_serializer=serialize,
            job_deserializer=deserialize,
            default_queue_name=CONTROL_QUEUE,
            expires_extra_ms=BODY_SECONDS * 1000,
        )


async def enqueue_pairs(
    redis: ArqRedis, run_id: RunId, pairs: Iterable[PairKey], *, line: str | None = None
) -> int:
    """Put pairs of one run on their models' queues; return how many were not there yet.

    Pairs that are answered wait for their judge instead, in the `line` of that model.

    The k-th pair of the run gets the place `head + k`, where the head is the next job in line: so a short run
    does not wait for the end of a long one that came before (start-time fair queueing, Goyal et al., 1996).
    Give all pairs in one call, for each call starts to count anew. What is queued or running stays as it is.
    """
    run = str(run_id)
    remaining = iter(pairs)
    next_place: dict[str, float] = {}
    added = 0
    while batch := list(islice(remaining, BATCH_JOBS)):
        for model in {line or pair.model for pair in batch} - next_place.keys():
            next_place[model] = await _head_of_line(redis, model_queue(model))
        places: dict[str, dict[str, float]] = defaultdict(dict)
        now_ms = int(time.time() * 1000)
        async with redis.pipeline(transaction=False) as pipe:
            for pair in batch:
                job_id = pair_job_id(pair)
                args = (run, pair.model, pair.question_id, pair.repeat)
                body = serialize_job("evaluate_pair", args, {}, None, now_ms, serializer=serialize)
                pipe.set(job_key_prefix + job_id, body, ex=BODY_SECONDS)
                model = line or pair.model
                places[model_queue(model)][job_id] = next_place[model]
                next_place[model] += 1
            for queue, members in places.items():
                pipe.zadd(queue, members, nx=True)
            pipe.sadd(LIVE_QUEUES, *places)
            replies = await pipe.execute()
        added += sum(replies[len(batch) : -1])
    return added


async def enqueue_run_job(redis: ArqRedis, name: str, run_id: RunId, **terms: Any) -> bool:
    """Enqueue a control job for a run; False when the same one is queued or running already, on any terms."""
    # By Redis' clock, by which jobs are claimed: ours may be ahead, and the job would wait until then.
    seconds, microseconds = await redis.time()
    job = await redis.enqueue_job(
        name,
        str(run_id),
        _job_id=f"{name}:{run_id}",
        _queue_name=CONTROL_QUEUE,
        _defer_until=datetime.fromtimestamp(seconds + microseconds / 1e6, UTC),
        **terms,
    )
    await redis.sadd(LIVE_QUEUES, CONTROL_QUEUE)  # type: ignore[misc]  # typed for both of redis-py's clients
    return job is not None


async def enqueue_detection(redis: ArqRedis, run_id: RunId) -> None:
    """Have the watch look at once for what this run has finished; it looks by itself now and then, too."""
    await redis.enqueue_job("detect", _job_id=f"detect:{run_id}", _queue_name=SCHEDULER_QUEUE)


async def enqueue_delivery(redis: ArqRedis) -> None:
    """Have what was written down for people sent at once; it is sent by itself a little later, too."""
    await redis.enqueue_job("deliver", _queue_name=SCHEDULER_QUEUE)


async def enqueue_check(redis: ArqRedis, check_id: str, models: Sequence[str], wait_seconds: float) -> None:
    """Enqueue a connection test, which is void once nobody waits for it any longer."""
    await redis.enqueue_job(
        "check_models",
        check_id,
        list(models),
        _job_id=f"check_models:{check_id}",
        _queue_name=CONTROL_QUEUE,
        _expires=wait_seconds,
    )
    await redis.sadd(LIVE_QUEUES, CONTROL_QUEUE)  # type: ignore[misc]


async def live_queues(redis: ArqRedis) -> list[str]:
    """Every queue that may hold a job, in alphabetical order."""
    members: set[bytes] = await redis.smembers(LIVE_QUEUES)  # type: ignore[misc]
    return sorted(queue.decode() for queue in members)


async def running_pairs(redis: ArqRedis, run_id: RunId) -> list[PairKey]:
    """The pairs of a run that workers hold at this moment, those of a worker that just died included."""
    prefix = f"{_PAIR_PREFIX}{run_id}:"
    running = [await _running(redis, queue) for queue in await live_queues(redis)]
    return [pair_of(job_id) for job_ids in running for job_id in sorted(job_ids) if job_id.startswith(prefix)]


async def withdraw_pairs(redis: ArqRedis, run_id: RunId) -> int:
    """Take a run's waiting pairs off the queues, leaving those that run; return how many it were."""
    withdrawn = 0
    for queue in await live_queues(redis):
        running = await _running(redis, queue)
        found = redis.zscan_iter(queue, match=f"{_PAIR_PREFIX}{run_id}:*", count=BATCH_JOBS)
        waiting = [job_id async for raw, _ in found if (job_id := raw.decode()) not in running]
        withdrawn += await _withdraw(redis, queue, waiting)
    return withdrawn


async def withdraw_from(redis: ArqRedis, model: str, pairs: Iterable[PairKey]) -> int:
    """Take pairs that nobody runs out of a model's line; return how many stood there."""
    return await _withdraw(redis, model_queue(model), [pair_job_id(pair) for pair in pairs])


async def _withdraw(redis: ArqRedis, queue: str, job_ids: Iterable[str]) -> int:
    withdrawn, remaining = 0, iter(job_ids)
    while batch := list(islice(remaining, BATCH_JOBS)):
        async with redis.pipeline(transaction=False) as pipe:
            pipe.zrem(queue, *batch)
            pipe.delete(*(job_key_prefix + job_id for job_id in batch))
            withdrawn += (await pipe.execute())[0]
    return withdrawn


async def running_in(redis: ArqRedis, model: str) -> list[PairKey]:
    """The pairs that workers hold in a model's line at this moment."""
    return [pair_of(job_id) for job_id in sorted(await _running(redis, model_queue(model)))]


@dataclass(frozen=True, slots=True)
class QueueState:
    """How one queue stands; `oldest_seconds` is the age of the next job in line, None when none waits.

    `learned_slots` is how many of its jobs may run at once by what its model has taught, None: nothing yet.
    """

    queue: str
    waiting: int
    running: int
    oldest_seconds: float | None
    learned_slots: int | None = None


async def queue_states(redis: ArqRedis) -> list[QueueState]:
    """How every live queue stands; one that is not listed is empty. It asks four times, however many."""
    queues = await live_queues(redis)
    async with redis.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.zrange(slots_key(queue), 0, -1)
            pipe.zcard(queue)
            pipe.hget(pace_key(queue), "limit")
        replies = await pipe.execute()
    running, sizes, limits = replies[::3], replies[1::3], replies[2::3]
    async with redis.pipeline(transaction=False) as pipe:
        for queue, held in zip(queues, running, strict=True):
            pipe.zrange(queue, 0, len(held))
        lines = await pipe.execute()
    next_jobs = [
        next((job_id for job_id in line if job_id not in held), None)
        for line, held in zip(lines, map(set, running), strict=True)
    ]
    ages = await _ages(redis, [job_id.decode() for job_id in next_jobs if job_id is not None])
    return [
        QueueState(
            queue,
            max(0, size - len(held)),
            len(held),
            ages.get(job_id.decode()) if job_id else None,
            int(float(limit)) if limit else None,
        )
        for queue, size, held, job_id, limit in zip(queues, sizes, running, next_jobs, limits, strict=True)
    ]


async def note_worker(redis: ArqRedis, owner: str, lasts_seconds: float) -> None:
    """Count a worker as alive for so long, by Redis' clock."""
    now, _ = await redis.time()
    async with redis.pipeline(transaction=False) as pipe:
        pipe.zadd(WORKERS, {owner: now + lasts_seconds})
        pipe.zremrangebyscore(WORKERS, "-inf", now)
        await pipe.execute()


async def forget_worker(redis: ArqRedis, owner: str) -> None:
    await redis.zrem(WORKERS, owner)


async def count_alive(redis: ArqRedis) -> tuple[int, bool]:
    """How many workers live, and whether any scheduler does."""
    now, _ = await redis.time()
    async with redis.pipeline(transaction=False) as pipe:
        pipe.zcount(WORKERS, now, "+inf")
        pipe.exists(SCHEDULER_HEALTH)
        workers, scheduler = await pipe.execute()
    return workers, bool(scheduler)


async def plant_sentinel(redis: ArqRedis) -> None:
    """Leave the mark by whose absence `was_flushed` knows that Redis lost everything."""
    await redis.set(SENTINEL, 1)


async def was_flushed(redis: ArqRedis) -> bool:
    """Whether Redis is empty or new since the sentinel was planted.

    Workers renew what they hold within RENEWAL_SECONDS: what is enqueued again later than that is not begun
    twice.
    """
    return not await redis.exists(SENTINEL)


async def _running(redis: ArqRedis, queue: str) -> set[str]:
    return {job_id.decode() for job_id in await redis.zrange(slots_key(queue), 0, -1)}


async def _next_in_line(redis: ArqRedis, queue: str) -> tuple[str, float] | None:
    """The first job of a queue that nobody runs, and its score; running jobs keep their place to the end."""
    running = await _running(redis, queue)
    for raw, score in await redis.zrange(queue, 0, len(running), withscores=True):
        if (job_id := raw.decode()) not in running:
            return job_id, score
    return None


async def _head_of_line(redis: ArqRedis, queue: str) -> float:
    """The place of the next job in line, at least 1 (arq takes a score of 0 for "not queued")."""
    match await _next_in_line(redis, queue):
        case (_, float(place)) if 1 <= place < REAL_TIME:
            return place
        case _:
            return 1.0


async def _ages(redis: ArqRedis, job_ids: Sequence[str]) -> dict[str, float]:
    """How long ago, in seconds, these jobs were enqueued; one whose body is gone is left out."""
    if not job_ids:
        return {}
    bodies = await redis.mget(job_key_prefix + job_id for job_id in job_ids)
    now = time.time()
    return {
        job_id: max(0.0, now - deserialize(body)["et"] / 1000)
        for job_id, body in zip(job_ids, bodies, strict=True)
        if body is not None
    }
