"""Every way in which an installation is broken, and how soon it must be well again."""

from dataclasses import dataclass
from pathlib import Path

from tests.chaos import disks, strikes
from tests.chaos.clocks import find_faketime
from tests.chaos.harm import Strike
from tests.chaos.stage import Ground
from tests.chaos.strikes import HOUR, cut_database, cut_redis, fill_disk, jump_clock, jump_scheduler
from tests.chaos.wires import Cut

LEASE_BOUND_SECONDS = 20.0
OTHER_BOUND_SECONDS = 60.0
AHEAD, BACK = jump_clock("worker-1", HOUR), jump_clock("worker-1", -HOUR)
ERRORS = 0.1  # of the provider's calls fail, so that pairs are retried by the clock
PLAIN, WIRES, CLOCKS, DISKS = Ground
SHARES = {PLAIN: 1.0, WIRES: 0.3, CLOCKS: 0.5, DISKS: 0.5}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done, where, and within how many seconds all must be well again.

    `provider_errors`: how many of the provider's calls fail meanwhile.
    """

    name: str
    title: str
    strike: Strike
    ground: Ground = PLAIN
    within_seconds: float = OTHER_BOUND_SECONDS
    provider_errors: float = 0.0

    @property
    def share(self) -> float:
        """How many of the trials asked for it gets: some take long."""
        return SHARES[self.ground]


# fmt: off
FAULTS = (
    Fault("worker-killed", "kill -9 of one worker", strikes.kill_worker, within_seconds=LEASE_BOUND_SECONDS),
    Fault("workers-killed", "kill -9 of all workers", strikes.kill_workers),
    Fault("api-killed", "kill -9 of the API during a submission", strikes.kill_api),
    Fault("scheduler-killed", "kill -9 of the scheduler", strikes.kill_scheduler),
    Fault("valkey-killed", "kill -9 of Valkey", strikes.kill_valkey),
    Fault("postgres-killed", "kill -9 of PostgreSQL", strikes.kill_postgres),
    Fault("redis-flushed", "FLUSHALL", strikes.flush_redis),
    Fault("worker-drained", "SIGTERM of a worker", strikes.drain_worker),
    Fault("delivered-again", "every job enqueued three times more", strikes.deliver_again),
    Fault("holders-forgotten", "every lease deleted, every job delivered again", strikes.forget_holders),
    Fault("redis-cut-reset", "network to Redis cut, refused", cut_redis(Cut.RESET), WIRES),
    Fault("redis-cut-stalled", "network to Redis cut, stalled", cut_redis(Cut.STALLED), WIRES),
    Fault("redis-cut-lost", "network to Redis cut, silent for good", cut_redis(Cut.LOST), WIRES),
    Fault("database-cut-reset", "network to PostgreSQL cut, refused", cut_database(Cut.RESET), WIRES),
    Fault("database-cut-stalled", "network to PostgreSQL cut, stalled", cut_database(Cut.STALLED), WIRES),
    Fault("database-cut-lost", "network to PostgreSQL cut, silent for good", cut_database(Cut.LOST), WIRES),
    Fault("database-slow", "PostgreSQL 400 ms away", strikes.slow_database, WIRES),
    Fault("worker-clock-ahead", "a worker's clock 1 h ahead", AHEAD, CLOCKS, provider_errors=ERRORS),
    Fault("worker-clock-behind", "a worker's clock 1 h back", BACK, CLOCKS, provider_errors=ERRORS),
    Fault("scheduler-clock-ahead", "scheduler's clock 1 h ahead, FLUSHALL", jump_scheduler(HOUR), CLOCKS),
    Fault("scheduler-clock-behind", "scheduler's clock 1 h back, FLUSHALL", jump_scheduler(-HOUR), CLOCKS),
    Fault("scheduler-over-night", "scheduler's clock over a night's hour", strikes.jump_over_night, CLOCKS),
    Fault("api-clock-ahead", "the API's clock 1 h ahead, then a submission", strikes.submit_early, CLOCKS),
    Fault("postgres-disk-full", "PostgreSQL's disk full", fill_disk("pg"), DISKS),
    Fault("valkey-disk-full", "Valkey's disk full", fill_disk("vk"), DISKS),
)
# fmt: on


def why_not(ground: Ground, folder: Path) -> str | None:
    """What this machine lacks for a ground, if anything."""
    match ground:
        case Ground.CLOCKS if find_faketime() is None:
            return "libfaketime is not installed (apt-get install faketime)"
        case Ground.DISKS:
            return disks.why_no_disk(folder)
        case _:
            return None
