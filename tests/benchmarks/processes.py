"""What a process and everything below it cost, read from /proc."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 2.0


def process_tree(root: int) -> list[int]:
    """A process and its living descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children[int(_read_stat(int(folder.name))[1])].append(int(folder.name))
    tree = [root]
    for pid in tree:
        tree.extend(children[pid])
    return tree


def cpu_seconds_by_program(root: int) -> dict[str, float]:
    """CPU time of the tree since it began, by what runs: the name of our service, or of the program.

    What has exited counts with the parent that waited for it.
    """
    seconds: dict[str, float] = defaultdict(float)
    for pid in process_tree(root):
        with suppress(OSError):
            own_and_waited_for = map(int, _read_stat(pid)[11:15])  # user and system time of both
            seconds[_name(pid)] += sum(own_and_waited_for) / TICKS_PER_SECOND
    return dict(seconds)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time up to one moment: of the machine, and of this process with everything below it."""

    at: float
    machine_seconds: float
    our_seconds: float

    @classmethod
    def now(cls) -> "Usage":
        user, nice, system, _idle, _iowait, *rest = map(
            int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        )
        busy = (user + nice + system + sum(rest)) / TICKS_PER_SECOND
        return cls(time.perf_counter(), busy, sum(cpu_seconds_by_program(os.getpid()).values()))

    def cores_of_others_until(self, later: "Usage") -> float:
        """How many cores whatever else runs here kept busy, on average."""
        others = (later.machine_seconds - self.machine_seconds) - (later.our_seconds - self.our_seconds)
        return max(0.0, others / (later.at - self.at))


def memory_mb(root: int) -> float:
    """The tree's share of memory (PSS): what processes share is counted once."""
    return sum(memory_mb_by_program(root).values())


def memory_mb_by_program(root: int) -> dict[str, float]:
    megabytes: dict[str, float] = defaultdict(float)
    for pid in process_tree(root):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kilobytes = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            megabytes[_name(pid)] += kilobytes / 1024
    return dict(megabytes)


class PeakMemory:
    """The most memory seen while it was watched."""

    def __init__(self) -> None:
        self.mb = 0.0


@asynccontextmanager
async def watch_memory(root: int) -> AsyncIterator[PeakMemory]:
    peak = PeakMemory()

    async def look() -> None:
        while True:
            peak.mb = max(peak.mb, memory_mb(root))
            await asyncio.sleep(SAMPLE_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield peak
    finally:
        looking.cancel()


def _read_stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat that follow the program's name, the first being its state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _name(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    if "services.cli" in command:
        return command[command.index("services.cli") + 1]
    return Path(f"/proc/{pid}/comm").read_text().strip()
