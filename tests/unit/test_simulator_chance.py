"""Draws that depend on what they are about, and skill as a power of ease."""

from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator import chance


def test_a_draw_depends_on_what_it_is_about_and_on_nothing_else() -> None:
    first = chance.uniform(1, "model", "question", 3)
    chance.uniform("something else")
    assert chance.uniform(1, "model", "question", 3) == first
    assert chance.uniform(1, "model", "question", 4) != first


def test_what_a_draw_is_about_has_parts_that_do_not_run_into_each_other() -> None:
    assert chance.uniform("ab", "c") != chance.uniform("a", "bc")


def test_uniform_draws_fill_the_unit_interval_evenly() -> None:
    draws = [chance.uniform("even", number) for number in range(20_000)]
    assert fmean(draws) == pytest.approx(0.5, abs=0.01)
    assert fmean(draw < 0.1 for draw in draws) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("skill", [0.001, 0.05, 0.3, 0.5, 0.8, 0.95, 0.999])
def test_the_mean_of_bent_ease_is_the_skill(skill: float) -> None:
    eases = [chance.ease("bend", number) for number in range(20_000)]
    assert fmean(ease ** chance.bend(skill) for ease in eases) == pytest.approx(skill, abs=0.012)


def test_average_skill_leaves_ease_as_it_is_drawn() -> None:
    assert chance.bend(0.8) == pytest.approx(1.0)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 50))
def test_more_skill_makes_no_question_harder(one: float, other: float, question: int) -> None:
    less, more = sorted((one, other))
    ease = chance.ease("monotone", question)
    assert ease ** chance.bend(less) <= ease ** chance.bend(more) + 1e-9


@pytest.mark.parametrize("law", [chance.lognormal, chance.gamma])
def test_latency_laws_keep_their_mean_and_variation(law: object) -> None:
    draws = [law(0.5, "law", number) for number in range(20_000)]  # type: ignore[operator]
    assert fmean(draws) == pytest.approx(1.0, abs=0.02)
    assert stdev(draws) == pytest.approx(0.5, abs=0.03)


def test_shares_lie_side_by_side() -> None:
    shares = [("first", 0.2), ("none at all", 0.0), ("second", 0.3)]
    draws = (0.0, 0.19, 0.2, 0.49, 0.5, 0.99)
    chosen = [chance.choose(shares, draw) for draw in draws]
    assert chosen == ["first", "first", "second", "second", None, None]
