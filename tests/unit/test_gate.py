"""The gate's criteria: PASS and FAIL take evidence, and what was not measured never passes."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shared.domain.figures.comparison import GateVerdict
from shared.domain.figures.gate import (
    Criterion,
    Estimate,
    Finding,
    Wish,
    compare_latencies,
    decide,
    judge_accuracy,
    judge_cost,
    judge_coverage,
    judge_difference,
    judge_latency,
    size_up,
)

NO_CHANGE = Estimate(0.0, -0.01, 0.01)


def criterion(finding: Finding) -> Criterion:
    return Criterion(Wish.ACCURATE, "bright", 0.8, None, finding)


@pytest.mark.parametrize(
    ("findings", "decided"),
    [
        ("pass", "pass"),
        ("pass pass", "pass"),
        ("pass inconclusive", "inconclusive"),
        ("inconclusive not_measured", "not_measured"),
        ("not_measured fail pass", "fail"),
        ("", "not_measured"),
    ],
)
def test_one_failure_fails_the_gate_and_only_passes_pass_it(findings: str, decided: str) -> None:
    assert decide([criterion(Finding(finding)) for finding in findings.split()]) is Finding(decided)


@given(st.lists(st.sampled_from(Finding)))
def test_the_order_of_criteria_does_not_matter(findings: list[Finding]) -> None:
    criteria = [criterion(finding) for finding in findings]
    assert decide(criteria) is decide(criteria[::-1])
    assert (decide(criteria) is Finding.PASS) == (bool(findings) and set(findings) == {Finding.PASS})


@pytest.mark.parametrize("verdict", GateVerdict)
def test_the_comparison_decides_unless_a_model_is_missing(verdict: GateVerdict) -> None:
    assert judge_difference(verdict, NO_CHANGE, 0.03).finding is Finding(verdict)
    missing = judge_difference(verdict, NO_CHANGE, 0.03, not_compared=["new"]).finding
    assert missing is (Finding.NOT_MEASURED if verdict is GateVerdict.PASS else Finding(verdict))


@pytest.mark.parametrize(
    ("lower", "upper", "finding"),
    [
        (0.80, 0.90, Finding.PASS),
        (0.79, 0.90, Finding.INCONCLUSIVE),
        (0.70, 0.80, Finding.INCONCLUSIVE),
        (0.70, 0.79, Finding.FAIL),
    ],
)
def test_accuracy_is_judged_by_its_interval(lower: float, upper: float, finding: Finding) -> None:
    estimate = Estimate((lower + upper) / 2, lower, upper)
    assert judge_accuracy("bright", estimate, 0.8).finding is finding


def test_an_accuracy_that_is_not_known_is_not_measured() -> None:
    assert judge_accuracy("bright", None, 0.8).finding is Finding.NOT_MEASURED


@pytest.mark.parametrize(
    ("costs", "finding"),
    [
        (["0.5", "0.5"], Finding.PASS),
        (["0.5", "0.51"], Finding.FAIL),
        (["0.5", None], Finding.NOT_MEASURED),
        (["1.5", None], Finding.FAIL),
        ([], Finding.NOT_MEASURED),
    ],
)
def test_an_unknown_price_never_passes_as_cheap(costs: list[str | None], finding: Finding) -> None:
    known = [None if cost is None else Decimal(cost) for cost in costs]
    assert judge_cost(known, 1.0).finding is finding


@pytest.mark.parametrize(
    ("scored", "planned", "finding"),
    [(80, 100, Finding.PASS), (79, 100, Finding.NOT_MEASURED), (0, 0, Finding.NOT_MEASURED)],
)
def test_a_fifth_may_be_missing_and_not_more(scored: int, planned: int, finding: Finding) -> None:
    assert judge_coverage("bright", scored, planned).finding is finding


def seconds(values: list[float]) -> dict[str, float]:
    return {str(number): value for number, value in enumerate(values)}


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=40), st.floats(0.1, 10))
def test_the_same_factor_everywhere_is_found_exactly(before: list[float], factor: float) -> None:
    ratio = compare_latencies(seconds(before), seconds([factor * value for value in before]))
    assert ratio is not None
    assert ratio.value == pytest.approx(factor)
    assert (ratio.lower, ratio.upper) == (pytest.approx(factor), pytest.approx(factor))


def test_the_ratio_is_a_trimmed_mean_as_scipy_has_it() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.lognormal(0, 1, 60), rng.lognormal(0.2, 1, 60)
    logs = np.log(after / before)
    ratio = compare_latencies(seconds(list(before)), seconds(list(after)))
    assert ratio is not None
    assert math.log(ratio.value) == pytest.approx(stats.trim_mean(logs, 0.1))
    winsorized = np.asarray(stats.mstats.winsorize(logs, (0.1, 0.1)))
    half = stats.t.ppf(0.95, 47) * winsorized.std(ddof=1) / (0.8 * math.sqrt(60))
    assert math.log(ratio.upper / ratio.value) == pytest.approx(half)


def test_one_answer_that_hung_does_not_make_a_model_slow() -> None:
    before, after = [1.0] * 50, [1.0] * 49 + [600.0]
    assert judge_latency("bright", seconds(before), seconds(after), 1.5).finding is Finding.PASS


def test_latency_is_judged_by_its_interval() -> None:
    before = seconds([1.0] * 40)
    slow, near = seconds([2.0, 2.1] * 20), seconds([1.1, 2.0] * 20)
    assert judge_latency("bright", before, slow, 1.5).finding is Finding.FAIL
    assert judge_latency("bright", before, near, 1.5).finding is Finding.INCONCLUSIVE
    assert judge_latency("bright", before, {"1": 1.0}, 1.5).finding is Finding.NOT_MEASURED


def test_the_interval_of_the_ratio_holds_what_it_says() -> None:
    rng = np.random.default_rng(2)
    outside = 0
    for _ in range(1000):
        before, after = rng.lognormal(0, 0.5, (2, 50))
        ratio = compare_latencies(seconds(list(before)), seconds(list(after)))
        assert ratio is not None
        outside += ratio.lower > 1.0
    assert outside <= 70  # of 50 expected, standard deviation 6.9


def test_what_decides_is_counted_in_questions_and_priced_for_all_models() -> None:
    deciding = size_up(301, 76, models=3, repeats=2, usd_per_answer=Decimal("0.01"))
    assert (deciding.questions, deciding.questions_with_4_repeats) == (101, 26)
    assert (deciding.usd, deciding.usd_with_4_repeats) == (Decimal("6.06"), Decimal("3.12"))
    assert size_up(301, 76, models=3, repeats=2, usd_per_answer=None).usd is None
