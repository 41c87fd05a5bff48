"""How fast models are asked: what may be asked of each, and what its replies teach all workers together.

The learning itself is learn.lua, run by Redis; here is what one process notes between two of its polls.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.domain.answers.scoring import Unscored
from shared.domain.errors import ErrorKind
from shared.queue import model_queue

FIRST_SLOTS = 10  # calls at once before a model has answered any


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be asked of a model over all workers: calls at once, calls and tokens a minute (None: any)."""

    slots: int
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def arguments(self) -> tuple[int, int, int, int]:
        """The four limits as the scripts take them."""
        first = min(self.slots, FIRST_SLOTS)
        return self.slots, first, self.calls_per_minute or 0, self.tokens_per_minute or 0


@dataclass(slots=True)
class Report:
    """How calls of one model ended that began in one epoch."""

    answered: int = 0
    crowded: int = 0
    failed: int = 0
    retry_after_seconds: float = 0.0
    tokens: int = 0
    told_tokens: int = 0


@dataclass(slots=True)
class Pace:
    """What this process knows of its models' pace, and what it has to report."""

    allowance_of: Callable[[str], Allowance]
    patience_seconds: float
    last_faults: dict[str, Unscored] = field(default_factory=dict)
    _epochs: dict[str, str] = field(default_factory=dict)
    _reports: defaultdict[tuple[str, str], Report] = field(default_factory=lambda: defaultdict(Report))

    def learn_epoch(self, model: str, epoch: str) -> None:
        self._epochs[model] = epoch

    def epoch_of(self, model: str) -> str:
        """What a call that begins now is to be reported under."""
        return self._epochs.get(model, "0")

    def note_answer(self, model: str, epoch: str, tokens: int | None) -> None:
        report = self._reports[model, epoch]
        report.answered += 1
        if tokens is not None:
            report.tokens += tokens
            report.told_tokens += 1

    def note_fault(self, model: str, epoch: str, fault: Unscored, retry_after_seconds: float | None) -> None:
        """Note a call that failed in passing, and what the pair would be told if it were the last."""
        report = self._reports[model, epoch]
        if fault.kind is ErrorKind.RATE_LIMITED:
            report.crowded += 1
        else:
            report.failed += 1
        report.retry_after_seconds = max(report.retry_after_seconds, retry_after_seconds or 0.0)
        self.last_faults[model] = fault

    def take_reports(self) -> list[Any]:
        """The arguments of learn.lua for all that was noted since the last time; empty when nothing was."""
        reports, self._reports = self._reports, defaultdict(Report)
        arguments: list[Any] = [int(1000 * self.patience_seconds)] if reports else []
        for (model, epoch), report in reports.items():
            slots, first, _, _ = self.allowance_of(model).arguments()
            arguments += (
                model_queue(model), slots, first, epoch, report.answered, report.crowded, report.failed,
                int(1000 * report.retry_after_seconds), report.tokens, report.told_tokens,
            )  # fmt: skip
        return arguments
