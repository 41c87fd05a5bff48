"""Which model to take for which need, and what to know before: each answer with its reason in a sentence."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.domain.drift.detect import LEAST_COVERAGE
from shared.domain.figures.ranking import Difference, Ranking
from shared.domain.telling.wording import (
    name_some,
    tell_day,
    tell_percent,
    tell_points,
    tell_seconds,
    tell_size,
    tell_times,
    tell_usd,
)

DEFAULT_LOSS = 0.03
DEAR = 1.5  # times the cost of the best one: worth a warning, if nothing is had for it
EQUAL = 1e-9


class Need(StrEnum):
    BEST = "best"
    VALUE = "value"
    FASTEST = "fastest"
    CHEAPEST = "cheapest_within_loss"


class Caution(StrEnum):
    """What a warning is about, the gravest first."""

    DRIFTING = "drifting"
    LOW_COVERAGE = "low_coverage"
    UNMEASURED = "not_measured"
    NOT_COMPARED = "not_compared"
    DEAR = "dear"
    UNPRICED = "price_unknown"


@dataclass(frozen=True, slots=True)
class Contender:
    """A model by its newest run. None: not measured, or not known.

    Accuracy and coverage are shares, `cost_usd` is that of one answer, `seconds` the median of an answer's.
    `drifting_since`: the first night of a change for the worse that is not closed.
    """

    model: str
    accuracy: float | None
    lower: float | None
    upper: float | None
    coverage: float
    cost_usd: float | None
    seconds: float | None
    measured_on: date
    drifting_since: date | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """`model` is None where nothing can be recommended; `ties` meet the need as well.

    `against_best`: the model minus the best one; None for the best one, and where they share no question.
    """

    need: Need
    model: str | None
    reason: str
    ties: tuple[str, ...] = ()
    against_best: Difference | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    caution: Caution
    models: tuple[str, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Empty where nothing was measured."""

    loss: float
    choices: tuple[Choice, ...]
    warnings: tuple[Notice, ...]


def recommend(
    contenders: Sequence[Contender], ranking: Ranking, loss: float = DEFAULT_LOSS
) -> Recommendation:
    """Choose for each need among the models of which enough was measured.

    The best value is the cheapest of those that could be the first. The cheapest within `loss`, a share, is
    that of those which are, with 95 %, no further behind the best one.
    """
    contenders = sorted(contenders, key=lambda one: (-(one.accuracy or 0.0), one.model))
    fit = [one for one in contenders if one.accuracy is not None and one.coverage >= LEAST_COVERAGE]
    if not fit:
        return Recommendation(loss, (), tuple(_warn(contenders, ranking, None)))
    names = [one.model for one in fit]
    leading = ranking.list_leaders(names) or names
    leaders = [one for one in fit if one.model in leading]
    best = leaders[0]
    choices = (
        _choose_best(best, fit, leaders),
        _choose_value(best, leaders, ranking),
        _choose_fastest(best, fit, ranking),
        _choose_cheapest(best, fit, ranking, loss),
    )
    return Recommendation(loss, choices, tuple(_warn(contenders, ranking, best)))


def _choose_best(best: Contender, fit: Sequence[Contender], leaders: Sequence[Contender]) -> Choice:
    score = f"Scores {tell_percent(best.accuracy)} %"
    score += f", interval {tell_percent(best.lower)} to {tell_percent(best.upper)}."
    ties = tuple(one.model for one in leaders if one is not best)
    if len(fit) == 1:
        told = "No other model was measured well enough to compare."
    elif not ties:
        told = "Ahead of the other one." if len(fit) == 2 else f"Ahead of all {len(fit) - 1} others."
    else:
        told = f"These questions can't tell it from {name_some(ties)}."
    return Choice(Need.BEST, best.model, f"{score} {told}", ties)


def _choose_value(best: Contender, leaders: Sequence[Contender], ranking: Ranking) -> Choice:
    chosen, ties = _least(leaders, [one.cost_usd for one in leaders])
    if chosen is None:
        return Choice(Need.VALUE, None, "No price is known for a model that could be the first.")
    cost = _cost(chosen)
    if chosen is best:
        among = "No other model" if len(leaders) == 1 else "No cheaper one"
        return Choice(Need.VALUE, chosen.model, f"{cost}. {among} could be the first.{_also(ties)}", ties)
    told = f"The cheapest that could be the first: {cost}"
    told += _times_less(chosen.cost_usd, best.cost_usd, "cheaper", best)
    return _with_difference(Need.VALUE, chosen, best, told, ties, ranking)


def _choose_fastest(best: Contender, fit: Sequence[Contender], ranking: Ranking) -> Choice:
    chosen, ties = _least(fit, [one.seconds for one in fit])
    if chosen is None or chosen.seconds is None:
        return Choice(Need.FASTEST, None, "No latency is known.")
    told = f"{tell_seconds(chosen.seconds)} s for the median answer"
    if chosen is best:
        return Choice(Need.FASTEST, chosen.model, f"{told}, and the best answers.{_also(ties)}", ties)
    told += _times_less(chosen.seconds, best.seconds, "quicker", best)
    return _with_difference(Need.FASTEST, chosen, best, told, ties, ranking)


def _choose_cheapest(best: Contender, fit: Sequence[Contender], ranking: Ranking, loss: float) -> Choice:
    def may_lose(one: Contender) -> float | None:
        found = ranking.between(one.model, best.model)
        return max(0.0, -found.lower) if found else None

    losses = {one.model: 0.0 if one is best else may_lose(one) for one in fit}
    within = [one for one in fit if (lost := losses[one.model]) is not None and lost <= loss]
    chosen, ties = _least(within, [one.cost_usd for one in within])
    if chosen is None:
        told = f"No price is known for a model that is sure to lose no more than {tell_size(loss)} points."
        return Choice(Need.CHEAPEST, None, told)
    cost = _cost(chosen)
    if chosen is not best:
        told = f"{cost}; loses {tell_size(losses[chosen.model] or 0.0)} points at most (95 %)"
        return _with_difference(Need.CHEAPEST, chosen, best, told, ties, ranking)
    told = f"{cost}. No cheaper model is sure to lose no more than {tell_size(loss)} points."
    cheaper = [one for one in fit if _is_less(one.cost_usd, best.cost_usd) and losses[one.model] is not None]
    if cheaper:
        nearest = min(cheaper, key=lambda one: losses[one.model] or 0.0)
        told += f" The nearest, {nearest.model}, may lose {tell_size(losses[nearest.model] or 0.0)}."
    elif all(one.cost_usd is not None for one in fit):
        told = f"{cost}. No model is cheaper."
    return Choice(Need.CHEAPEST, best.model, told + _also(ties), ties)


def _with_difference(
    need: Need, chosen: Contender, best: Contender, told: str, ties: tuple[str, ...], ranking: Ranking
) -> Choice:
    found = ranking.between(chosen.model, best.model)
    if found is None:
        told += f"; not compared with {best.model}: they share no question that was graded alike."
    else:
        told += f"; against {best.model} {_against(found)}."
    return Choice(need, chosen.model, told + _also(ties), ties, found)


def _least(
    among: Sequence[Contender], values: Sequence[float | None]
) -> tuple[Contender | None, tuple[str, ...]]:
    """The one with the least value, of equal ones the first; and the others that are equal to it."""
    known = [(one, value) for one, value in zip(among, values, strict=True) if value is not None]
    if not known:
        return None, ()
    least = min(value for _, value in known)
    chosen, *equal = [one for one, value in known if value <= least * (1 + EQUAL)]
    return chosen, tuple(one.model for one in equal)


def _warn(contenders: Sequence[Contender], ranking: Ranking, best: Contender | None) -> Iterator[Notice]:
    for one in contenders:
        if one.accuracy is not None and one.drifting_since is not None:
            side = "after" if one.measured_on >= one.drifting_since else "before"
            told = f"Drifting since {tell_day(one.drifting_since)}; compared here by its run of"
            told += f" {tell_day(one.measured_on)}, which was {side} the change."
            yield Notice(Caution.DRIFTING, (one.model,), told)
    for one in contenders:
        if one.accuracy is not None and one.coverage < LEAST_COVERAGE:
            percent = math.floor(100 * one.coverage + EQUAL)
            told = f"Only {percent} % of its answers have a score: not recommended for anything."
            yield Notice(Caution.LOW_COVERAGE, (one.model,), told)
    silent = tuple(one.model for one in contenders if one.accuracy is None)
    if silent:
        yield Notice(Caution.UNMEASURED, silent, "No answer has a score, so nothing is said about quality.")
    if best is None:
        return
    apart = tuple(
        one.model for one in contenders
        if one is not best and one.accuracy is not None and ranking.between(one.model, best.model) is None
    )  # fmt: skip
    if apart:
        told = f"No question was graded alike for {best.model}, so nothing tells which is better."
        yield Notice(Caution.NOT_COMPARED, apart, told)
    yield from _warn_of_cost(contenders, ranking, best)


def _warn_of_cost(contenders: Sequence[Contender], ranking: Ranking, best: Contender) -> Iterator[Notice]:
    measured = [one for one in contenders if one.accuracy is not None]
    dearest = max(measured, key=lambda one: (one.cost_usd or 0.0, one.model))
    if dearest is not best and best.cost_usd and (dearest.cost_usd or 0.0) >= DEAR * best.cost_usd:
        found = ranking.between(dearest.model, best.model)
        if found is not None:
            times = tell_times((dearest.cost_usd or 0.0) / best.cost_usd)
            told = f"Costs {times} times as much as {best.model}, and nothing shows that it is better:"
            told += f" {_against(found)}."
            yield Notice(Caution.DEAR, (dearest.model,), told)
    unpriced = tuple(one.model for one in measured if one.cost_usd is None)
    if unpriced:
        yield Notice(Caution.UNPRICED, unpriced, "No price is known, so nothing is said of value and cost.")


def _times_less(value: float | None, others: float | None, word: str, best: Contender) -> str:
    if not value or not others or value >= others:
        return ""
    return f", {tell_times(others / value)} times {word} than {best.model}"


def _also(ties: Sequence[str]) -> str:
    return f" As good in this: {name_some(ties)}." if ties else ""


def _is_less(value: float | None, other: float | None) -> bool:
    return value is not None and other is not None and value < other


def _cost(one: Contender) -> str:
    return f"{tell_usd(1000 * (one.cost_usd or 0.0))} USD per 1000 answers"


def _against(found: Difference) -> str:
    return f"{tell_points(found.value)} points ({tell_points(found.lower)} to {tell_points(found.upper)})"
