"""The paired gate: known answers, statsmodels, error rates by simulation, and what a page reads from it."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shared.domain.errors import InvalidInput
from shared.domain.figures.comparison import (
    Comparison,
    GateVerdict,
    NotCompared,
    compare,
    compare_categories,
    compare_models,
)

Scores = dict[str, float]


def runs(n: int, broke: int, fixed: int) -> tuple[Scores, Scores]:
    """Two runs of n right-or-wrong questions of which so many flipped."""
    before = {f"q{i}": 0.0 if broke <= i < broke + fixed else 1.0 for i in range(n)}
    after = before | {f"q{i}": 0.0 if i < broke else 1.0 for i in range(broke + fixed)}
    return before, after


def compared(before: Scores, after: Scores, **options: object) -> Comparison:
    result = compare(before, after, **options)  # type: ignore[arg-type]
    assert isinstance(result, Comparison)
    return result


@pytest.mark.parametrize(
    ("n", "broke", "fixed", "mean", "adjusted", "se", "lower", "upper", "verdict", "mde", "needed"),
    [
        (200, 12, 10, -0.01, -0.009900990099009901, 0.024242366521653548, -0.04977613459803869,
         0.029974154400018882, "inconclusive", 0.06027803491570956, 816),
        (200, 30, 8, -0.11, -0.10891089108910891, 0.03035745946974645, -0.1588444684029537,
         -0.05897731377526415, "fail", 0.07548305980091251, 1279),
        (500, 5, 6, 0.002, 0.00199203187250996, 0.00718182274853198, -0.009821015323535458,
         0.013805079068555378, "pass", 0.01785742171696692, 178),
        (50, 0, 0, 0.0, 0.0, 0.027196414661021063, -0.04473412129525669,
         0.04473412129525669, "inconclusive", 0.06762320135102572, 265),
        (1000, 20, 22, 0.002, 0.001996007984031936, 0.006619709245868025, -0.00889244477839828,
         0.012884460746462153, "pass", 0.016459740623831688, 302),
    ],
)  # fmt: skip
def test_gate_known_answers(
    n: int, broke: int, fixed: int, mean: float, adjusted: float, se: float,
    lower: float, upper: float, verdict: str, mde: float, needed: int,
) -> None:  # fmt: skip
    gate = compared(*runs(n, broke, fixed))
    assert gate.questions == gate.clusters == n
    assert gate.difference == pytest.approx(mean)
    assert gate.adjusted_difference == pytest.approx(adjusted)
    assert gate.standard_error == pytest.approx(se, rel=1e-12)
    assert gate.lower == pytest.approx(lower, rel=1e-12)
    assert gate.upper == pytest.approx(upper, rel=1e-12)
    assert gate.verdict == verdict
    assert gate.minimum_detectable_difference == pytest.approx(mde, rel=1e-12)
    assert gate.questions_needed == needed
    assert gate.questions_needed_with_4_repeats == pytest.approx(needed / 4, abs=1)
    assert (len(gate.broke), len(gate.fixed), gate.unchanged) == (broke, fixed, n - broke - fixed)


def test_clustered_standard_error_known_answer_and_statsmodels() -> None:
    d = [-1.0, -1, 0, 0, 0, 1, 0, 0, -1, -1, -1, 0]
    g = [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4]
    before = {f"q{i}": 0.0 if step == 1 else 1.0 for i, step in enumerate(d)}
    after = {unit: before[unit] + step for unit, step in zip(before, d, strict=True)}
    gate = compared(before, after, clusters={f"q{i}": f"c{group}" for i, group in enumerate(g)})
    assert gate.standard_error == pytest.approx(0.25760051376376963, rel=1e-12)
    assert gate.clusters == 5
    t_value = stats.t.ppf(0.95, 4)
    assert gate.upper == pytest.approx(gate.adjusted_difference + t_value * gate.standard_error)
    fit = sm.OLS(np.array(d), np.ones(12)).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(g), "use_correction": False}
    )
    assert gate.standard_error == pytest.approx(fit.bse[0], rel=1e-12)


def test_clusters_never_make_the_interval_narrower() -> None:
    before, after = runs(40, 10, 10)
    cancelling = {f"q{i}": f"c{i % 10}" for i in range(40)}
    assert (
        compared(before, after, clusters=cancelling).standard_error == compared(before, after).standard_error
    )


def test_few_clusters_need_more_evidence() -> None:
    before, after = runs(60, 20, 0)
    assert compared(before, after).verdict is GateVerdict.FAIL
    three = compared(before, after, clusters={f"q{i}": f"c{i // 20}" for i in range(60)})
    assert three.verdict is GateVerdict.INCONCLUSIVE
    one = compared(before, after, clusters=dict.fromkeys(before, "all"))
    assert (one.lower, one.upper, one.verdict) == (-1.0, 1.0, GateVerdict.INCONCLUSIVE)
    half_right = {unit: score / 2 for unit, score in after.items()}
    assert compared(before, half_right, clusters=dict.fromkeys(before, "all")).p_worse == 1.0
    assert compared(before, half_right).p_worse < 1e-6
    graded = compared(before, half_right, clusters={f"q{i}": f"c{i // 20}" for i in range(60)})
    t_value = graded.adjusted_difference / graded.standard_error
    assert graded.p_worse == pytest.approx(stats.t.cdf(t_value, 2))


def test_ten_equal_answers_prove_nothing() -> None:
    quick = compared(*runs(10, 0, 0))
    assert quick.verdict is GateVerdict.INCONCLUSIVE
    assert compared(*runs(10, 0, 0), margin=0.10).verdict is GateVerdict.INCONCLUSIVE
    assert compared(*runs(30, 0, 0), margin=0.10).verdict is GateVerdict.PASS


def test_direction_a_drop_fails_and_a_gain_passes() -> None:
    dropped, gained = compared(*runs(200, 30, 0)), compared(*runs(200, 0, 30))
    assert (dropped.verdict, gained.verdict) == (GateVerdict.FAIL, GateVerdict.PASS)
    assert dropped.difference == -gained.difference < 0
    assert dropped.p_worse < 1e-8
    assert gained.p_worse == 1.0


def test_a_small_certain_loss_within_the_margin_passes() -> None:
    gate = compared(*runs(5000, 50, 0))
    assert gate.upper < 0
    assert gate.verdict is GateVerdict.PASS


def test_only_questions_of_both_runs_are_compared() -> None:
    gate = compared({"a": 1.0, "b": 1.0, "c": 0.0}, {"b": 0.4, "c": 0.0, "x": 1.0, "y": 1.0})
    assert (gate.questions, gate.baseline_only, gate.candidate_only) == (2, 1, 2)
    assert (gate.baseline_accuracy, gate.candidate_accuracy) == (0.5, 0.2)
    assert compare({"a": 1.0}, {"x": 1.0, "y": 0.0}) == NotCompared(1, 2)


def test_changes_are_listed_by_size_and_flips_cross_one_half() -> None:
    before = {"a": 1.0, "b": 0.9, "c": 0.2, "d": 0.1 + 0.2, "e": 0.7}
    after = {"a": 0.8, "b": 0.1, "c": 0.9, "d": 0.3, "e": 0.7}
    gate = compared(before, after)
    assert [change.question for change in gate.worse] == ["b", "a"]
    assert [change.question for change in gate.broke] == ["b"]
    assert [change.question for change in gate.fixed] == ["c"]
    assert gate.unchanged == 2


def test_more_repeats_are_no_promise_when_they_were_taken_already() -> None:
    before, after = runs(200, 12, 10)
    assert compared(before, after, repeats=2).questions_needed_with_4_repeats == math.ceil(815.5 / 2)
    assert compared(before, after, repeats=5).questions_needed_with_4_repeats == 816


@pytest.mark.parametrize("margin", [0.0, -0.1, 3.0, math.nan])
def test_a_margin_that_is_no_share_is_refused(margin: float) -> None:
    with pytest.raises(InvalidInput, match="margin"):
        compare({"a": 1.0}, {"a": 1.0}, margin=margin)


def test_one_failing_model_fails_the_fleet() -> None:
    steady, dropped = runs(2000, 0, 0), runs(2000, 100, 0)
    before = {"steady": steady[0], "dropped": dropped[0], "third": steady[0]}
    after = {"steady": steady[1], "dropped": dropped[1], "third": steady[1]}
    fleet = compare_models(before, after)
    assert isinstance(fleet.pooled, Comparison)
    assert fleet.pooled.verdict is GateVerdict.PASS
    assert fleet.pooled.questions == 6000
    assert fleet.pooled.clusters == 2000
    assert {change.model for change in fleet.pooled.worse} == {"dropped"}
    assert fleet.verdict is GateVerdict.FAIL


def test_models_pool_their_evidence() -> None:
    before, after = runs(60, 0, 0)
    fleet = compare_models(dict.fromkeys("abc", before), dict.fromkeys("abc", after))
    singles = [c.verdict for c in fleet.by_model.values() if isinstance(c, Comparison)]
    assert singles == [GateVerdict.INCONCLUSIVE] * 3
    assert fleet.verdict is GateVerdict.PASS


def test_models_that_flip_together_count_as_one() -> None:
    """The same questions broke for all: three models tell hardly more than one."""
    before, after = runs(200, 20, 20)
    one = compared(before, after)
    fleet = compare_models(dict.fromkeys("abc", before), dict.fromkeys("abc", after))
    assert isinstance(fleet.pooled, Comparison)
    assert fleet.pooled.standard_error == pytest.approx(one.standard_error, rel=0.05)


def test_a_model_without_scores_keeps_the_fleet_from_passing() -> None:
    before, after = runs(1000, 0, 0)
    fleet = compare_models({"a": before, "gone": before}, {"a": after})
    assert fleet.by_model["gone"] == NotCompared(1000, 0)
    assert fleet.verdict is GateVerdict.INCONCLUSIVE
    assert compare_models({"a": before}, {"b": after}).verdict is GateVerdict.INCONCLUSIVE


def test_categories_are_flagged_with_their_number_allowed_for() -> None:
    before = {f"{c}{i}": 1.0 for c in "abcdefg" for i in range(30)}
    after = before | {f"a{i}": 0.0 for i in range(12)} | {"b0": 0.0, "b1": 0.0, "b2": 0.0}
    categories = {unit: unit[0] for unit in before} | {"elsewhere": "z"}
    found = {c.category: c for c in compare_categories(before, after, categories)}
    assert list(found) == list("abcdefg")
    assert [name for name, c in found.items() if c.is_worse] == ["a"]
    assert found["b"].comparison.p_worse == pytest.approx(0.125)
    assert found["b"].adjusted_p_worse == pytest.approx(0.4375)


def test_graded_scores_are_judged_by_their_size() -> None:
    """Many small gains and a few large losses are no improvement."""
    before = {f"q{i}": 0.95 for i in range(200)}
    after = {f"q{i}": 0.0 if i < 40 else 1.0 for i in range(200)}
    assert compared(before, after).p_worse < 0.001


scores = st.dictionaries(st.sampled_from([f"q{i}" for i in range(30)]), st.floats(0, 1), min_size=1)


@given(scores, scores)
def test_a_comparison_is_consistent_and_mirrors(before: Scores, after: Scores) -> None:
    forth, back = compare(before, after), compare(after, before)
    if isinstance(forth, NotCompared):
        assert not before.keys() & after.keys()
        return
    assert isinstance(back, Comparison)
    assert forth.lower < forth.adjusted_difference < forth.upper
    assert forth.adjusted_difference == pytest.approx(-back.adjusted_difference)
    assert forth.standard_error == pytest.approx(back.standard_error)
    assert [c.question for c in forth.worse] == [c.question for c in back.better]
    assert 0.0 <= forth.p_worse <= 1.0
    assert forth.questions + forth.baseline_only == len(before)


@pytest.mark.parametrize(("drop", "wrong"), [(0.0, GateVerdict.FAIL), (0.03, GateVerdict.PASS)])
def test_wrong_verdicts_are_as_rare_as_promised(drop: float, wrong: GateVerdict) -> None:
    """At most 5.5 % false FAIL without a change and false PASS at the margin, beside the test's noise."""
    rng = np.random.default_rng(7)
    wrong_ones, trials = 0, 1200
    for _ in range(trials):
        p = rng.beta(1.2, 0.3, 200)
        lowered = p - drop * p / p.mean()
        before = dict(zip(map(str, range(200)), (rng.random(200) < p).astype(float), strict=True))
        after = dict(zip(map(str, range(200)), (rng.random(200) < lowered).astype(float), strict=True))
        wrong_ones += compared(before, after).verdict is wrong
    assert wrong_ones / trials <= 0.055 + 2 * math.sqrt(0.055 * 0.945 / trials)
