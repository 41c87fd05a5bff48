"""One running simulation: the fleet of the moment, and the replies that clients are waiting for."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from starlette.types import Receive

from services.simulator.config import SimulatorConfig
from services.simulator.fleet import Fleet
from services.simulator.nights import Clock
from shared.domain.questions.suites import Question


class Simulation:
    """Holds the current fleet, which a new configuration replaces as a whole."""

    def __init__(
        self,
        config: SimulatorConfig,
        folder: Path,
        questions: Sequence[Question] = (),
        clock: Clock = time.time,
    ) -> None:
        self._folder, self._questions, self._clock = folder, questions, clock
        self._waits: set[asyncio.Timeout] = set()
        self.load(config)

    def load(self, config: SimulatorConfig) -> None:
        """Start anew with a configuration. InvalidInput leaves the old fleet in place."""
        self.fleet = Fleet(config, self._folder, self._questions, self._clock)

    def stop(self) -> None:
        """End every wait: the server is closing."""
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)

    async def is_client_there_after(self, seconds: float | None, receive: Receive) -> bool:
        """Wait so long (None: until `stop`); false as soon as the client hangs up."""
        try:
            async with asyncio.timeout(seconds) as wait:
                self._waits.add(wait)
                try:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            return True
        return False
