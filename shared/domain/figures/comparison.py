"""Two runs on the same questions, paired: is the candidate worse, and could we have seen it?

The gate looks at the mean difference per question together with two pseudo-questions, one better and one
worse, so that a handful of equal answers proves nothing. Standard errors are clustered where questions hang
together (Miller 2024, arXiv 2411.00640). Scores are shares from 0 to 1; a difference below 0 is worse.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.domain.errors import InvalidInput
from shared.domain.figures.distributions import normal_cdf, student_t_cdf, student_t_quantile
from shared.domain.figures.sensitivity import DETECTION_Z, PSEUDO_QUESTIONS, Z_95
from shared.domain.figures.significance import adjust_for_discoveries, sign_test

DEFAULT_MARGIN = 0.03
FALSE_DISCOVERY_RATE = 0.10
HALF = 0.5
ROUNDING = 1e-9  # means of the same scores in another order

Scores: TypeAlias = Mapping[str, float]  # unit of a question -> its mean score
Clusters: TypeAlias = Mapping[str, str | None]  # unit -> cluster; a unit without one stands alone
Array: TypeAlias = NDArray[np.float64]


class GateVerdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Change:
    """One question before and after. `has_flipped`: it crossed one half, from right to wrong or back."""

    model: str
    question: str
    before: float
    after: float

    @property
    def has_flipped(self) -> bool:
        return (self.before >= HALF) != (self.after >= HALF)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate minus baseline over the questions that both have scored.

    `difference` is the plain mean. The interval from `lower` to `upper`, each side of which holds with 95 %,
    lies around `adjusted_difference`, the mean with the pseudo-questions. `clusters` counts independent
    groups. `baseline_only` and `candidate_only` questions have no partner and are not compared.
    `questions_needed` would settle the margin in 8 of 10 cases if nothing changed; with four repeats of each
    the smaller number would, as far as the differences are chance in the answers and do not last.
    `p_worse`: how often chance alone looks this bad. `worse`, `better` begin with the largest change.
    """

    questions: int
    clusters: int
    baseline_only: int
    candidate_only: int
    baseline_accuracy: float
    candidate_accuracy: float
    difference: float
    adjusted_difference: float
    standard_error: float
    lower: float
    upper: float
    margin: float
    verdict: GateVerdict
    minimum_detectable_difference: float
    questions_needed: int
    questions_needed_with_4_repeats: int
    p_worse: float
    worse: tuple[Change, ...]
    better: tuple[Change, ...]

    @property
    def unchanged(self) -> int:
        return self.questions - len(self.worse) - len(self.better)

    @property
    def broke(self) -> tuple[Change, ...]:
        """The questions that flipped to wrong."""
        return tuple(change for change in self.worse if change.has_flipped)

    @property
    def fixed(self) -> tuple[Change, ...]:
        """The questions that flipped to right."""
        return tuple(change for change in self.better if change.has_flipped)


@dataclass(frozen=True, slots=True)
class NotCompared:
    """No question has a score in both runs: nothing is known, which is not the same as no difference."""

    baseline_only: int
    candidate_only: int


@dataclass(frozen=True, slots=True)
class FleetComparison:
    """One comparison per model, and one that pools all of them with the questions as clusters."""

    by_model: Mapping[str, Comparison | NotCompared]
    pooled: Comparison | NotCompared

    @property
    def verdict(self) -> GateVerdict:
        """FAIL if any model fails, else the pooled verdict; no PASS while a model has not been compared."""
        verdicts = [c.verdict for c in self.by_model.values() if isinstance(c, Comparison)]
        if GateVerdict.FAIL in verdicts:
            return GateVerdict.FAIL
        if isinstance(self.pooled, NotCompared):
            return GateVerdict.INCONCLUSIVE
        if self.pooled.verdict is GateVerdict.PASS and len(verdicts) < len(self.by_model):
            return GateVerdict.INCONCLUSIVE
        return self.pooled.verdict


@dataclass(frozen=True, slots=True)
class CategoryComparison:
    """`adjusted_p_worse` allows for the number of categories looked at."""

    category: str
    comparison: Comparison
    adjusted_p_worse: float

    @property
    def is_worse(self) -> bool:
        """Among all that are called worse, one in ten is a false alarm on average."""
        return self.adjusted_p_worse <= FALSE_DISCOVERY_RATE


def compare(
    baseline: Scores,
    candidate: Scores,
    *,
    model: str = "",
    clusters: Clusters | None = None,
    margin: float = DEFAULT_MARGIN,
    repeats: int = 1,
) -> Comparison | NotCompared:
    """Compare one model's two runs. `repeats`: how often each question was asked in a run."""
    pairs = [Change(model, unit, baseline[unit], candidate[unit]) for unit in baseline if unit in candidate]
    alone = NotCompared(len(baseline) - len(pairs), len(candidate) - len(pairs))
    return _compare_pairs(pairs, alone, clusters or {}, margin, repeats)


def compare_models(
    baseline: Mapping[str, Scores],
    candidate: Mapping[str, Scores],
    *,
    clusters: Clusters | None = None,
    margin: float = DEFAULT_MARGIN,
    repeats: int = 1,
) -> FleetComparison:
    """Compare several models' two runs; a model that only one of the runs has is not compared."""
    by_model: dict[str, Comparison | NotCompared] = {}
    pairs: list[Change] = []
    for model in {**baseline, **candidate}:
        before, after = baseline.get(model, {}), candidate.get(model, {})
        pairs += [Change(model, unit, before[unit], after[unit]) for unit in before if unit in after]
        by_model[model] = compare(
            before, after, model=model, clusters=clusters, margin=margin, repeats=repeats
        )
    alone = NotCompared(
        sum(compared.baseline_only for compared in by_model.values()),
        sum(compared.candidate_only for compared in by_model.values()),
    )
    return FleetComparison(by_model, _compare_pairs(pairs, alone, clusters or {}, margin, repeats))


def compare_categories(
    baseline: Scores,
    candidate: Scores,
    categories: Mapping[str, str],
    *,
    clusters: Clusters | None = None,
    margin: float = DEFAULT_MARGIN,
    repeats: int = 1,
) -> tuple[CategoryComparison, ...]:
    """Compare within each category that both runs have scored, in alphabetical order."""
    found: dict[str, Comparison] = {}
    for category in sorted(set(categories.values())):
        before, after = (
            {unit: score for unit, score in scores.items() if categories.get(unit) == category}
            for scores in (baseline, candidate)
        )
        compared = compare(before, after, clusters=clusters, margin=margin, repeats=repeats)
        if isinstance(compared, Comparison):
            found[category] = compared
    adjusted = adjust_for_discoveries([compared.p_worse for compared in found.values()])
    return tuple(
        CategoryComparison(category, compared, float(p))
        for (category, compared), p in zip(found.items(), adjusted, strict=True)
    )


def _compare_pairs(
    pairs: Sequence[Change], alone: NotCompared, clusters: Clusters, margin: float, repeats: int
) -> Comparison | NotCompared:
    if not 0.0 < margin <= 1.0:
        raise InvalidInput("margin", f"{margin} is not above 0 and at most 1.", "Write 0.03 for 3 points.")
    if not pairs:
        return alone
    before = np.array([pair.before for pair in pairs])
    after = np.array([pair.after for pair in pairs])
    d = after - before
    group_sums, standard_error = _standard_error(
        d, [clusters.get(p.question) or (p.question,) for p in pairs]
    )
    size = len(pairs) + PSEUDO_QUESTIONS
    adjusted = float(d.sum()) / size
    half = critical_value(len(pairs), len(group_sums)) * standard_error
    lower, upper = max(adjusted - half, -1.0), min(adjusted + half, 1.0)
    needed = (DETECTION_Z * standard_error / margin) ** 2 * size
    changed = sorted((pair for pair in pairs if abs(pair.after - pair.before) > ROUNDING), key=_largest_first)
    return Comparison(
        questions=len(pairs),
        clusters=len(group_sums),
        baseline_only=alone.baseline_only,
        candidate_only=alone.candidate_only,
        baseline_accuracy=float(before.mean()),
        candidate_accuracy=float(after.mean()),
        difference=float(d.mean()),
        adjusted_difference=adjusted,
        standard_error=standard_error,
        lower=lower,
        upper=upper,
        margin=margin,
        verdict=_judge(lower, upper, margin),
        minimum_detectable_difference=DETECTION_Z * standard_error,
        questions_needed=math.ceil(needed),
        questions_needed_with_4_repeats=math.ceil(needed * min(repeats, 4) / 4),
        p_worse=_chance_of_worse(before, after, group_sums, adjusted / standard_error),
        worse=tuple(pair for pair in changed if pair.after < pair.before),
        better=tuple(pair for pair in changed if pair.after > pair.before),
    )


def _standard_error(d: Array, labels: Sequence[str | tuple[str]]) -> tuple[Array, float]:
    """The sum of d per group; the standard error with pseudo-questions or clustered, the larger of both."""
    size = d.size + PSEUDO_QUESTIONS
    variance = (float(d @ d) + PSEUDO_QUESTIONS) / size - (float(d.sum()) / size) ** 2
    standard_error = math.sqrt(variance / size)
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    group_sums, residual_sums = np.zeros((2, len(numbers)))
    group = [numbers[label] for label in labels]
    np.add.at(group_sums, group, d)
    np.add.at(residual_sums, group, d - d.mean())
    if len(numbers) < d.size:
        standard_error = max(standard_error, math.sqrt(float(residual_sums @ residual_sums)) / d.size)
    return group_sums, standard_error


def critical_value(questions: int, clusters: int) -> float:
    """The normal one; Student's t for clusters, because a few of them tell little about their own spread."""
    if clusters == questions:
        return Z_95
    return student_t_quantile(0.95, clusters - 1) if clusters > 1 else math.inf


def _judge(lower: float, upper: float, margin: float) -> GateVerdict:
    if lower > -margin:
        return GateVerdict.PASS
    return GateVerdict.FAIL if upper < 0.0 else GateVerdict.INCONCLUSIVE


def _chance_of_worse(before: Array, after: Array, group_sums: Array, z: float) -> float:
    """One-sided p: exact for right and wrong answers (a cluster counts once), else like the interval."""
    if np.isin(before, (0.0, 1.0)).all() and np.isin(after, (0.0, 1.0)).all():
        return sign_test(int((group_sums < 0).sum()), int((group_sums > 0).sum()))
    if group_sums.size == before.size:
        return float(normal_cdf(z))
    return student_t_cdf(z, group_sums.size - 1) if group_sums.size > 1 else 1.0


def _largest_first(change: Change) -> tuple[float, str, str]:
    return (-abs(change.after - change.before), change.model, change.question)
