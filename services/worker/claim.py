"""How jobs are claimed: all queues in one round trip, limits that hold over all processes, short leases.

Running a job is arq's own code; choosing, holding, passing on and giving it up are ours, in scripts that
Redis runs atomically: claim.lua, renew.lua, pass_on.lua, finish.lua. How many may run is learned: pace.py.
"""

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import inf
from pathlib import Path
from random import random
from typing import Any
from uuid import uuid4

import structlog
from arq.connections import ArqRedis
from arq.typing import StartupShutdown, WorkerCoroutine
from arq.utils import timestamp_ms
from arq.worker import Function, Worker
from redis.exceptions import RedisError

from services.worker.pace import Pace
from shared.domain.runs import PairKey
from shared.ending import end
from shared.health import Pulse
from shared.queue import (
    BODY_SECONDS,
    CONTROL_QUEUE,
    LEASE_SECONDS,
    LIVE_QUEUES,
    forget_worker,
    model_of,
    model_queue,
    note_worker,
    pair_job_id,
)

CONTROL_SLOTS = 8  # control jobs in one process, beside its pairs: a run can be stopped while all slots hang
CONTROL_LIMIT = 1_000  # over all processes
MAX_TRIES = 10_000  # arq drops a job beyond these without a word, and deploys count too: attempts are rows
HEALTH_SECONDS = 15
RETRY_SECONDS = 1.0  # between two attempts to reach a Redis that is away
CANCEL_SECONDS = 1.0  # between two cancellations of a job that does not end
GRACE_SECONDS = 2.0  # after it is back, so that every worker renews its leases before any claims lapsed ones

ROOM, CLAIM, PASS_ON, LEARN, RENEW, FINISH = (
    Path(__file__).with_name(f"{name}.lua").read_text()
    for name in ("room", "claim", "pass_on", "learn", "renew", "finish")
)

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Claim:
    """A job that this process holds: the queue in which it stands, and the score that it began with."""

    queue: str
    job_id: str
    score: int


# Which claim a task runs: arq tells the end of a job by its id, and that may have been claimed again.
_RUNS_HERE: ContextVar[Claim] = ContextVar("claim")


class ClaimingWorker(Worker):
    """Runs control jobs and the pairs of all models that have any. Results are not kept.

    `pace` says how many calls of a model may run at once over ALL processes; it is asked at every poll, and
    what it has noted is told there. `on_given_up(model)` is called when a model has answered nobody for long.
    `max_jobs` bounds the pairs in this process. When it is short, what is passed on goes first and then the
    model with the fewest; where it covers the sum of the limits, a model that hangs costs the others nothing.

    The first signal, or call of `stop`, drains for up to `drain_seconds` and then gives the rest back to the
    queues; the second gives it back at once. `redis` comes from `shared.queue.open_redis` and stays open.
    """

    def __init__(
        self,
        functions: Sequence[Function | WorkerCoroutine],
        *,
        redis: ArqRedis,
        pace: Pace,
        on_given_up: Callable[[str], Awaitable[object]] | None = None,
        max_jobs: int = 200,
        drain_seconds: float = 30.0,
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = 0.25,
        burst: bool = False,
        handle_signals: bool = True,
        on_startup: StartupShutdown | None = None,
        on_shutdown: StartupShutdown | None = None,
        on_job_start: StartupShutdown | None = None,
        ctx: dict[Any, Any] | None = None,
    ) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        super().__init__(
            functions,
            queue_name=CONTROL_QUEUE,
            redis_pool=redis,
            burst=burst,
            on_startup=on_startup,
            on_shutdown=on_shutdown,
            on_job_start=on_job_start,
            handle_signals=False,  # main() sees to them
            max_jobs=max_jobs,
            job_timeout=BODY_SECONDS,  # that is, none: jobs time out inside
            keep_result=0,
            poll_delay=poll_seconds,
            max_tries=MAX_TRIES,
            ctx=ctx,
            job_serializer=redis.job_serializer,
            job_deserializer=redis.job_deserializer,
            log_results=False,
        )
        self._pace = pace
        self._on_given_up = on_given_up
        self._drain_seconds = drain_seconds
        self._lease_ms = int(lease_seconds * 1000)
        self._catches_signals = handle_signals
        self._renew_leases = redis.register_script(RENEW)
        self._pass_on = redis.register_script(ROOM + PASS_ON)
        self._finish = redis.register_script(FINISH)

        self._queues: set[str] = set()
        self._passed_on_to: set[str] = set()  # queues in which jobs wait that are half done
        self._load: Counter[str] = Counter()  # queue -> how many of its jobs run here
        self._held: dict[str, Claim] = {}
        self._lost: set[str] = set()  # jobs that somebody else holds by now, cancelled here but not yet ended
        self._giving_up: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()
        self._no_renewal = asyncio.Event()  # a renewal that arrived after the end of a job would hold it anew
        self._no_renewal.set()
        self._claims_from = 0.0  # loop time; infinite while Redis is away
        self._tells_health_at = 0.0  # monotonic
        self.pulse = Pulse()
        self._saw_a_job = True

    async def main(self) -> None:
        """Work until the worker is drained or, in burst mode, until every queue is empty."""
        self.ctx["redis"] = self.pool
        self.ctx["worker"] = self
        if self.on_startup:
            await self.on_startup(self.ctx)
        if self._catches_signals:
            for signum in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(signum, self.stop)
        try:
            async with asyncio.TaskGroup() as tasks:
                leases = tasks.create_task(self._keep_leases())
                try:
                    await self._work(tasks)
                finally:
                    await end(leases)
        finally:
            left = [self._give_up(claim, "again") for claim in self._held.values()]
            await asyncio.gather(*self._giving_up, *left, return_exceptions=True)

    async def record_health(self) -> None:
        now = time.monotonic()
        if now >= self._tells_health_at:
            self._tells_health_at = now + HEALTH_SECONDS
            await note_worker(self.pool, self.owner, 2 * HEALTH_SECONDS)

    def stop(self) -> None:
        """Drain: begin no job, wait for those that run. Called again: give them back now."""
        if self.allow_pick_jobs:
            log.info("worker.drains", running=len(self.tasks), seconds=self._drain_seconds)
            self.allow_pick_jobs = False
            asyncio.get_running_loop().call_later(self._drain_seconds, self._cancel_jobs)
        else:
            self._cancel_jobs()
        self._wake.set()

    async def close(self) -> None:
        """Say goodbye and run `on_shutdown`."""
        with suppress(RedisError, OSError):
            await forget_worker(self.pool, self.owner)
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)

    def _cancel_jobs(self) -> None:
        """Cancel what runs, until nothing does: in Python 3.11, `wait_for` may swallow a cancellation."""
        for job_id in (*self._held, *self._lost):
            self.tasks[job_id].cancel()
        if self.tasks:
            asyncio.get_running_loop().call_later(CANCEL_SECONDS, self._cancel_jobs)

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        """Poll on every freed slot, and now and then for new jobs, which do not announce themselves."""
        while True:
            self.pulse.beat("poll")
            self._wake.clear()
            await self._poll(tasks)
            through = not self.allow_pick_jobs or (self.burst and not self._saw_a_job)
            if through and not self.tasks:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self.poll_delay_s):
                    await self._wake.wait()

    async def _poll(self, tasks: asyncio.TaskGroup) -> None:
        if asyncio.get_running_loop().time() < self._claims_from:
            return
        try:
            given_up, claims = await self._claim()
            for claim in claims:
                self._start(claim, tasks)
            if self._on_given_up:
                for model in given_up:
                    tasks.create_task(self._give_model_up(model))
            await self.record_health()
        except (RedisError, OSError) as error:
            self._miss_redis(error)

    async def _claim(self) -> tuple[list[str], list[Claim]]:
        """Tell what was learned and take what may run here, in one round trip: models given up, jobs.

        A queue first seen now is asked in the next one.
        """
        reports = self._pace.take_reports()
        async with self.pool.pipeline(transaction=False) as pipe:
            if reports:
                pipe.eval(LEARN, 0, *map(str, reports))
            pipe.eval(ROOM + CLAIM, 0, *map(str, self._wanted_control_jobs()))
            pipe.eval(ROOM + CLAIM, 0, *map(str, self._wanted_pairs()))
            pipe.smembers(LIVE_QUEUES)
            *learned, control, pairs, live = await pipe.execute()
        known, self._queues = self._queues, {queue.decode() for queue in live}
        self._passed_on_to &= self._queues
        if self._queues - known:
            self._wake.set()
        claims = self._read_claims([raw.decode() for raw in control + pairs])
        self._saw_a_job = bool(claims or self._queues)
        given_up = [raw.decode() for queues in learned for raw in queues]
        return [model for queue in given_up if (model := model_of(queue)) is not None], claims

    def _wanted_control_jobs(self) -> tuple[object, ...]:
        room = CONTROL_SLOTS - self._load[CONTROL_QUEUE] if self.allow_pick_jobs else 0
        return self.owner, self._lease_ms, room, CONTROL_QUEUE, CONTROL_LIMIT, CONTROL_LIMIT, 0, 0

    def _wanted_pairs(self) -> tuple[object, ...]:
        pairs_here = self._load.total() - self._load[CONTROL_QUEUE]
        room = self.max_jobs - pairs_here if self.allow_pick_jobs else 0
        models = {queue: model for queue in self._queues if (model := model_of(queue)) is not None}
        in_order = sorted(models, key=lambda q: (q not in self._passed_on_to, self._load[q], random()))
        limits = ((q, *self._pace.allowance_of(models[q]).arguments()) for q in in_order)
        return self.owner, self._lease_ms, room, *chain.from_iterable(limits)

    def _read_claims(self, found: Sequence[str]) -> list[Claim]:
        claims = []
        for queue, job_id, score, epoch in zip(*(found[i::4] for i in range(4)), strict=True):
            claims.append(Claim(queue, job_id, int(float(score))))
            if (model := model_of(queue)) is not None:
                self._pace.learn_epoch(model, epoch)
        return claims

    def _start(self, claim: Claim, tasks: asyncio.TaskGroup) -> None:
        if claim.job_id in self._held or claim.job_id in self._lost:
            return  # it still runs here: its lease had lapsed
        self._held[claim.job_id] = claim
        self._load[claim.queue] += 1
        task = tasks.create_task(self._run(claim, after=self.tasks.get(claim.job_id)))
        self.tasks[claim.job_id] = task
        task.add_done_callback(partial(self._job_ended, claim))

    async def _run(self, claim: Claim, after: asyncio.Task[None] | None) -> None:
        """Run a job as arq does; whatever happens, it is given up in the end.

        A job that was passed on may be claimed here again before its last turn, the task `after`, has ended.
        """
        if after is not None:
            await asyncio.wait([after])
        _RUNS_HERE.set(claim)
        try:
            await self.run_job(claim.job_id, claim.score)
        except (RedisError, OSError) as error:
            self._miss_redis(error)
        finally:
            await asyncio.shield(self._give_up(claim, "again"))

    async def _give_model_up(self, model: str) -> None:
        assert self._on_given_up is not None
        try:
            await self._on_given_up(model)
        except Exception:
            log.exception("model.not_given_up", model=model)  # the next failure asks again

    def _job_ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        if self.tasks.get(claim.job_id) is task:  # else it was claimed anew before the task could end
            del self.tasks[claim.job_id]
            self._lost.discard(claim.job_id)
        self._load[claim.queue] -= 1
        self._wake.set()

    async def finish_job(
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        claim = _RUNS_HERE.get()
        # arq adds up a time by this machine's clock; Redis is told how long it is until then.
        wait = str(max(0, claim.score + incr_score - timestamp_ms())) if incr_score else "again"
        await self._give_up(claim, "done" if finish else wait)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        await self._give_up(_RUNS_HERE.get(), "done")

    async def pass_on(self, pair: PairKey, model: str) -> bool:
        """Move a job that runs here into another model's line.

        True: it goes on here at once, and its old slot is free. False: it waits there, or was lost, and has
        to end here.
        """
        await self._no_renewal.wait()
        claim = self._held.get(pair_job_id(pair))
        queue = model_queue(model)
        if claim is None or claim.queue == queue:
            return claim is not None
        # While it is on the way, nobody here may renew it: it would be held anew in its old queue.
        del self._held[claim.job_id]
        limits = self._pace.allowance_of(model).arguments()
        who = (self.owner, self._lease_ms, claim.queue, claim.job_id, str(pair.run_id))
        try:
            epoch = await self._pass_on(args=[*who, queue, *limits])
        except (RedisError, OSError) as error:
            self._miss_redis(error)
            return False
        if epoch is None:
            self._passed_on_to.add(queue)
            return False
        self._pace.learn_epoch(model, epoch.decode())
        self._load[claim.queue] -= 1
        self._load[queue] += 1
        claim.queue = queue
        self._held[claim.job_id] = claim
        self._wake.set()
        return True

    async def _give_up(self, claim: Claim, outcome: str) -> None:
        """Tell Redis how a job ended (see finish.lua), once; when it can't be told, the lease lapses."""
        await self._no_renewal.wait()
        if self._held.get(claim.job_id) is not claim:
            return
        del self._held[claim.job_id]
        me = asyncio.current_task()
        assert me is not None
        self._giving_up.add(me)
        try:
            await self._finish(args=[self.owner, claim.queue, claim.job_id, outcome])
        except (RedisError, OSError) as error:
            self._miss_redis(error)
        finally:
            self._giving_up.discard(me)

    async def _keep_leases(self) -> None:
        """Renew every third of a lease; once Redis is back, as soon as possible."""
        while True:
            self.pulse.beat("renewal")
            await asyncio.sleep(RETRY_SECONDS if self._claims_from == inf else self._lease_ms / 3000)
            try:
                await self._renew()
            except (RedisError, OSError) as error:
                self._miss_redis(error)
            else:
                if self._claims_from == inf:
                    log.info("queue.redis_is_back", running=len(self.tasks))
                    self._claims_from = asyncio.get_running_loop().time() + GRACE_SECONDS

    async def _renew(self) -> None:
        jobs = chain.from_iterable((claim.queue, claim.job_id) for claim in self._held.values())
        self._no_renewal.clear()
        try:
            lost = await self._renew_leases(args=[self.owner, self._lease_ms, *jobs])
        finally:
            self._no_renewal.set()
        for job_id in (raw.decode() for raw in lost):
            log.warning("job.lease_lost", job=job_id)
            del self._held[job_id]
            self._lost.add(job_id)
        for job_id in self._lost:  # again and again, as in _cancel_jobs
            self.tasks[job_id].cancel()

    def _miss_redis(self, error: Exception) -> None:
        """Say it once per outage, and claim nothing until the leases could be renewed."""
        if self._claims_from < inf:
            log.warning("queue.redis_is_away", error=repr(error), running=len(self.tasks))
            self._claims_from = inf
