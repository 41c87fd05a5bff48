"""The real model's second act: worse weights are served under its name, and the watch has to notice."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TypeAlias

from services.standalone.degraded import degrade
from services.standalone.real_model import find_weights
from services.standalone.stage import Stage

EASY = Path("deploy/demo/easy.csv")
SCHEDULE = "nightly"
FIRST_NIGHT = date(2026, 3, 1)
NIGHTS_BEFORE, NIGHTS_SINCE = 3, 2
NOISE, SEED = 0.08, 1

ReplaceWeights: TypeAlias = Callable[[Path], Awaitable[None]]


async def play_degradation(stage: Stage, folder: Path, replace_weights: ReplaceWeights) -> None:
    """Some nights with the model as it came, some with a degraded copy; ends with what was found.

    Raises:
        CannotStart: a command failed, or a night did not come to its end.
    """
    await stage.type("suite", "import", str(EASY))
    await stage.type("schedules", "set", SCHEDULE, "--suite", EASY.stem, "--confirmations", "0")
    await _live(stage, 0, NIGHTS_BEFORE)
    worse = folder / "worse.gguf"
    await asyncio.to_thread(degrade, find_weights(), worse, NOISE, SEED)
    await replace_weights(worse)
    print(f"\nThe model restarts under the same name, with its weights' scales off by {NOISE:.0%} or so.")
    await _live(stage, NIGHTS_BEFORE, NIGHTS_BEFORE + NIGHTS_SINCE)
    await stage.type("drift")
    for incident in (await stage.read("/incidents", limit=1))["items"]:
        await stage.type("incidents", "show", incident["id"][:8])


async def _live(stage: Stage, done: int, until: int) -> None:
    """Live through the nights after the first `done` ones; each adds its date to the line when it is over."""
    print("\nnight by night:", end="", flush=True)
    for number in range(done, until):
        night = (FIRST_NIGHT + timedelta(days=number)).isoformat()
        await stage.live_through(SCHEDULE, night)
        print(f" {night}", end="", flush=True)
    print(flush=True)
