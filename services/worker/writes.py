"""Results of many pairs, written together: at once after a pause, else every 5 ms or by fifty."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from math import inf
from typing import TypeAlias

import asyncpg
import structlog

from shared.db import pairs, runs
from shared.db.pairs import PairStep
from shared.db.pool import DATABASE_ERRORS, Connection, Pool
from shared.domain.runs import PairKey, RunId

BATCH_ROWS = 50
BATCH_SECONDS = 0.005
PROBE_SECONDS = 5.0  # while nothing can be written, one step in so long is let through to see whether it can

RunEvent: TypeAlias = Callable[[RunId], Awaitable[object]]
Waiting: TypeAlias = tuple[PairStep, asyncio.Future[bool]]

log = structlog.get_logger()


class ResultWriter:
    """Collects steps and commits them in batches; whoever records a step waits for its commit.

    After the commit, and never inside it, `on_closed` is told of each run that lost open pairs and `on_spent`
    of each run that has used up its allowance. What they leave undone, the rescuer finds.
    """

    def __init__(self, pool: Pool, *, on_closed: RunEvent, on_spent: RunEvent) -> None:
        self._pool = pool
        self._on_closed = on_closed
        self._on_spent = on_spent
        self._waiting: list[Waiting] = []
        self._next_probe: float | None = None  # loop time; None while what is recorded gets written
        self._something = asyncio.Event()
        self._enough = asyncio.Event()

    def wait_seconds(self) -> float:
        """How long to wait before anything is asked of a provider: what can't be stored must not be paid for.

        0 while steps get written. After one that was not, 0 once in PROBE_SECONDS, and the rest of it else.
        """
        now = asyncio.get_running_loop().time()
        if self._next_probe is None:
            return 0.0
        if now < self._next_probe:
            return self._next_probe - now
        self._next_probe = now + PROBE_SECONDS
        return 0.0

    async def record(self, step: PairStep) -> bool:
        """Write one step; False when somebody else had moved the pair before.

        Raises:
            asyncpg.PostgresError, OSError: nothing was written.
        """
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, written))
        self._something.set()
        if len(self._waiting) >= BATCH_ROWS:
            self._enough.set()
        return await written

    @asynccontextmanager
    async def writing(self) -> AsyncIterator["ResultWriter"]:
        """Write batches for as long as the block lasts."""
        async with asyncio.TaskGroup() as tasks:
            loop = tasks.create_task(self._write_batches(tasks))
            try:
                yield self
            finally:
                loop.cancel()

    async def _write_batches(self, tasks: asyncio.TaskGroup) -> None:
        began_at = -inf
        while True:
            await self._something.wait()
            with suppress(TimeoutError):
                # wait_for swallows cancellations up to Python 3.11
                async with asyncio.timeout_at(began_at + BATCH_SECONDS):
                    await self._enough.wait()
            began_at = asyncio.get_running_loop().time()
            batch, self._waiting = _first_of_each_pair(self._waiting), []
            self._something.clear()
            self._enough.clear()
            spent = await self._write(batch)
            for run_id in {step.key.run_id for step, _ in batch if step.closes}:
                tasks.create_task(self._tell(self._on_closed, run_id))
            for run_id in spent:
                tasks.create_task(self._tell(self._on_spent, run_id))

    async def _write(self, batch: Sequence[Waiting]) -> set[RunId]:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                applied = await pairs.record_steps(connection, [step for step, _ in batch])
                spent = await self._book_costs(connection, batch, applied)
        except DATABASE_ERRORS as error:
            if len(batch) > 1 and isinstance(error, asyncpg.DataError):
                # One row that can't be stored must not take its neighbours with it.
                return set().union(*[await self._write([entry]) for entry in batch])
            if not isinstance(error, asyncpg.DataError):
                self._next_probe = asyncio.get_running_loop().time() + PROBE_SECONDS
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
            return set()
        self._next_probe = None
        for step, written in batch:
            if not written.done():
                written.set_result(step.key in applied)
        return spent

    async def _book_costs(
        self,
        connection: Connection,
        batch: Sequence[Waiting],
        applied: set[PairKey],
    ) -> set[RunId]:
        """Add what the applied steps cost to their runs; return the runs whose allowance is used up."""
        costs: dict[RunId, Decimal] = defaultdict(Decimal)
        for step, _ in batch:
            if step.key in applied:
                costs[step.key.run_id] += step.cost_usd
        in_order = sorted(costs.items(), key=lambda entry: entry[0].int)
        return {
            run_id for run_id, cost in in_order if cost and await runs.add_spending(connection, run_id, cost)
        }

    async def _tell(self, listener: RunEvent, run_id: RunId) -> None:
        try:
            await listener(run_id)
        except DATABASE_ERRORS as error:
            log.warning("run.close_postponed", run=str(run_id), error=str(error))


def _first_of_each_pair(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Drop, as too late, a second step of a pair in one batch: PostgreSQL would apply either of them."""
    batch: dict[PairKey, Waiting] = {}
    for step, written in waiting:
        if step.key not in batch:
            batch[step.key] = (step, written)
        elif not written.done():
            written.set_result(False)
    return list(batch.values())
