"""What a period came to, for the first page that people look at; kept for a minute, because many look."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from services.api.desk import Desk
from services.api.schemas.stats import (
    Dataset,
    LatencyAt,
    Period,
    RunsAt,
    ScoreDistribution,
    Stats,
    Summary,
    TopModel,
)
from shared.db.stats import Total, Totals, read_totals

KEPT_SECONDS = 60.0
TOP = 10
PERIODS: dict[Period, timedelta | None] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "all": None,
}


class StatsBoard:
    """The statistics of each period, read at most once a minute, however many ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Period, tuple[float, Stats]] = {}
        self._reading: defaultdict[Period, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(self, desk: Desk, period: Period) -> Stats:
        async with self._reading[period]:
            kept = self._kept.get(period)
            if kept is not None and self._clock() - kept[0] < KEPT_SECONDS:
                return kept[1]
            stats = await read_stats(desk, period)
            self._kept[period] = self._clock(), stats
            return stats


class BoardState(TypedDict):
    """What each request finds in `request.state`."""

    stats_board: StatsBoard


@asynccontextmanager
async def open_board(_: Any) -> AsyncIterator[BoardState]:
    yield {"stats_board": StatsBoard()}


async def read_stats(desk: Desk, period: Period) -> Stats:
    """Add up the runs that finished within the period until now."""
    length = PERIODS[period]
    async with desk.connection() as connection:
        totals = await read_totals(
            connection,
            since=None if length is None else datetime.now(UTC) - length,
            bucket="hour" if period == "24h" else "day",
        )
    return describe(period, totals)


def describe(period: Period, totals: Totals) -> Stats:
    overall, over_time = asdict(totals.overall), sorted(totals.by_time.items())
    return Stats(
        period=period,
        summary=Summary(**overall),
        top_models=_rank_models(totals.by_model),
        score_distribution=ScoreDistribution(**overall),
        runs_over_time=[RunsAt(at=at, **asdict(total)) for at, total in over_time],
        latency_over_time=[LatencyAt(at=at, **asdict(total)) for at, total in over_time],
        top_datasets=_rank_suites(totals.by_suite),
    )


def _rank_models(by_model: dict[str, Total]) -> list[TopModel]:
    measured = [
        TopModel(model=model, accuracy=total.average_score, questions=total.questions, runs=total.runs)
        for model, total in by_model.items()
        if total.average_score is not None
    ]
    return sorted(measured, key=lambda top: (-top.accuracy, top.model))[:TOP]


def _rank_suites(by_suite: dict[str, Total]) -> list[Dataset]:
    used = [Dataset(suite=suite, **asdict(total)) for suite, total in by_suite.items()]
    return sorted(used, key=lambda dataset: (-dataset.runs, dataset.suite))[:TOP]
