"""The scheduler process: the watch over runs and nights, on a queue of its own.

Any number of replicas may run: arq lets one of them take each turn, and no verb relies on that.
"""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime
from typing import Any

import structlog
from arq.cron import cron
from arq.worker import Worker, func
from redis.exceptions import RedisError

from services.scheduler.channels.post import open_post
from services.scheduler.deliver import deliver as deliver_messages
from services.scheduler.detect import detect as detect_drift
from services.scheduler.digest import write_digests
from services.scheduler.invariants import check_invariants
from services.scheduler.nightly import open_due_nights
from services.scheduler.own_channel import follow_settings
from services.scheduler.rescue import INTERVAL_SECONDS, rescue
from shared.db.pool import open_pool
from shared.ending import end
from shared.health import Pulse, Vitals, serve_probes
from shared.metrics import DETECTION
from shared.models import Catalogue
from shared.pruning import prune
from shared.queue import SCHEDULER_HEALTH, SCHEDULER_QUEUE, deserialize, open_redis, serialize
from shared.redis_pool import check_redis
from shared.settings import Settings

EVERY_INTERVAL = set(range(0, 60, INTERVAL_SECONDS))
DETECTION_SECONDS = 600  # long enough to fold years of a fleet anew
DELIVERY_SECONDS = 600  # receivers may hang, and there may be many
PRUNING_SECONDS = 3600  # the first time there may be years to go through; the next night goes on
EVERY_FIVE_MINUTES = set(range(0, 60, 5))

HEALTH_SECONDS = 15
STOP_SECONDS = 5.0
JUMP_SECONDS = 5.0
RETRY_SECONDS = 1.0  # between two attempts to reach a Redis that is away

log = structlog.get_logger()


class Watch(Worker):
    """arq's worker, which tells that it turns, and waits for a Redis that is away instead of ending.

    When the clock is set, it plans every turn anew: else an hour back is an hour without any of them.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.pulse = Pulse()
        self._misses_redis = False
        self._clock_began_at = _clock_began_at()

    async def _poll_iteration(self) -> None:
        self.pulse.beat("poll")
        try:
            await super()._poll_iteration()
        except (RedisError, OSError) as error:
            if not self._misses_redis:
                log.warning("scheduler.redis_is_away", error=repr(error))
            self._misses_redis = True
            await asyncio.sleep(RETRY_SECONDS)
        else:
            self._misses_redis = False

    async def heart_beat(self) -> None:
        began_at = _clock_began_at()
        if abs(began_at - self._clock_began_at) > JUMP_SECONDS:
            log.warning("scheduler.clock_was_set", seconds=round(began_at - self._clock_began_at))
            self._clock_began_at = began_at
            self._last_health_check = 0
            for turn in self.cron_jobs:
                turn.next_run = None
        await super().heart_beat()


def _clock_began_at() -> float:
    """The wall-clock time at which the monotonic clock began: it changes only when the clock is set."""
    return time.time() - time.monotonic()


async def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    await check_redis(settings.redis_url.get_secret_value())
    catalogue = Catalogue.load(settings.models_file, os.environ)
    async with (
        open_pool(settings) as pool,
        open_redis(settings.redis_url.get_secret_value()) as redis,
        open_post(settings) as post,
    ):
        await follow_settings(pool, settings)

        async def rescue_lost_work(ctx: dict[Any, Any]) -> None:
            await rescue(pool, redis, datetime.now(UTC))

        async def open_nights(ctx: dict[Any, Any]) -> None:
            await open_due_nights(pool, redis, catalogue, settings, datetime.now(UTC))

        async def detect(ctx: dict[Any, Any]) -> None:
            started = time.perf_counter()
            if await detect_drift(pool, redis, catalogue, datetime.now(UTC)):
                DETECTION.observe(time.perf_counter() - started)

        async def check(ctx: dict[Any, Any]) -> None:
            await check_invariants(pool, settings, datetime.now(UTC))

        async def write_weeks(ctx: dict[Any, Any]) -> None:
            await write_digests(pool, datetime.now(UTC))

        async def prune_responses(ctx: dict[Any, Any]) -> None:
            if days := settings.keep_responses_days:
                async with pool.acquire() as connection:
                    await prune(connection, datetime.now(UTC), days, catalogue.controls(), "retention")

        async def deliver(ctx: dict[Any, Any]) -> None:
            await deliver_messages(pool, post, lambda: datetime.now(UTC))

        turns = (
            cron(rescue_lost_work, name="rescue", second=EVERY_INTERVAL, timeout=60, run_at_startup=True),
            cron(open_nights, name="open_nights", second=EVERY_INTERVAL, timeout=60, run_at_startup=True),
            cron(detect, second=EVERY_INTERVAL, timeout=DETECTION_SECONDS, run_at_startup=True),
            cron(write_weeks, name="digest", minute=EVERY_FIVE_MINUTES, second=5, timeout=60),
            cron(deliver, second=EVERY_INTERVAL, timeout=DELIVERY_SECONDS, run_at_startup=True),
            cron(prune_responses, name="prune", hour=3, minute=40, second=0, timeout=PRUNING_SECONDS),
            cron(
                check,
                name="check_invariants",
                minute=EVERY_FIVE_MINUTES,
                second=0,
                timeout=60,
                run_at_startup=True,
            ),
        )
        worker = Watch(
            [
                func(detect, name="detect", timeout=DETECTION_SECONDS),
                func(deliver, name="deliver", timeout=DELIVERY_SECONDS),
            ],
            cron_jobs=turns,
            queue_name=SCHEDULER_QUEUE,
            poll_delay=0.2,
            redis_pool=redis,
            job_serializer=serialize,
            job_deserializer=deserialize,
            keep_result=0,
            health_check_interval=HEALTH_SECONDS,
            health_check_key=SCHEDULER_HEALTH,
            log_results=False,
            handle_signals=False,
        )
        stopped = asyncio.Event()
        vitals = Vitals(pool, redis, worker.pulse, stopped.is_set)
        log.info("scheduler.started", metrics_port=serve_probes(settings, vitals))
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(worker.async_run())
            await stopped.wait()
            await end(watch)
        await _finish(worker)


async def _finish(worker: Worker) -> None:
    """Let the turns that run come to their end for a while; what is cut off then is done by the next one."""
    if turns := list(worker.tasks.values()):
        await asyncio.wait(turns, timeout=STOP_SECONDS)
    await end(*turns)
