"""Places by paired comparison: as two runs are compared, and right for the whole table at once."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from shared.domain.figures.comparison import Comparison, compare
from shared.domain.figures.distributions import normal_cdf
from shared.domain.figures.ranking import Rank, Ranking, Sheet, rank_models

UNITS = [f"q{number}" for number in range(12)]


def right(count: int, of: int = 100) -> Sheet:
    """A model that answers the first `count` questions right."""
    return Sheet({f"q{number}": float(number < count) for number in range(of)})


def test_places_known_answer() -> None:
    ranking = rank_models({"a": right(95), "b": right(60), "c": right(55), "d": right(5)})

    assert ranking.places() == {"a": Rank(1, 1), "b": Rank(2, 3), "c": Rank(2, 3), "d": Rank(4, 4)}
    assert ranking.list_rivals("b") == ("c",)


def test_pairing_tells_apart_what_intervals_that_overlap_do_not() -> None:
    """80 and 70 of 100: the intervals overlap, but the worse one is right nowhere else than the better."""
    ranking = rank_models({"better": right(80), "worse": right(70)})

    assert ranking.places() == {"better": Rank(1, 1), "worse": Rank(2, 2)}


def test_questions_answered_the_other_way_round_leave_places_open() -> None:
    other = Sheet({unit: 1 - score for unit, score in right(45).scores.items()})

    assert rank_models({"a": right(45), "b": other}).places() == {"a": Rank(1, 2), "b": Rank(1, 2)}


sheets = st.dictionaries(
    st.sampled_from(UNITS), st.floats(0, 1) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=len(UNITS)
)


@given(sheets, sheets, st.lists(st.none() | st.sampled_from("xyz"), min_size=12, max_size=12))
def test_two_models_are_compared_as_two_runs_are(
    one: dict[str, float], other: dict[str, float], named: list[str | None]
) -> None:
    clusters = dict(zip(UNITS, named, strict=True))
    difference = rank_models({"one": Sheet(one), "other": Sheet(other)}, clusters).between("other", "one")
    expected = compare(one, other, clusters=clusters)

    if isinstance(expected, Comparison):
        assert difference is not None
        assert (difference.questions, difference.value, difference.lower, difference.upper) == pytest.approx(
            (expected.questions, expected.difference, expected.lower, expected.upper)
        )
    else:
        assert difference is None


@given(st.lists(sheets, min_size=1, max_size=6))
def test_places_follow_from_who_is_ahead(drawn: list[dict[str, float]]) -> None:
    ranking = rank_models({str(at): Sheet(scores) for at, scores in enumerate(drawn)})

    for at, model in enumerate(ranking.models):
        behind = {other for place, other in enumerate(ranking.models) if ranking.is_ahead[at, place]}
        ahead = {other for place, other in enumerate(ranking.models) if ranking.is_ahead[place, at]}
        place = ranking.places()[model]
        assert place == Rank(1 + len(ahead), len(drawn) - len(behind))
        assert not ahead & behind
        assert set(ranking.list_rivals(model)) == set(ranking.models) - ahead - behind - {model}


def test_findings_hold_together_as_statsmodels_says() -> None:
    chance = np.random.default_rng(5)
    ranking = rank_models(
        {
            str(at): Sheet({f"q{n}": float(chance.random() < 0.9 - 0.06 * at) for n in range(150)})
            for at in range(6)
        }
    )
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    p = [float(normal_cdf(-ranking.adjusted[pair] / ranking.standard_error[pair])) for pair in pairs]
    holds, *_ = multipletests(p, alpha=0.05, method="holm")

    assert 0 < holds.sum() < 15
    assert [bool(ranking.is_ahead[pair]) for pair in pairs] == holds.tolist()


def test_equal_models_are_told_apart_in_one_table_of_twenty_at_most() -> None:
    chance = np.random.default_rng(7)
    wrong = 0
    for _ in range(300):
        hard = chance.random(80)
        models = {
            str(at): Sheet({f"q{n}": float(chance.random() > hard[n]) for n in range(80)}) for at in range(5)
        }
        wrong += rank_models(models).is_ahead.any()
    assert wrong <= 22  # 15 expected at most; 22 in one of thirty trials


def test_questions_graded_by_another_judge_are_not_compared() -> None:
    strict = Sheet(right(90).scores, {f"q{number}": "strict v1" for number in range(100)})
    lenient = Sheet(right(10).scores, {f"q{number}": "lenient v1" for number in range(100)})
    ranking = rank_models({"strict": strict, "lenient": lenient})

    assert ranking.between("strict", "lenient") is None
    assert ranking.places() == {"strict": Rank(1, 2), "lenient": Rank(1, 2)}
    assert ranking.tie_width is None


def test_a_question_s_own_scorer_is_the_same_for_everybody() -> None:
    named = Sheet(right(90).scores, {"q1": "theirs", "q2": None})
    half = Sheet(dict.fromkeys(list(right(90).scores)[:50], 1.0), {"q1": "theirs", "q2": "ours"})

    found = rank_models({"named": named, "plain": right(90), "half": half})

    assert [int(found.questions[0, 1]), int(found.questions[0, 2]), int(found.questions[1, 2])] == [
        100,
        49,
        50,
    ]


def test_who_was_not_measured_has_no_place() -> None:
    assert rank_models({"silent": Sheet({}), "lone": right(3)}).places() == {"lone": Rank(1, 1)}
    assert rank_models({}).places() == {}


def test_a_tie_is_as_wide_as_two_accuracies_may_differ_by_chance() -> None:
    """10 of 100 questions changed, half of them each way: 1.96 standard errors, with the pseudo-questions."""
    flipped = {
        **right(90).scores,
        **{f"q{n}": 0.0 for n in range(5)},
        **{f"q{n}": 1.0 for n in range(90, 95)},
    }
    ranking: Ranking = rank_models({"a": right(90), "b": Sheet(flipped)})

    assert ranking.tie_width == pytest.approx(1.959964 * (12 / 102 / 102) ** 0.5)


def test_fifty_models_are_ranked_while_a_page_is_made() -> None:
    chance = np.random.default_rng(3)
    fleet = {str(at): Sheet({f"q{n}": float(chance.random() < 0.9) for n in range(550)}) for at in range(50)}
    clusters = {f"q{n}": f"c{n // 3}" for n in range(550)}
    started = time.process_time()
    rank_models(fleet, clusters)
    assert time.process_time() - started < 0.3
