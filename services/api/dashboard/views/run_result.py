"""The four facts of a finished run: its result, how much was measured, what it cost, how long it took."""

from collections.abc import Sequence

from services.api.dashboard import numbers
from services.api.dashboard.views.fleet import Mark
from services.api.dashboard.views.lede import Fact
from shared.db.aggregates import RunAggregate
from shared.db.runs import Run
from shared.domain.runs import RunKind

NAMED = 3  # models without a price


def tell_result(run: Run, models: Sequence[RunAggregate]) -> tuple[Fact, ...]:
    """`models`: on the whole suite, the best first, what was not measured last."""
    planned, scored = sum(one.planned for one in models), sum(one.scored for one in models)
    measured = Fact(
        "Measured",
        numbers.whole_share(scored / planned if planned else None),
        f"{numbers.count(scored)} of {numbers.many(planned, 'pair')}",
    )
    return _tell_score(models), measured, _tell_cost(run, models), _tell_duration(run)


def _tell_score(models: Sequence[RunAggregate]) -> Fact:
    measured = [one for one in models if one.accuracy is not None]
    if not measured:
        return Fact("Mean score", "Not measured", "no answer has a score", Mark.UNMEASURED)
    best, worst = measured[0], measured[-1]
    if len(models) == 1:
        interval = f"{numbers.percent(best.accuracy_lower)} to {numbers.percent(best.accuracy_upper)}"
        told = f"{interval}, 95 % interval, {numbers.many(best.questions, 'question')}"
        return Fact("Mean score", numbers.share(best.accuracy), told)
    span = f"{numbers.percent(worst.accuracy)} to {numbers.share(best.accuracy)}"
    of = (
        f"{len(measured)} of {len(models)} models"
        if len(measured) < len(models)
        else numbers.many(len(models), "model")
    )
    return Fact("Mean score", span, f"lowest to highest of {of}; intervals below")


def _tell_cost(run: Run, models: Sequence[RunAggregate]) -> Fact:
    unpriced = [one.model for one in models if one.answered and one.cost_usd is None]
    spent = f"{numbers.usd(run.spent_usd)}{numbers.HARD_SPACE}USD"
    if unpriced:
        names = ", ".join(unpriced[:NAMED]) + (" …" if len(unpriced) > NAMED else "")
        known = f"at least {spent}" if run.spent_usd else "Not known"
        return Fact("Cost", known, f"no price is known for {names}")
    if run.kind is RunKind.IMPORTED:
        return Fact("Cost", spent, "as imported; nothing was spent here")
    if run.rejudges is not None:
        return Fact("Cost", spent, "for the judge; the answers were paid for before")
    allowed = f"of {numbers.usd(run.max_cost_usd)} allowed" if run.max_cost_usd else "no limit was set"
    return Fact("Cost", spent, allowed)


def _tell_duration(run: Run) -> Fact:
    assert run.finished_at is not None, "a finished run"
    if run.kind is RunKind.IMPORTED:
        return Fact("Took", numbers.NOT_MEASURED, "measured elsewhere")
    took = (run.finished_at - run.created_at).total_seconds()
    return Fact("Took", numbers.lasting(took), f"until {numbers.moment(run.finished_at)} UTC")
