"""What goes on at one model: requests in flight, its limits, and counts since the last reset."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.simulator.behaviour import Limits

_MINUTE = 60.0


@dataclass(slots=True)
class Counts:
    requests: int = 0
    completed: int = 0
    rate_limited: int = 0
    failed: int = 0
    abandoned: int = 0
    unknown_inputs: int = 0
    peak_in_flight: int = 0


@dataclass(slots=True)
class Traffic:
    """Live counts of one model (or of all together). `inputs` are hashes of the distinct ones."""

    in_flight: int = 0
    counts: Counts = field(default_factory=Counts)
    inputs: set[int] = field(default_factory=set)
    _started: deque[float] = field(default_factory=deque)

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Count a request in flight for as long as the block runs."""
        self.in_flight += 1
        self.counts.peak_in_flight = max(self.counts.peak_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def seconds_to_wait(self, limits: Limits, now: float) -> float | None:
        """None admits a request at `now` (monotonic seconds); else how long the client is told to wait."""
        if limits.in_flight is not None and self.in_flight >= limits.in_flight:
            return limits.retry_after_seconds
        if limits.requests_per_minute is not None:
            while self._started and self._started[0] <= now - _MINUTE:
                self._started.popleft()
            if len(self._started) >= limits.requests_per_minute:
                return float(int(self._started[0] + _MINUTE - now) + 1)
            self._started.append(now)
        return None

    def reset(self) -> None:
        """Forget the counts; requests in flight stay, and are the new peak."""
        self.counts = Counts(peak_in_flight=self.in_flight)
        self.inputs.clear()
