"""What /metrics tells of the whole installation: quality, drift and schedules from PostgreSQL, queues from
Redis. Each part is read once in a while, however many scrape, and is told whole or not at all.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypedDict

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from services.api.desk import Desk
from services.api.gauges import describe_quality, describe_queues
from shared import metrics
from shared.db.measures import read_present
from shared.db.pool import DATABASE_ERRORS
from shared.metrics import Measure
from shared.queue import queue_states

QUALITY_SECONDS = 15.0
QUEUE_SECONDS = 5.0
PATIENCE_SECONDS = 8.0  # a scraper waits for ten

log = structlog.get_logger()


class Part:
    """One source's gauges as text, kept for some seconds; while it does not answer, only that it does not."""

    def __init__(
        self,
        up: Measure,
        read: Callable[[Desk], Awaitable[Sequence[GaugeMetricFamily]]],
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._up = up
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._kept: tuple[float, bytes] | None = None
        self._reading = asyncio.Lock()

    async def tell(self, desk: Desk) -> bytes:
        async with self._reading:
            if self._kept is not None and self._clock() - self._kept[0] < self._seconds:
                return self._kept[1]
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    families = await self._read(desk)
            except (*DATABASE_ERRORS, RedisError) as error:
                log.warning("metrics.source_is_away", told_by=self._up.name, error=repr(error))
                return _render([self._up.tell([((), 0)])])
            text = await asyncio.to_thread(_render, [self._up.tell([((), 1)]), *families])
            self._kept = self._clock(), text
            return text


class MeasureBoard:
    """All gauges that are true of the whole installation; every replica of the API tells the same."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = (
            Part(metrics.QUALITY_UP, _read_quality, QUALITY_SECONDS, clock),
            Part(metrics.QUEUE_UP, _read_queues, QUEUE_SECONDS, clock),
        )

    async def tell(self, desk: Desk) -> bytes:
        """In Prometheus' text format."""
        return b"".join(await asyncio.gather(*(part.tell(desk) for part in self._parts)))


class BoardState(TypedDict):
    """What each request finds in `request.state`."""

    measure_board: MeasureBoard


@asynccontextmanager
async def open_board(_: Any) -> AsyncIterator[BoardState]:
    yield {"measure_board": MeasureBoard()}


async def _read_quality(desk: Desk) -> Sequence[GaugeMetricFamily]:
    async with desk.connection() as connection:
        present = await read_present(connection)
    return describe_quality(present, datetime.now(UTC))


async def _read_queues(desk: Desk) -> Sequence[GaugeMetricFamily]:
    return describe_queues(await queue_states(desk.redis), desk.catalogue, desk.settings.model_slots)


class _Told(Collector):
    def __init__(self, families: Sequence[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Sequence[GaugeMetricFamily]:
        return self._families


def _render(families: Sequence[GaugeMetricFamily]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Told(families))
    return generate_latest(registry)
