"""The scheduler process: the watch over runs, on a queue of its own; any number of replicas may run."""

import asyncio
import signal
from datetime import UTC, datetime
from typing import Any

import structlog
from arq.cron import cron
from arq.worker import Worker

from services.scheduler.rescue import INTERVAL_SECONDS, rescue
from shared.db.pool import open_pool
from shared.metrics import serve_metrics
from shared.queue import deserialize, open_redis, serialize
from shared.settings import Settings

QUEUE = "driftwarden:scheduler"

log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    async with open_pool(settings) as pool, open_redis(settings.redis_url.get_secret_value()) as redis:

        async def rescue_lost_work(ctx: dict[Any, Any]) -> None:
            await rescue(pool, redis, datetime.now(UTC))

        worker = Worker(
            cron_jobs=[
                cron(
                    rescue_lost_work,
                    name="rescue",
                    second=set(range(0, 60, INTERVAL_SECONDS)),
                    timeout=60,
                    run_at_startup=True,
                )
            ],
            queue_name=QUEUE,
            redis_pool=redis,
            job_serializer=serialize,
            job_deserializer=deserialize,
            keep_result=0,
            log_results=False,
            handle_signals=False,
        )
        log.info("scheduler.started", metrics_port=serve_metrics(settings))
        stopped = asyncio.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(worker.async_run())
            await stopped.wait()
            watch.cancel()
