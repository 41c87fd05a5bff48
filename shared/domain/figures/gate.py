"""The CI gate: what a candidate is asked to be, and whether it was found to be so.

Every criterion has a finding of its own, and PASS and FAIL both take evidence: an interval that leaves the
limit inside is INCONCLUSIVE. What was not measured never passes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np

from shared.domain.drift.detect import LEAST_COVERAGE
from shared.domain.figures.comparison import GateVerdict
from shared.domain.figures.distributions import student_t_quantile

TRIMMED_SHARE = 0.10


class Finding(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not_measured"


class Wish(StrEnum):
    """What a candidate can be asked to be."""

    NOT_WORSE = "not_worse"
    MEASURED = "measured"
    ACCURATE = "min_accuracy"
    CHEAP = "max_cost_usd"
    FAST = "max_latency_ratio"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was found, and the interval around it; both ends are the value where nothing is left to chance."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Criterion:
    """One wish with its limit, in the unit of the wish, and what became of it; no model: all together."""

    wish: Wish
    model: str | None
    limit: float
    found: Estimate | None
    finding: Finding


@dataclass(frozen=True, slots=True)
class Deciding:
    """Runs of a size that would settle the margin in 8 of 10 cases if nothing changed.

    Questions are counted once, however many models are asked, each `repeats` times as in this comparison, or
    four times. `usd`: of one such run; None: not known.
    """

    repeats: int
    questions: int
    questions_with_4_repeats: int
    usd: Decimal | None
    usd_with_4_repeats: Decimal | None


def decide(criteria: Iterable[Criterion]) -> Finding:
    """The gate's own finding: FAIL if any criterion fails, and PASS only if all of them pass."""
    findings = {criterion.finding for criterion in criteria}
    for worst in (Finding.FAIL, Finding.NOT_MEASURED, Finding.INCONCLUSIVE):
        if worst in findings:
            return worst
    return Finding.PASS if findings else Finding.NOT_MEASURED


def judge_difference(
    verdict: GateVerdict, difference: Estimate, margin: float, *, not_compared: Sequence[str] = ()
) -> Criterion:
    """Is the candidate not worse by the margin? A model that could not be compared has not passed."""
    finding = Finding(verdict)
    if finding is Finding.PASS and not_compared:
        finding = Finding.NOT_MEASURED
    return Criterion(Wish.NOT_WORSE, None, margin, difference, finding)


def judge_coverage(model: str, scored: int, planned: int) -> Criterion:
    """Were enough of a model's answers scored to speak for all of them?"""
    coverage = scored / planned if planned else 0.0
    finding = Finding.PASS if coverage >= LEAST_COVERAGE else Finding.NOT_MEASURED
    return Criterion(Wish.MEASURED, model, LEAST_COVERAGE, Estimate(coverage, coverage, coverage), finding)


def judge_accuracy(model: str, accuracy: Estimate | None, minimum: float) -> Criterion:
    """Is a model's accuracy at least `minimum`? The interval's ends decide."""
    match accuracy:
        case None:
            finding = Finding.NOT_MEASURED
        case Estimate(lower=lower) if lower >= minimum:
            finding = Finding.PASS
        case Estimate(upper=upper) if upper < minimum:
            finding = Finding.FAIL
        case _:
            finding = Finding.INCONCLUSIVE
    return Criterion(Wish.ACCURATE, model, minimum, accuracy, finding)


def judge_cost(costs_usd: Sequence[Decimal | None], maximum_usd: float) -> Criterion:
    """Did the candidate cost at most `maximum_usd`? One unknown part leaves at most a FAIL to be found."""
    known = float(sum(cost for cost in costs_usd if cost is not None))
    if known > maximum_usd:
        finding = Finding.FAIL
    elif None in costs_usd or not costs_usd:
        return Criterion(Wish.CHEAP, None, maximum_usd, None, Finding.NOT_MEASURED)
    else:
        finding = Finding.PASS
    return Criterion(Wish.CHEAP, None, maximum_usd, Estimate(known, known, known), finding)


def judge_latency(
    model: str, before_seconds: Mapping[str, float], after_seconds: Mapping[str, float], maximum: float
) -> Criterion:
    """Does a model take at most `maximum` times as long as before, question by question?"""
    ratio = compare_latencies(before_seconds, after_seconds)
    match ratio:
        case None:
            finding = Finding.NOT_MEASURED
        case Estimate(upper=upper) if upper <= maximum:
            finding = Finding.PASS
        case Estimate(lower=lower) if lower > maximum:
            finding = Finding.FAIL
        case _:
            finding = Finding.INCONCLUSIVE
    return Criterion(Wish.FAST, model, maximum, ratio, finding)


def compare_latencies(
    before_seconds: Mapping[str, float], after_seconds: Mapping[str, float]
) -> Estimate | None:
    """How many times as long the same questions take now; None with fewer than two.

    The 10 % trimmed mean of the logarithms' differences, because latencies have heavy tails; each end of the
    interval holds with 95 % (J. W. Tukey, D. H. McLaughlin, Sankhya A 25 (1963) 331-352).
    """
    shared = [name for name in before_seconds if name in after_seconds]
    logs = np.sort(
        [
            math.log(after_seconds[name] / before_seconds[name])
            for name in shared
            if before_seconds[name] > 0 and after_seconds[name] > 0
        ]
    )
    size, cut = logs.size, int(TRIMMED_SHARE * logs.size)
    if size < 2:
        return None
    mean = float(logs[cut : size - cut].mean())
    winsorized = np.clip(logs, logs[cut], logs[size - cut - 1])
    kept = size - 2 * cut
    standard_error = float(winsorized.std(ddof=1)) * math.sqrt(size) / kept
    half = student_t_quantile(0.95, kept - 1) * standard_error
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def size_up(
    pairs: int, pairs_with_4_repeats: int, *, models: int, repeats: int, usd_per_answer: Decimal | None
) -> Deciding:
    """What it takes to decide, from the (model, question) pairs that a comparison needs."""
    once, four_times = math.ceil(pairs / models), math.ceil(pairs_with_4_repeats / models)
    if usd_per_answer is None:
        return Deciding(repeats, once, four_times, None, None)
    usd_per_question = usd_per_answer * models
    return Deciding(
        repeats, once, four_times, usd_per_question * repeats * once, usd_per_question * 4 * four_times
    )
