"""What is done to an installation in the middle of a run. Every strike tells what it may cost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from time import monotonic
from uuid import uuid4

import httpx
from arq.connections import ArqRedis

from services.worker.writes import PROBE_SECONDS
from shared.db.pairs import list_open_pairs
from shared.domain.runs import PairKey, RunId
from shared.queue import SCHEDULER_HEALTH, enqueue_pairs, live_queues, slots_key
from tests.chaos import disks
from tests.chaos.clocks import CACHE_SECONDS
from tests.chaos.harm import Harm, Scene, Strike
from tests.chaos.processes import PAUSE_SECONDS, Child, until
from tests.chaos.stage import MODELS, Stage
from tests.chaos.wires import Cut, Wire
from tests.chaos.witness import HOLDERS

READY_SECONDS = 60.0
FULL_DISK_SECONDS = 5.0
DELAY_SECONDS = 0.2
DELIVERIES = 3
HOUR = 3600
TWIN_QUESTIONS = 3


async def kill_worker(scene: Scene) -> Harm:
    victim = await _choose_busy(scene)
    kill = await victim.aim()
    victim.freeze()
    held = await _held(scene.stage, victim)
    await kill()
    return Harm(held, monotonic(), len(held), mend=victim.start)


async def kill_workers(scene: Scene) -> Harm:
    kills = [await worker.aim() for worker in scene.stage.workers]
    async with _frozen(scene.stage) as held:
        killed_at = monotonic()
        for kill in kills:
            await kill()
    for worker in scene.stage.workers:
        await worker.start()
    return Harm(held, killed_at, len(held))


async def kill_api(scene: Scene) -> Harm:
    """Kill it at any moment of a submission, which the client then repeats under its key."""
    stage, key = scene.stage, uuid4().hex
    held = await _held(stage)
    submission = asyncio.create_task(stage.submit(TWIN_QUESTIONS, key))
    await asyncio.sleep(scene.random.uniform(0, 0.05))
    await stage.api.kill()
    await asyncio.gather(submission, return_exceptions=True)
    await stage.api.start()
    started_at = monotonic()
    twin: list[RunId] = []

    async def is_accepted() -> bool:
        if not twin:
            try:
                twin.append(await stage.submit(TWIN_QUESTIONS, key))
            except httpx.HTTPError:
                return False
        return await stage.answers(scene.run_id)

    await until(is_accepted, within_seconds=READY_SECONDS)
    twins = {twin[0]: TWIN_QUESTIONS * len(MODELS)}
    return Harm(held, started_at, 0, twins=twins)


async def kill_scheduler(scene: Scene) -> Harm:
    stage = scene.stage
    held = await _held(stage)
    await stage.scheduler.kill()
    await stage.witness.ask_redis(lambda redis: redis.delete(SCHEDULER_HEALTH))
    await stage.scheduler.start()
    return Harm(held, monotonic(), 0, is_well=stage.scheduler.is_ready)


async def kill_valkey(scene: Scene) -> Harm:
    return await _kill_server(scene.stage, scene.stage.valkey)


async def kill_postgres(scene: Scene) -> Harm:
    return await _kill_server(scene.stage, scene.stage.postgres)


async def _kill_server(stage: Stage, server: Child) -> Harm:
    kill = await server.aim()
    async with _frozen(stage) as held:
        await kill()
    await server.start()
    await until(server.is_ready, within_seconds=READY_SECONDS)
    return Harm(held, monotonic(), len(held))


async def flush_redis(scene: Scene) -> Harm:
    async with _frozen(scene.stage) as held:
        await scene.stage.witness.ask_redis(lambda redis: redis.flushall())
    return Harm(held, monotonic(), len(held))


async def drain_worker(scene: Scene) -> Harm:
    victim = await _choose_busy(scene)
    held = await _held(scene.stage, victim)
    told_at = monotonic()
    code = await victim.stop()
    left = await _held(scene.stage, victim)
    complaints = [f"the drained worker ended with {code}"] if code else []
    complaints += [f"the drained worker left {len(left)} pairs on lease"] if left else []
    return Harm(held, told_at, 0, mend=victim.start, complaints=tuple(complaints))


async def deliver_again(scene: Scene) -> Harm:
    """Put every open pair on the queues again and again, the running ones as well."""
    held = await _held(scene.stage)
    for _ in range(DELIVERIES):
        await _enqueue_all(scene)
        await asyncio.sleep(scene.random.uniform(0, 0.5))
    return Harm(held, monotonic(), 0)


async def forget_holders(scene: Scene) -> Harm:
    """Let the queues forget what runs, and deliver all of it a second time while it does."""

    async def forget(redis: ArqRedis) -> None:
        for queue in await live_queues(redis):
            await redis.delete(slots_key(queue))
        if keys := [key async for key in redis.scan_iter(HOLDERS + "*", count=1000)]:
            await redis.delete(*keys)

    async with _frozen(scene.stage) as held:
        await scene.stage.witness.ask_redis(forget)
    await _enqueue_all(scene)
    return Harm(held, monotonic(), len(held))


async def _enqueue_all(scene: Scene) -> None:
    witness, run_id = scene.stage.witness, scene.run_id
    pairs = await witness.ask(lambda connection: list_open_pairs(connection, run_id))
    await witness.ask_redis(lambda redis: enqueue_pairs(redis, run_id, pairs))


def cut_redis(how: Cut) -> Strike:
    async def strike(scene: Scene) -> Harm:
        return await _cut(scene.stage, scene.stage.redis_wire, how)

    return strike


def cut_database(how: Cut) -> Strike:
    async def strike(scene: Scene) -> Harm:
        return await _cut(scene.stage, scene.stage.database_wire, how)

    return strike


async def _cut(stage: Stage, wire: Wire | None, how: Cut) -> Harm:
    assert wire is not None
    async with _frozen(stage) as held:
        await wire.cut(how)
    await asyncio.sleep(stage.size.cut_seconds)
    await wire.mend()
    return Harm(held, monotonic(), len(held))


async def slow_database(scene: Scene) -> Harm:
    wire = scene.stage.database_wire
    assert wire is not None
    held = await _held(scene.stage)
    wire.delay_seconds = DELAY_SECONDS
    await asyncio.sleep(scene.stage.size.cut_seconds)
    await wire.mend()
    return Harm(held, monotonic(), 0)


def fill_disk(server: str) -> Strike:
    async def strike(scene: Scene) -> Harm:
        stage = scene.stage
        disk = stage.folder / server
        async with _frozen(stage) as held:
            disks.fill(disk)
        await asyncio.sleep(FULL_DISK_SECONDS)
        disks.make_room(disk)
        # While nothing can be written, a worker lets one call through now and then to see whether it can.
        probes = len(stage.workers) * (1 + ceil(FULL_DISK_SECONDS / PROBE_SECONDS))
        return Harm(held, monotonic(), len(held) + probes)

    return strike


def jump_clock(name: str, seconds: int) -> Strike:
    """A worker whose clock is wrong must neither lose nor hurry anything."""

    async def strike(scene: Scene) -> Harm:
        stage = scene.stage
        held = await _held(stage)
        await _jump(stage, name, seconds)
        return Harm(held, monotonic(), 0, mend=lambda: _set_right(stage, name))

    return strike


def jump_scheduler(seconds: int) -> Strike:
    """Its clock jumps, and then it is needed: only its rescuer brings back what Redis forgets."""

    async def strike(scene: Scene) -> Harm:
        stage = scene.stage
        await _jump(stage, "scheduler", seconds)
        flushed = await flush_redis(scene)
        return replace(flushed, mend=lambda: _set_right(stage, "scheduler"))

    return strike


async def submit_early(scene: Scene) -> Harm:
    """The API's clock jumps ahead, and then a run is submitted: it need not wait until that time has come."""
    stage = scene.stage
    held = await _held(stage)
    await _jump(stage, "api", HOUR)
    twin = await stage.submit(TWIN_QUESTIONS)
    return Harm(
        held,
        monotonic(),
        0,
        is_well=lambda: stage.witness.is_finished(twin),
        mend=lambda: _set_right(stage, "api"),
        twins={twin: TWIN_QUESTIONS * len(MODELS)},
    )


async def jump_over_night(scene: Scene) -> Harm:
    """The scheduler's clock jumps over the minute at which a night begins: it is opened, and once."""
    stage = scene.stage
    held = await _held(stage)
    name = f"night-{uuid4().hex[:8]}"
    due = datetime.now(UTC) + timedelta(seconds=HOUR / 2)
    await stage.schedule(name, f"{due.minute} {due.hour} * * *", TWIN_QUESTIONS)
    await _jump(stage, "scheduler", HOUR)
    jumped_at = monotonic()

    async def is_open() -> bool:
        return bool(await stage.witness.nights(name))

    await until(is_open, within_seconds=READY_SECONDS)
    stage.clocks["scheduler"].jump(0)
    await asyncio.sleep(2 * CACHE_SECONDS)
    await _jump(stage, "scheduler", HOUR)
    nights = await stage.witness.nights(name)
    complaints = () if len(nights) == 1 else (f"the night was opened {len(nights)} times",)
    twins = {nights[0]: TWIN_QUESTIONS * len(MODELS)}
    return Harm(
        held,
        jumped_at,
        0,
        mend=lambda: _set_right(stage, "scheduler"),
        twins=twins,
        other_calls=len(MODELS),  # each night asks every model who it is
        complaints=complaints,
    )


async def _jump(stage: Stage, name: str, seconds: int) -> None:
    stage.clocks[name].jump(seconds)
    await asyncio.sleep(2 * CACHE_SECONDS)


async def _set_right(stage: Stage, name: str) -> None:
    """A process that begins anew: what a jump back does to it is a trial of its own."""
    (child,) = (child for child in stage.children if child.name == name)
    await child.kill()
    stage.clocks[name].jump(0)
    await child.start()


async def _choose_busy(scene: Scene) -> Child:
    """One of the workers that hold something."""
    while True:
        busy = set((await scene.stage.witness.holders()).values())
        if candidates := [worker for worker in scene.stage.workers if worker.pid in busy]:
            return scene.random.choice(candidates)
        await asyncio.sleep(PAUSE_SECONDS)


async def _held(stage: Stage, *by: Child) -> frozenset[PairKey]:
    """The pairs that these workers hold, or that any does."""
    pids = {worker.pid for worker in by or stage.workers}
    return frozenset(pair for pair, pid in (await stage.witness.holders()).items() if pid in pids)


@asynccontextmanager
async def _frozen(stage: Stage) -> AsyncIterator[frozenset[PairKey]]:
    """Stop the workers in their tracks, to know exactly what they hold at that moment."""
    for worker in stage.workers:
        worker.freeze()
    try:
        yield await _held(stage)
    finally:
        for worker in stage.workers:
            if worker.is_alive:
                worker.thaw()
