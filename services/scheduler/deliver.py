"""Delivering: what was written down is sent, until its receiver has it or it is a dead letter.

A row is claimed and the attempt noted in one transaction; then the network is touched; then what came of it
is written. Who dies in between leaves an attempt without an outcome, and the delivery is sent again when the
lease has ended: at least once, under the same id.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from time import monotonic
from traceback import format_tb
from typing import Any, assert_never

import structlog

from services.scheduler.channels.post import SEND_SECONDS, Post
from shared.db import aggregates, channels, outbox, runs
from shared.db.deliveries import bury_pending
from shared.db.outbox import Parcel
from shared.db.pool import Connection, Pool
from shared.domain.telling.alerts import FinishedRun, Notice
from shared.domain.telling.redelivery import (
    MOST_TRIES,
    Delivered,
    Done,
    Failed,
    GiveUp,
    NextStep,
    Outcome,
    Refused,
    RetryIn,
    decide,
)
from shared.metrics import DELIVERIES
from shared.notices import read_notice

LEASE = timedelta(seconds=60)
AT_ONCE = 10
# A sender that was kept from running leaves the parcel to the next one, while its lease still holds.
LATEST_START_SECONDS = LEASE.total_seconds() - 2 * SEND_SECONDS

log = structlog.get_logger()
Clock = Callable[[], datetime]


async def deliver(pool: Pool, post: Post, clock: Clock) -> Counter[str]:
    """Send all that is due; return what came of it, by name. Any number may do this at once."""
    done: Counter[str] = Counter()
    while True:
        now, claimed_at = clock(), monotonic()
        async with pool.acquire() as connection, connection.transaction():
            parcels = await outbox.claim_parcels(connection, now, now + LEASE, AT_ONCE)
        if not parcels:
            return done
        async with asyncio.TaskGroup() as sending:
            tasks = [sending.create_task(_deliver(pool, post, each, clock, claimed_at)) for each in parcels]
        done.update(task.result() for task in tasks)


async def _deliver(pool: Pool, post: Post, parcel: Parcel, clock: Clock, claimed_at: float) -> str:
    if parcel.tries > MOST_TRIES:
        outcome: Outcome = Refused(
            f"Given up: it was begun {MOST_TRIES} times, and its sender died each time."
        )
    else:
        outcome = await _send(pool, post, parcel, clock, claimed_at)
    step = decide(outcome, parcel.tries, str(parcel.id), is_test=parcel.kind == "test")
    async with pool.acquire() as connection, connection.transaction():
        is_ours = await _write_down(connection, parcel, outcome, step, clock())
    if isinstance(step, GiveUp) and step.is_gone and parcel.channel_id is not None:
        await _disable(pool, parcel.channel_id, step.reason, clock())
    name = _name(step) if is_ours else "lost"
    kind = parcel.channel_kind or "callback"
    DELIVERIES.labels(kind, name).inc()
    level = log.info if name == "delivered" else log.warning
    level(
        f"delivery.{name}",
        delivery=str(parcel.id),
        channel_kind=kind,
        kind=parcel.kind,
        attempt=parcel.attempt,
        reason=getattr(outcome, "reason", None),
    )
    return name


async def _send(pool: Pool, post: Post, parcel: Parcel, clock: Clock, claimed_at: float) -> Outcome:
    try:
        async with pool.acquire() as connection:
            notice = await _read_notice(connection, parcel)
        if monotonic() - claimed_at > LATEST_START_SECONDS:
            return Failed("Its sender was kept from running.")
        return await post.send(parcel, notice, clock())
    except Exception as error:  # what can't be sent must not keep back what can
        # Neither its text nor the variables around it are logged: they may hold the address.
        where = "".join(format_tb(error.__traceback__))
        log.error("delivery.failed", delivery=str(parcel.id), error=type(error).__name__, where=where)
        return Failed(f"It could not be sent: {type(error).__name__}.")


async def _read_notice(connection: Connection, parcel: Parcel) -> Notice:
    if parcel.run_id is None:
        return read_notice(parcel.content)
    run = await runs.find_run(connection, parcel.run_id)
    assert run is not None, "runs are not deleted"
    came_to = await aggregates.read_aggregates(connection, run.id)
    return FinishedRun({**_plain(asdict(run)), "aggregates": [_plain(asdict(one)) for one in came_to]})


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without the numbers and hashes that only this database knows; money as a number, as the API has it."""
    return {
        name: float(value) if name.endswith("_usd") and value is not None else value
        for name, value in fields.items()
        if not name.endswith("_id") and name != "request_hash"
    }


async def _write_down(
    connection: Connection, parcel: Parcel, outcome: Outcome, step: NextStep, now: datetime
) -> bool:
    """Note what came of an attempt; False when another sender has the delivery by now.

    The delivery comes before its attempt, as it does where parcels are claimed: so nobody waits in a circle.
    """
    is_ours = await _close(connection, parcel, step, now)
    detail = "" if isinstance(outcome, Delivered) else outcome.reason
    await outbox.end_attempt(connection, parcel, outcome, detail, now)
    return is_ours


async def _close(connection: Connection, parcel: Parcel, step: NextStep, now: datetime) -> bool:
    match step:
        case Done():
            return await outbox.mark_delivered(connection, parcel, now)
        case RetryIn(seconds, reason):
            return await outbox.retry_at(connection, parcel, reason, now + timedelta(seconds=seconds))
        case GiveUp(reason):
            return await outbox.mark_dead(connection, parcel, reason, now)
        case _:
            assert_never(step)


async def _disable(pool: Pool, channel_id: int, reason: str, now: datetime) -> None:
    """A receiver that says it is gone for good gets nothing more."""
    async with pool.acquire() as connection, connection.transaction():
        if not await channels.disable_channel(connection, channel_id, reason):
            return
        await bury_pending(connection, channel_id, "The channel is disabled: its receiver is gone.", now)
    log.warning("channel.disabled", channel_id=channel_id, reason=reason)


def _name(step: NextStep) -> str:
    match step:
        case Done():
            return "delivered"
        case RetryIn():
            return "retried"
        case GiveUp():
            return "dead"
        case _:
            assert_never(step)
