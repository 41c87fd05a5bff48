"""Children are kept running, told apart from crashes, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.standalone.errors import CannotStart
from services.standalone.supervisor import (
    FIRST_WAIT_SECONDS,
    LEASH,
    LONGEST_WAIT_SECONDS,
    STEADY_AFTER_SECONDS,
    Program,
    decide_restart,
    supervise,
)
from tests.integration.fleet import until

# Says that it runs, and how it was asked to stop.
OBEDIENT = """
    import os, pathlib, signal, sys
    here = pathlib.Path(sys.argv[1])
    def stop(number, frame):
        (here / "stopped_by").write_text(signal.Signals(number).name)
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    with open(here / "pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
    while True:
        signal.pause()
"""
STUBBORN = OBEDIENT.replace("sys.exit(0)", "pass")


class Child:
    """A small script as a program, and what it left in its folder."""

    def __init__(self, folder: Path, script: str, name: str = "child", grace_seconds: float = 10.0) -> None:
        self._folder = folder
        self.program = Program(
            name,
            (sys.executable, "-c", textwrap.dedent(script), str(folder)),
            is_ready=self.has_started,
            grace_seconds=grace_seconds,
            output=folder / f"{name}.log",
        )

    @property
    def pids(self) -> list[int]:
        path = self._folder / "pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    @property
    def stopped_by(self) -> str | None:
        path = self._folder / "stopped_by"
        return path.read_text() if path.exists() else None

    async def has_started(self) -> bool:
        return bool(self.pids)

    async def was_restarted(self) -> bool:
        return len(self.pids) > 1


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@given(crashes=st.integers(0, 10_000), lived=st.floats(0, STEADY_AFTER_SECONDS, exclude_max=True))
def test_each_crash_in_a_row_waits_longer_up_to_a_limit(crashes: int, lived: float) -> None:
    this, following = decide_restart(crashes, lived), decide_restart(crashes + 1, lived)
    assert following.crashes_in_a_row == this.crashes_in_a_row + 1 == crashes + 2
    assert FIRST_WAIT_SECONDS <= this.wait_seconds <= following.wait_seconds <= LONGEST_WAIT_SECONDS
    assert following.wait_seconds in (2 * this.wait_seconds, LONGEST_WAIT_SECONDS)


@given(crashes=st.integers(0, 10_000), lived=st.floats(STEADY_AFTER_SECONDS, 1e9))
def test_a_steady_life_ends_a_row_of_crashes(crashes: int, lived: float) -> None:
    assert decide_restart(crashes, lived) == decide_restart(0, 0.0)


async def test_a_crashed_child_is_restarted_and_that_is_said(tmp_path: Path) -> None:
    child, said = Child(tmp_path, OBEDIENT), list[str]()
    async with supervise(child.program, say=said.append):
        os.kill(child.pids[0], signal.SIGKILL)
        await until(child.was_restarted)
        await until(lambda: _says(said, "child is running again."))
    assert said[0] == "child crashed (killed by SIGKILL); starting it again in 0.25 s."
    assert not any(map(is_alive, child.pids))


async def test_a_restarted_child_that_does_not_get_ready_makes_way_for_the_next(tmp_path: Path) -> None:
    child = Child(tmp_path, OBEDIENT)

    enough = 1

    async def has_started_often_enough() -> bool:
        return len(child.pids) >= enough

    async def is_third() -> bool:
        return len(child.pids) == 3

    program = replace(child.program, is_ready=has_started_often_enough, ready_within_seconds=0.5)
    async with supervise(program):
        enough = 3
        os.kill(child.pids[0], signal.SIGKILL)
        await until(is_third)
        assert not is_alive(child.pids[1])


async def _says(said: list[str], line: str) -> bool:
    return line in said


async def test_children_are_asked_to_stop_and_given_time(tmp_path: Path) -> None:
    child = Child(tmp_path, OBEDIENT)
    async with supervise(child.program):
        assert child.stopped_by is None
    assert child.stopped_by == "SIGTERM"
    assert not is_alive(child.pids[0])


async def test_a_nice_child_lets_others_go_first(tmp_path: Path) -> None:
    child = Child(tmp_path, OBEDIENT)
    async with supervise(replace(child.program, niceness=5)):
        [pid] = child.pids
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
        session = Path(f"/proc/{pid}/autogroup")
        assert not session.exists() or session.read_text().endswith("nice 5\n")


async def test_a_child_that_will_not_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    child, said = Child(tmp_path, STUBBORN, grace_seconds=0.3), list[str]()
    async with supervise(child.program, say=said.append):
        pass
    assert child.stopped_by == "SIGTERM"
    assert said == ["child did not stop in time and was killed."]
    assert not is_alive(child.pids[0])


async def test_hurry_cuts_the_grace_short(tmp_path: Path) -> None:
    child, hurry = Child(tmp_path, STUBBORN, grace_seconds=600.0), asyncio.Event()
    async with asyncio.timeout(30), supervise(child.program, hurry=hurry):
        hurry.set()
    assert not is_alive(child.pids[0])


async def test_a_child_that_ends_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child(tmp_path, "import sys; sys.exit('models.yaml: no such model')")
    with pytest.raises(CannotStart, match=r"child ended while starting \(exit code 1\)(.|\n)*no such model"):
        async with supervise(child.program):
            pytest.fail("it was taken for ready")


async def test_a_child_that_is_never_ready_is_reported_and_killed(tmp_path: Path) -> None:
    child = Child(tmp_path, OBEDIENT)

    async def never() -> bool:
        return False

    program = Program("child", child.program.command, is_ready=never, ready_within_seconds=0.5)
    with pytest.raises(CannotStart, match="child was not ready"):
        async with supervise(program):
            pytest.fail("it was taken for ready")
    assert not any(map(is_alive, child.pids))


async def test_when_one_cannot_start_the_others_are_stopped(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    good = Child(tmp_path / "good", OBEDIENT, "good")
    bad = Child(tmp_path, "import time; time.sleep(0.5); raise SystemExit(3)", "bad")
    with pytest.raises(CannotStart, match="bad ended"):
        async with supervise(good.program, bad.program):
            pytest.fail("they were taken for ready")
    assert not any(map(is_alive, good.pids))


async def test_a_terminals_ctrl_c_does_not_reach_children_by_itself(tmp_path: Path) -> None:
    child = Child(tmp_path, OBEDIENT)
    async with supervise(child.program):
        assert os.getsid(child.pids[0]) == child.pids[0] != os.getsid(0)


SUPERVISOR = """
    import asyncio, pathlib, sys
    from services.standalone.supervisor import supervise
    from tests.integration.test_standalone_supervisor import OBEDIENT, Child

    async def main():
        child = Child(pathlib.Path(sys.argv[1]), OBEDIENT)
        async with supervise(child.program):
            print("ready", flush=True)
            await asyncio.Event().wait()

    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
async def test_no_child_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(SUPERVISOR), str(tmp_path)), stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    assert await supervisor.stdout.readline() == b"ready\n"
    supervisor.kill()
    await supervisor.wait()
    child = Child(tmp_path, OBEDIENT)

    async def is_gone() -> bool:
        return not is_alive(child.pids[0])

    await until(is_gone, within_seconds=5)
    assert child.stopped_by is None


def test_a_leash_without_its_holder_runs_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(LEASH), "1", "SIGKILL", "same", "touch", str(tmp_path / "ran")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "the parent is gone" in ended.stderr
    assert not (tmp_path / "ran").exists()
