"""The judge's agreement with people is what the literature says it is, and is never made up."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from shared.domain.answers.agreement import Kappa, Rated, measure_agreement, measure_kappa

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "openqa_judges_even.jsonl.gz"
counts = st.integers(0, 60)


def read_rated(judge: str) -> list[Rated]:
    """What a recorded judge and people said of the same answers, where both said something."""
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED.name} is not beside the repository")
    with gzip.open(RECORDED, "rt") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [
        Rated(float(row["judges"][judge]["label"]), float(row["human_label"]))
        for row in rows
        if row["judges"][judge]["label"] is not None and row["human_label"] is not None
    ]


def test_kappa_of_a_known_table() -> None:
    """20, 5, 10 and 15 of 50 answers: kappa is .4 (observed .7, by chance .5)."""
    kappa = measure_kappa(20, 5, 10, 15)
    assert kappa is not None
    assert kappa.value == pytest.approx(0.4)
    assert (kappa.lower, kappa.upper) == pytest.approx((0.1511, 0.6489), abs=5e-4)


@given(counts, counts, counts, counts)
def test_kappa_and_its_interval_are_those_of_statsmodels(a: int, b: int, c: int, d: int) -> None:
    kappa = measure_kappa(a, b, c, d)
    if kappa is None or 0 in (a + b, c + d, a + c, b + d) or a + d == 0 or b + c == 0:
        return  # there statsmodels divides by an error of 0
    theirs = cohens_kappa([[a, b], [c, d]])
    assert kappa.value == pytest.approx(theirs.kappa)
    if theirs.var_kappa > 1e-12:
        assert kappa.lower == pytest.approx(max(-1.0, theirs.kappa_low), abs=1e-6)
        assert kappa.upper == pytest.approx(min(1.0, theirs.kappa_upp), abs=1e-6)


@given(counts, counts, counts, counts)
def test_kappa_lies_in_its_interval_and_does_not_care_who_is_first(a: int, b: int, c: int, d: int) -> None:
    kappa, mirrored = measure_kappa(a, b, c, d), measure_kappa(a, c, b, d)
    if kappa is None or mirrored is None:
        assert kappa is mirrored
        return
    assert -1 <= kappa.lower <= kappa.value <= kappa.upper <= 1
    assert (kappa.value, kappa.lower, kappa.upper) == pytest.approx(
        (mirrored.value, mirrored.lower, mirrored.upper)
    )


@pytest.mark.parametrize("cells", [(0, 0, 0, 0), (9, 0, 0, 0), (0, 0, 0, 9)])
def test_where_nothing_can_be_told_there_is_no_kappa(cells: tuple[int, int, int, int]) -> None:
    assert measure_kappa(*cells) is None


def test_few_answers_on_which_all_agree_prove_little() -> None:
    few, many = measure_kappa(3, 0, 0, 3), measure_kappa(300, 0, 0, 300)
    assert few is not None
    assert many is not None
    assert few.value == many.value == few.upper == many.upper == 1
    assert few.lower < 0.25
    assert many.lower > 0.98


def test_an_answer_passes_from_one_half_on() -> None:
    rated = [Rated(0.5, 1.0), Rated(0.49, 1.0), Rated(0.5, 0.49), Rated(0.0, 0.0)]
    agreement = measure_agreement(rated)
    cells = (agreement.both_pass, agreement.person_only, agreement.judge_only, agreement.both_fail)
    assert cells == (1, 1, 1, 1)
    assert (agreement.n, agreement.share) == (4, 0.5)
    assert agreement.kappa is not None
    assert agreement.kappa.value == 0


def test_without_labels_there_is_no_agreement() -> None:
    agreement = measure_agreement([])
    assert (agreement.n, agreement.share, agreement.kappa) == (0, None, None)


def test_recorded_judges_agree_with_people_as_published() -> None:
    """Published of the whole set: gpt-4 84.8 %, kappa .695; this is every second answer of it."""
    gpt4 = measure_agreement(read_rated("gpt-4"))
    assert gpt4.n == 744
    assert gpt4.share == pytest.approx(0.848, abs=0.001)
    assert gpt4.kappa is not None
    assert gpt4.kappa.value == pytest.approx(0.695, abs=0.001)
    assert (gpt4.kappa.lower, gpt4.kappa.upper) == pytest.approx((0.644, 0.747), abs=0.001)
    davinci = measure_agreement(read_rated("text-davinci-003"))
    assert isinstance(davinci.kappa, Kappa)
    assert (davinci.n, davinci.both_pass, davinci.judge_only, davinci.person_only) == (745, 332, 50, 71)
    assert davinci.kappa.value < gpt4.kappa.value
