"""Accuracy and its interval, latency: against statsmodels and scipy, and at the edges."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from shared.domain.figures.aggregation import (
    ALL_CATEGORIES,
    Accuracy,
    IntervalMethod,
    Latency,
    QuestionScore,
    ScoreDistribution,
    aggregate,
    distribute_scores,
    measure_accuracy,
    summarize_latency,
)


def measured(scores: Sequence[float], clusters: Sequence[str | None] | None = None) -> Accuracy:
    accuracy = measure_accuracy(scores, clusters)
    assert accuracy is not None
    return accuracy


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (42, 50), (1, 3), (183, 200)])
def test_right_or_wrong_scores_have_a_wilson_interval(right: int, n: int) -> None:
    accuracy = measured([1.0] * right + [0.0] * (n - right))
    lower, upper = proportion_confint(right, n, method="wilson")
    assert (accuracy.value, accuracy.n, accuracy.method) == (right / n, n, IntervalMethod.WILSON)
    assert accuracy.lower == pytest.approx(lower, abs=1e-12)
    assert accuracy.upper == pytest.approx(upper, abs=1e-12)


def test_graded_scores_have_a_t_interval() -> None:
    scores = [0.2, 0.5, 0.9, 0.4, 0.6]
    accuracy = measured(scores)
    lower, upper = stats.t.interval(0.95, 4, np.mean(scores), stats.sem(scores))
    assert accuracy.method is IntervalMethod.STUDENT_T
    assert (accuracy.lower, accuracy.upper) == pytest.approx((lower, upper))


@pytest.mark.parametrize("binary", [True, False])
def test_clusters_widen_the_interval_as_statsmodels_does(binary: bool) -> None:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(12), 5)
    scores = np.clip(0.6 + 0.3 * rng.normal(size=12)[group] + 0.1 * rng.normal(size=60), 0, 1)
    if binary:
        scores = (scores > 0.5).astype(float)
    accuracy = measured(scores.tolist(), [f"c{g}" for g in group])
    fit = sm.OLS(scores, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": group}, use_t=True)
    assert accuracy.method is IntervalMethod.CLUSTERED_T
    assert [accuracy.lower, accuracy.upper] == pytest.approx(list(np.clip(fit.conf_int()[0], 0, 1)))
    plain = measured(scores.tolist())
    assert accuracy.upper - accuracy.lower > plain.upper - plain.lower


def test_clusters_that_cancel_do_not_feign_certainty() -> None:
    scores, clusters = [1.0, 0.0] * 20, [f"c{i // 2}" for i in range(40)]
    accuracy = measured(scores, clusters)
    assert accuracy.upper - accuracy.lower > 0.3


def test_questions_without_a_cluster_stand_alone() -> None:
    scores = [1.0, 0.0, 1.0, 1.0]
    assert measured(scores, [None, None, None, None]) == measured(scores) == measured(scores, list("abcd"))
    mixed, named = [None] * 10 + ["a", "a"], [*"bcdefghijk", "a", "a"]
    assert measured(scores * 3, mixed) == measured(scores * 3, named)


def test_equal_scores_are_no_certainty() -> None:
    assert measured([0.5] * 10).lower == pytest.approx(0.2366, abs=1e-4)
    assert measured([1.0] * 10).lower == pytest.approx(0.7225, abs=1e-4)
    in_two_clusters = measured([1.0] * 10, ["a", "b"] * 5)
    assert in_two_clusters.lower == measured([1.0] * 2).lower
    assert measured([1.0, 0.0, 1.0], ["a", "a", "a"]).method is IntervalMethod.WILSON


def test_nothing_scored_is_not_measured() -> None:
    assert measure_accuracy([]) is None
    assert summarize_latency([]) is None


@pytest.mark.parametrize("score", [1.1, -0.1, float("nan")])
def test_scores_outside_the_scale_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        measure_accuracy([0.5, score])


rows_of_scores = st.lists(
    st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 1.0]), st.none() | st.sampled_from("abc")),
    min_size=1,
    max_size=30,
)


@given(rows_of_scores)
def test_an_interval_holds_its_value_and_has_a_width(rows: list[tuple[float, str | None]]) -> None:
    accuracy = measured([score for score, _ in rows], [cluster for _, cluster in rows])
    assert 0.0 <= accuracy.lower <= accuracy.value <= accuracy.upper <= 1.0
    assert accuracy.lower < accuracy.upper
    assert accuracy.n == len(rows)


def test_latency_is_interpolated_between_neighbours() -> None:
    assert summarize_latency([1.0, 2.0, 3.0, 5.0, 4.0]) == Latency(3.0, 3.0, 4.8, 5)
    assert summarize_latency([7.0]) == Latency(7.0, 7.0, 7.0, 1)


def test_distribution_tells_partial_from_failed_and_unscored() -> None:
    assert distribute_scores([1.0, 0.0, 0.5, 1.0, 0.01], unscored=3) == ScoreDistribution(2, 2, 1, 3)


def test_every_model_is_aggregated_as_a_whole_and_by_category() -> None:
    rows = [
        QuestionScore("m2", "math", 1.0),
        QuestionScore("m1", "math", 1.0),
        QuestionScore("m1", "math", 0.5, repeats=2),
        QuestionScore("m1", "zoo", None, repeats=0),
        QuestionScore("m1", "coding", 0.0),
    ]
    found = aggregate(rows)
    assert [(a.model, a.category) for a in found] == [
        ("m1", ALL_CATEGORIES), ("m1", "coding"), ("m1", "math"), ("m1", "zoo"),
        ("m2", ALL_CATEGORIES), ("m2", "math"),
    ]  # fmt: skip
    whole, zoo = found[0], found[3]
    assert whole.accuracy is not None
    assert (whole.accuracy.value, whole.accuracy.n) == (0.5, 3)
    assert whole.distribution == ScoreDistribution(1, 1, 1, 1)
    assert whole.minimum_detectable_difference is not None
    assert (zoo.accuracy, zoo.minimum_detectable_difference) == (None, None)
    assert zoo.distribution == ScoreDistribution(0, 0, 0, 1)


def test_a_hundred_thousand_scores_are_aggregated_within_a_second() -> None:
    rows = [QuestionScore(f"m{i % 10}", f"c{i % 7}", (i % 21) / 20, 1, f"g{i // 50}") for i in range(100_000)]
    started = time.process_time()
    assert len(aggregate(rows)) == 80
    assert time.process_time() - started < 1.0
