"""The size of a change, its error and its severity; when it began."""

import numpy as np
import pytest

from shared.domain.drift.dating import Severity, Shift, date_change, measure_shift
from shared.domain.drift.evidence import Evidence
from shared.domain.drift.nightly import MISSING

KNOWN_SCORES = [0, 0.3, -0.8, 0.5, -0.2, 1.1, -0.4, 0.1, 2.4, 3.1, 2.2]
SOFT_SCORES = [0, 0.3, -0.8, 0.5, -0.2, -0.1, -0.4, 0.5, 1.4, 1.1, 1.2]


def test_the_shift_is_paired_by_unit_with_a_pooled_variance() -> None:
    scores = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 1, 0]])
    shift = measure_shift(scores, first_changed=3, levels=1)
    assert shift is not None
    before, after = scores[:3], scores[3:]
    squares = ((before - before.mean(axis=0)) ** 2).sum(axis=0) + ((after - after.mean(axis=0)) ** 2).sum(
        axis=0
    )
    expected = np.sqrt((squares / (5 - 2)).sum() * (1 / 3 + 1 / 2)) / 3
    assert shift.value == pytest.approx(after.mean() - before.mean())
    assert shift.standard_error == pytest.approx(expected)
    assert shift.units == 3
    noisy = measure_shift(scores, first_changed=3, levels=1, overdispersion=4.0)
    assert noisy is not None
    assert noisy.standard_error == pytest.approx(2 * expected)


def test_units_without_a_score_on_both_sides_are_not_compared() -> None:
    gone, new = MISSING, MISSING
    scores = np.array([[1, 20, new], [20, 20, new], [0, gone, 20], [5, gone, 20]])
    shift = measure_shift(scores, first_changed=2, levels=20)
    alone = measure_shift(scores[:, :1], first_changed=2, levels=20)
    assert shift == alone
    assert measure_shift(scores[:, 1:], first_changed=2, levels=20) is None


def test_a_clusters_shift_is_told_per_question() -> None:
    scores = np.array([[3, 1], [3, 0], [1, 1], [0, 0]])
    whole = measure_shift(scores, first_changed=2, levels=1)
    per_question = measure_shift(scores, first_changed=2, levels=1, questions_in=np.array([3, 1]))
    assert whole is not None
    assert per_question is not None
    assert (per_question.value, per_question.units) == (-2.5 / 4, 2)
    assert per_question.z == pytest.approx(whole.z)


def test_one_night_on_each_side_still_has_an_error() -> None:
    shift = measure_shift(np.array([[1, 1, 0, 1], [0, 1, 0, 1]]), first_changed=1, levels=1)
    assert shift is not None
    assert shift.value == -0.25
    assert shift.standard_error == 0.25


@pytest.mark.parametrize(
    ("value", "severity"),
    [(-0.10, Severity.CRITICAL), (-0.0999, Severity.MAJOR), (-0.05, Severity.MAJOR), (0.03, Severity.MINOR),
     (-0.02, Severity.MINOR), (-0.019, Severity.SMALL)],
)  # fmt: skip
def test_severity_follows_the_size(value: float, severity: Severity) -> None:
    assert Shift(value, 0.01, 200).severity is severity


def test_interval_and_z() -> None:
    assert Shift(-0.1, 0.05, 9).interval == pytest.approx((-0.1979981992, -0.0020018008))
    assert Shift(-0.1, 0.05, 9).z == -2
    assert (Shift(0.0, 0.0, 9).z, Shift(-0.5, 0.0, 9).z) == (0.0, -np.inf)


def test_the_known_change_is_dated_with_those_nearly_as_likely() -> None:
    evidence = Evidence.none(3)
    for known, soft in zip(KNOWN_SCORES, SOFT_SCORES, strict=True):
        score = np.array([known, soft, 0.0])
        evidence = evidence.after(score, score, np.array([True, True, False]))
    dates = date_change(evidence)
    assert (dates.earliest[0], dates.best[0], dates.latest[0]) == (9, 9, 9)
    log_ratio = evidence.log_ratios[1].max(axis=0)
    likely = evidence.candidates[1][log_ratio >= log_ratio.max() - 2]
    assert (dates.earliest[1], dates.latest[1]) == (likely.min(), likely.max())
    assert dates.earliest[1] < dates.best[1] == 9 < dates.latest[1]
    assert (dates.earliest[2], dates.best[2], dates.latest[2]) == (0, 0, 0)
    told = date_change(evidence.forget(np.array([True, False, False])))
    assert (told.best[0], told.best[1]) == (0, 9)
