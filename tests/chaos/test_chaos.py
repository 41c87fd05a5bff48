"""One short trial of every fault; `make chaos` tries each of them many times, and longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.chaos.faults import FAULTS, Fault, why_not
from tests.chaos.lanes import plan_lanes, run_lanes
from tests.chaos.stage import SHORT, Ground
from tests.chaos.trial import Trial

SEED = 6

Trials: TypeAlias = dict[str, asyncio.Future[Trial]]


@pytest.fixture(scope="module")
async def trials(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trials]:
    """Every fault that a chosen test asks for and this machine allows, under way on its ground."""
    folder: Path = tmp_path_factory.mktemp("grounds")
    grounds = {ground for ground in Ground if why_not(ground, folder) is None}
    asked = {item.callspec.params.get("fault") for item in request.session.items if hasattr(item, "callspec")}
    chosen = [fault for fault in FAULTS if fault in asked and fault.ground in grounds]
    loop = asyncio.get_running_loop()
    ended: Trials = {fault.name: loop.create_future() for fault in chosen}
    under_way = asyncio.create_task(
        run_lanes(plan_lanes(chosen, 1, SEED), SHORT, lambda trial: ended[trial.fault].set_result(trial))
    )

    def pass_on(task: asyncio.Task[None]) -> None:
        for future in ended.values():
            if not future.done():
                future.cancel() if task.cancelled() else future.set_exception(
                    task.exception() or AssertionError()
                )

    under_way.add_done_callback(pass_on)
    yield ended
    under_way.cancel()
    with suppress(asyncio.CancelledError):
        await under_way


@pytest.mark.chaos
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_nothing_is_lost_or_counted_twice(fault: Fault, trials: Trials, tmp_path: Path) -> None:
    if (reason := why_not(fault.ground, tmp_path)) is not None:
        pytest.skip(f"{fault.title}: {reason}")
    trial = await trials[fault.name]
    assert trial.complaints == ()
    assert (trial.lost, trial.doubled) == (0, 0)
    assert trial.extra_calls <= trial.most_extra_calls
