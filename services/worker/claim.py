"""How jobs are claimed: all queues in one round trip, limits that hold over all processes, short leases.

Running a job is arq's own code; choosing, holding and giving it up are ours, in three scripts that Redis runs
atomically: claim.lua, renew.lua, finish.lua.
"""

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
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
from arq.worker import Function, Worker
from redis.exceptions import RedisError

from shared.queue import (
    BODY_SECONDS,
    CONTROL_QUEUE,
    LEASE_SECONDS,
    LIVE_QUEUES,
    forget_worker,
    model_of,
    note_worker,
)

CONTROL_SLOTS = 8  # control jobs in one process, beside its pairs: a run can be stopped while all slots hang
CONTROL_LIMIT = 1_000  # over all processes
MAX_TRIES = 10_000  # arq drops a job beyond these without a word, and deploys count too: attempts are rows
HEALTH_SECONDS = 15
RETRY_SECONDS = 1.0  # between two attempts to reach a Redis that is away
CANCEL_SECONDS = 1.0  # between two cancellations of a job that does not end
GRACE_SECONDS = 2.0  # after it is back, so that every worker renews its leases before any claims lapsed ones

CLAIM, RENEW, FINISH = (
    Path(__file__).with_name(f"{name}.lua").read_text() for name in ("claim", "renew", "finish")
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process holds, with the score that it has in its queue."""

    queue: str
    job_id: str
    score: int


class ClaimingWorker(Worker):
    """Runs control jobs and the pairs of all models that have any. Results are not kept.

    `limit_for(model)` says how many pairs of a model may run at once over ALL processes; it is asked at every
    poll and must not block. `max_jobs` bounds the pairs in this process. When it is short, the model with the
    fewest goes first; where it covers the sum of the limits, a model that hangs costs the others nothing.

    The first signal, or call of `stop`, drains for up to `drain_seconds` and then gives the rest back to the
    queues; the second gives it back at once. `redis` comes from `shared.queue.open_redis` and stays open.
    """

    def __init__(
        self,
        functions: Sequence[Function | WorkerCoroutine],
        *,
        redis: ArqRedis,
        limit_for: Callable[[str], int],
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
            health_check_interval=HEALTH_SECONDS,
            health_check_key=f"driftwarden:worker:{self.owner}",
            ctx=ctx,
            job_serializer=redis.job_serializer,
            job_deserializer=redis.job_deserializer,
            log_results=False,
        )
        self._limit_for = limit_for
        self._drain_seconds = drain_seconds
        self._lease_ms = int(lease_seconds * 1000)
        self._catches_signals = handle_signals
        self._renew_leases = redis.register_script(RENEW)
        self._finish = redis.register_script(FINISH)

        self._queues: set[str] = set()
        self._load: Counter[str] = Counter()  # queue -> how many of its jobs run here
        self._held: dict[str, Claim] = {}
        self._lost: set[str] = set()  # jobs that somebody else holds by now, cancelled here but not yet ended
        self._giving_up: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()
        self._no_renewal = asyncio.Event()  # a renewal that arrived after the end of a job would hold it anew
        self._no_renewal.set()
        self._claims_from = 0.0  # loop time; infinite while Redis is away
        self._saw_a_job = True

    async def main(self) -> None:
        """Work until the worker is drained or, in burst mode, until every queue is empty."""
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        if self._catches_signals:
            for signum in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(signum, self.stop)
        try:
            async with asyncio.TaskGroup() as tasks:
                leases = tasks.create_task(self._keep_leases())
                await self._work(tasks)
                leases.cancel()
        finally:
            left = [self._give_up(claim, "again") for claim in self._held.values()]
            await asyncio.gather(*self._giving_up, *left, return_exceptions=True)

    async def record_health(self) -> None:
        if time.time() - self._last_health_check >= HEALTH_SECONDS:
            await note_worker(self.pool, self.owner, 2 * HEALTH_SECONDS)
        await super().record_health()

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
            await self.pool.delete(self.health_check_key)
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
            if self.allow_pick_jobs:
                for claim in await self._claim():
                    self._start(claim, tasks)
            await self.record_health()
        except (RedisError, OSError) as error:
            self._miss_redis(error)

    async def _claim(self) -> list[Claim]:
        """Take what may run here, in one round trip. A queue first seen now is asked in the next one."""
        models = {queue: model for queue in self._queues if (model := model_of(queue)) is not None}
        in_order = sorted(models, key=lambda queue: (self._load[queue], random()))
        limits = chain.from_iterable((queue, self._limit_for(models[queue])) for queue in in_order)
        control_jobs = self._load[CONTROL_QUEUE]
        pairs_room = self.max_jobs - (self._load.total() - control_jobs)
        me = (self.owner, self._lease_ms)
        async with self.pool.pipeline(transaction=False) as pipe:
            pipe.eval(CLAIM, 0, *map(str, (*me, CONTROL_SLOTS - control_jobs, CONTROL_QUEUE, CONTROL_LIMIT)))
            pipe.eval(CLAIM, 0, *map(str, (*me, pairs_room, *limits)))
            pipe.smembers(LIVE_QUEUES)
            control, pairs, live = await pipe.execute()
        known, self._queues = self._queues, {queue.decode() for queue in live}
        if self._queues - known:
            self._wake.set()
        found = [raw.decode() for raw in control + pairs]
        claims = [
            Claim(queue, job_id, int(float(score)))
            for queue, job_id, score in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]
        self._saw_a_job = bool(claims or self._queues)
        return claims

    def _start(self, claim: Claim, tasks: asyncio.TaskGroup) -> None:
        if claim.job_id in self._held or claim.job_id in self._lost:
            return  # it still runs here: its lease had lapsed
        self._held[claim.job_id] = claim
        self._load[claim.queue] += 1
        task = tasks.create_task(self.run_job(claim.job_id, claim.score))
        self.tasks[claim.job_id] = task
        task.add_done_callback(partial(self._job_ended, claim))

    def _job_ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        if self.tasks.get(claim.job_id) is task:  # else it was claimed anew before the task could end
            del self.tasks[claim.job_id]
            self._lost.discard(claim.job_id)
        self._load[claim.queue] -= 1
        self._wake.set()

    async def run_job(self, job_id: str, score: int) -> None:
        """Run a job as arq does; whatever happens, it is given up in the end."""
        claim = self._held[job_id]
        try:
            await super().run_job(job_id, score)
        except (RedisError, OSError) as error:
            self._miss_redis(error)
        finally:
            await asyncio.shield(self._give_up(claim, "again"))

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
        if claim := self._held.get(job_id):
            due = str(claim.score + incr_score) if incr_score else "again"
            await self._give_up(claim, "done" if finish else due)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        if claim := self._held.get(job_id):
            await self._give_up(claim, "done")

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
