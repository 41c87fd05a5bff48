"""How far an open run is: done, at the judge, and what will not be measured."""

from dataclasses import dataclass
from datetime import datetime

from services.api.dashboard import numbers
from services.api.dashboard.views.lede import Fact
from services.api.schemas.runs import ModelProgress, RunProgress
from shared.db.runs import Run

FEW_PAIRS = 10  # from fewer, nobody could tell a pace


@dataclass(frozen=True, slots=True)
class ModelBar:
    """Shares of a model's pairs, in percent: scored, at the judge, and closed without a score."""

    model: str
    scored: float
    judging: float
    unmeasured: float
    told: str
    is_done: bool

    @property
    def whole(self) -> int:
        """How much is over, in whole percent."""
        return int(self.scored + self.unmeasured + 1e-9)


@dataclass(frozen=True, slots=True)
class Progress:
    """`said` is what is read aloud."""

    said: str
    facts: tuple[Fact, ...]
    bars: tuple[ModelBar, ...]


def describe_progress(run: Run, progress: RunProgress, now: datetime) -> Progress:
    planned, closed = progress.planned_pairs, progress.closed_pairs
    if planned is None:
        said = "Its pairs are being planned."
        done = Fact("Done", numbers.whole_share(0.0), "how many pairs it has is told in a moment")
    else:
        said = f"{numbers.count(closed)} of {numbers.many(planned, 'pair')} are done."
        done = Fact("Done", numbers.whole_share(closed / planned if planned else 1.0), said.rstrip("."))
    judging = sum(one.answered for one in progress.models)
    waiting = Fact("At the judge", numbers.count(judging), "answered, not judged yet")
    facts = (done, tell_spending(run, progress), waiting, _tell_time(run, planned, closed, now))
    return Progress(said, facts, tuple(map(_draw, progress.models)))


def tell_spending(run: Run, progress: RunProgress) -> Fact:
    allowed = f"of {numbers.usd(run.max_cost_usd)} allowed" if run.max_cost_usd else "no limit was set"
    return Fact("Spent so far", f"{numbers.usd(progress.spent_usd)}{numbers.HARD_SPACE}USD", allowed)


def _tell_time(run: Run, planned: int | None, closed: int, now: datetime) -> Fact:
    running = (now - (run.planned_at or run.created_at)).total_seconds()
    if planned is None or not FEW_PAIRS <= closed < planned or run.stop_reason:
        return Fact("Running for", numbers.lasting(running), "")
    to_go = numbers.lasting(running * (planned - closed) / closed)
    return Fact("Running for", numbers.lasting(running), f"about {to_go} to go at this pace")


def _draw(one: ModelProgress) -> ModelBar:
    unmeasured = one.unscored + one.failed + one.skipped
    closed = one.scored + unmeasured
    planned = closed + one.answered + one.pending
    told = f"{numbers.count(closed)} of {numbers.count(planned)}"
    if unmeasured:
        told += f", {numbers.count(unmeasured)} not measured"
    unit = 100 / planned if planned else 0.0
    return ModelBar(
        one.model, one.scored * unit, one.answered * unit, unmeasured * unit, told, closed == planned
    )
