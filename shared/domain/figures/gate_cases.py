"""The questions of two runs side by side: which broke, which were not measured, which only one run has."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from shared.domain.figures.comparison import HALF
from shared.domain.questions.suites import Json, fingerprint

Unit: TypeAlias = tuple[str, str]
"""A model, and what its question is known by: the same only with the same id, input, target and scorer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a run. Without a score, `error` says why."""

    model: str
    question: str
    category: str
    input: str
    target: str
    scorer: Json
    repeat: int
    score: float | None
    response: str | None
    error: str
    latency_seconds: float | None

    @property
    def unit(self) -> Unit:
        return self.model, fingerprint([self.question, self.input, self.target, self.scorer])


class Outcome(StrEnum):
    HELD = "held"
    BROKE = "broke"
    NOT_MEASURED = "not_measured"
    ONE_SIDED = "one_sided"


@dataclass(frozen=True, slots=True)
class Side:
    """What a run has of one question: the mean score of its scored repeats, and the first answer to show."""

    score: float | None
    response: str | None
    error: str
    latency_seconds: float | None


@dataclass(frozen=True, slots=True)
class Case:
    """A question put to a model, before and after. None: that run has no such question."""

    model: str
    question: str
    category: str
    input: str
    before: Side | None
    after: Side | None

    @property
    def outcome(self) -> Outcome:
        """BROKE: from right to wrong, across one half. What was wrong before can't break."""
        if self.after is None:
            return Outcome.ONE_SIDED
        if self.after.score is None:
            return Outcome.NOT_MEASURED
        if self.before is None or self.before.score is None:
            return Outcome.ONE_SIDED
        if self.before.score >= HALF > self.after.score:
            return Outcome.BROKE
        return Outcome.HELD


def pair_cases(before: Iterable[Reply], after: Iterable[Reply], models: Sequence[str]) -> tuple[Case, ...]:
    """Every question of either run, by model and in the order of the runs; only these `models`."""
    then, now = _collect(before), _collect(after)
    cases = []
    for unit in {**now, **then}:
        replies = now.get(unit) or then[unit]
        if (first := replies[0]).model in models:
            cases.append(
                Case(
                    first.model,
                    first.question,
                    first.category,
                    first.input,
                    _sum_up(then.get(unit)),
                    _sum_up(now.get(unit)),
                )
            )
    return tuple(sorted(cases, key=lambda case: models.index(case.model)))


def latencies(cases: Iterable[Case], model: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Seconds that each question took a model, before and after."""
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for number, case in enumerate(cases):
        if case.model == model:
            for side, seconds in ((case.before, before), (case.after, after)):
                if side is not None and side.latency_seconds is not None:
                    seconds[str(number)] = side.latency_seconds
    return before, after


def _collect(replies: Iterable[Reply]) -> Mapping[Unit, Sequence[Reply]]:
    by_unit: dict[Unit, list[Reply]] = defaultdict(list)
    for reply in replies:
        by_unit[reply.unit].append(reply)
    return by_unit


def _sum_up(replies: Sequence[Reply] | None) -> Side | None:
    if replies is None:
        return None
    scored = [reply for reply in replies if reply.score is not None]
    shown = (scored or replies)[0]
    return Side(
        score=_mean([reply.score for reply in scored if reply.score is not None]),
        response=shown.response,
        error="" if scored else shown.error,
        latency_seconds=_mean([r.latency_seconds for r in scored if r.latency_seconds is not None]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
