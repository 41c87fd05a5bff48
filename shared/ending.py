"""Ending tasks for sure."""

import asyncio
from typing import Any

AGAIN_SECONDS = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended; what they raise stays with them.

    Once is not enough: up to Python 3.11, `asyncio.wait_for` swallows a cancellation that arrives together
    with its result, and redis-py sends each command through it. A loop that asks Redis then goes on for good.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN_SECONDS)
