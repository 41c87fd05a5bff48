"""A gate's findings in words, the same in every report."""

from collections.abc import Iterator, Sequence

from services.cli.gate.outcome import GateOutcome
from services.cli.numbers import (
    count,
    many,
    moment,
    points,
    points_interval,
    share,
    usd,
)
from services.cli.server import Json
from shared.domain.figures.gate import Criterion, Deciding, Estimate, Finding, Wish

HEADS = ("criterion", "model", "found", "wanted", "so")
FINDINGS = {
    Finding.PASS: "PASS",
    Finding.FAIL: "REGRESSION",
    Finding.INCONCLUSIVE: "INCONCLUSIVE",
    Finding.NOT_MEASURED: "NOT MEASURED",
}
CELLS = {
    Finding.PASS: "pass",
    Finding.FAIL: "FAIL",
    Finding.INCONCLUSIVE: "open",
    Finding.NOT_MEASURED: "not measured",
}
NAMES = {
    Wish.NOT_WORSE: "change",
    Wish.MEASURED: "answers scored",
    Wish.ACCURATE: "accuracy",
    Wish.CHEAP: "cost, USD",
    Wish.FAST: "latency ratio",
}
ALL_MODELS = "all"


def headline(outcome: GateOutcome) -> str:
    """The finding, and the criteria that it comes from, unless that is the usual one."""
    word = FINDINGS[outcome.finding] if outcome.exit_code != 2 else "NOT RUN"
    guilty = dict.fromkeys(each.wish for each in outcome.criteria if each.finding is outcome.finding)
    if outcome.finding is Finding.PASS or not guilty.keys() - {Wish.NOT_WORSE}:
        return word
    return f"{word} ({', '.join(NAMES[wish].removesuffix(', USD') for wish in guilty)})"


def name_runs(outcome: GateOutcome) -> str:
    candidate, baseline = outcome.candidate, outcome.baseline
    if candidate is None:
        return "No candidate was measured."
    told = f"{candidate['suite']} v{candidate['suite_version']}: candidate {_name_run(candidate)}"
    return told + (f" against baseline {_name_run(baseline)}." if baseline else ", without a baseline.")


def _name_run(run: Json) -> str:
    finished = f" of {moment(run['finished_at'])} UTC" if run["finished_at"] else ""
    return f"{run['id']}{finished}"


def tell_power(comparison: Json) -> str:
    """What this comparison could have seen."""
    pooled = comparison["pooled"]
    drop = 100 * pooled["minimum_detectable_difference"]
    pairs = many(pooled["questions"], "pair")
    return f"{pairs} of answers: a drop of {drop:.1f} points would be seen in 8 of 10 such comparisons."


def tell_deciding(deciding: Deciding) -> str:
    """What would settle an open comparison, and its price."""
    asked = "once" if deciding.repeats == 1 else f"{deciding.repeats} times"
    once = f"{many(deciding.questions, 'question')} like these, each asked {asked}{_cost(deciding.usd)}"
    if deciding.repeats >= 4:
        return f"What would decide it: two runs of {once}."
    again = f"{count(deciding.questions_with_4_repeats)} asked four times{_cost(deciding.usd_with_4_repeats)}"
    return f"What would decide it: two runs of {once}; or of {again}."


def _cost(amount: object) -> str:
    return ", price not known" if amount is None else f", about {usd(str(amount))} USD a run"


def rows(criteria: Sequence[Criterion]) -> Iterator[list[str]]:
    """One row of `HEADS` for each criterion that was asked for; enough answers go without saying."""
    for each in criteria:
        if not (each.wish is Wish.MEASURED and each.finding is Finding.PASS):
            yield [
                NAMES[each.wish],
                each.model or ALL_MODELS,
                _write_found(each.wish, each.found),
                _write_limit(each.wish, each.limit),
                CELLS[each.finding],
            ]


def _write_found(wish: Wish, found: Estimate | None) -> str:
    if found is None:
        return "–"
    match wish:
        case Wish.NOT_WORSE:
            return f"{points(found.value)} ({points_interval(found.lower, found.upper)})"
        case Wish.ACCURATE:
            return f"{share(found.value)} ({100 * found.lower:.1f}–{100 * found.upper:.1f})"
        case Wish.MEASURED:
            return share(found.value)
        case Wish.CHEAP:
            return usd(found.value)
        case Wish.FAST:
            return f"{found.value:.2f} ({found.lower:.2f}–{found.upper:.2f})"


def _write_limit(wish: Wish, limit: float) -> str:
    match wish:
        case Wish.NOT_WORSE:
            return f"above −{100 * limit:.1f} points"
        case Wish.ACCURATE | Wish.MEASURED:
            return f"at least {share(limit)}"
        case Wish.CHEAP:
            return f"at most {usd(limit)}"
        case Wish.FAST:
            return f"at most {limit:.2f}"
