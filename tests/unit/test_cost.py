"""Money: exact, never invented."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.cost import CostRange, Price, cost, count_tokens, estimate
from shared.domain.questions.suites import Question, Scorer

CHEAP = Price(Decimal("0.0000001"), Decimal("0.0000004"))
FREE = Price(Decimal(0), Decimal(0))
JUDGED = Question("j", "facts", "Who wrote Faust?", "Goethe")
COUNTED = Question("n", "math", "What is 6 times 7?", "42", Scorer("numeric"))


def test_cost_is_exact() -> None:
    assert cost(CHEAP, 3, 7) == Decimal("0.0000031")
    assert cost(FREE, 10**9, 10**9) == 0


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_costs_of_calls_add_up(first: int, second: int, written: int) -> None:
    assert cost(CHEAP, first, written) + cost(CHEAP, second, 0) == cost(CHEAP, first + second, written)


@pytest.mark.parametrize("rate", ["-1", "NaN", "Infinity"])
def test_a_price_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Price(Decimal(rate), Decimal(0))


def test_tokens_are_counted_by_bytes() -> None:
    assert [count_tokens(text) for text in ("", "a", "four", "seven", "日本語")] == [0, 1, 1, 2, 3]
    assert count_tokens("\ud800") == 1


def test_an_unknown_price_is_never_taken_for_zero() -> None:
    some = estimate([COUNTED], {"a": CHEAP, "b": None}, repeats=2)
    assert [model.cost is None for model in some.models] == [False, True]
    assert some.total is None
    assert estimate([JUDGED], {"a": FREE}, judge=("judge", None)).total is None


def test_models_of_ones_own_cost_nothing() -> None:
    free = estimate([JUDGED, COUNTED], {"a": FREE}, judge=("judge", FREE))
    assert free.total == CostRange(Decimal(0), Decimal(0))
    assert free.pairs == 2


def test_an_estimate_follows_its_stated_assumptions() -> None:
    counted = estimate([COUNTED], {"a": CHEAP})
    assert counted.total == CostRange(cost(CHEAP, 5 + 8, 1), cost(CHEAP, 5 + 8, 201))
    (model,) = counted.models
    assert (model.model, model.calls, model.input_tokens, model.output_tokens) == ("a", 1, 13, 201)
    assert any("200 tokens longer" in sentence for sentence in counted.assumptions)


def test_the_judge_is_paid_only_for_questions_that_want_it() -> None:
    estimated = estimate([JUDGED, COUNTED], {"a": CHEAP, "b": CHEAP}, judge=("judge", CHEAP), repeats=3)
    judge = estimated.judge
    assert judge is not None
    assert (judge.calls, judge.input_tokens, judge.output_tokens) == (6, 6 * (400 + 4 + 2 * 2 + 200), 6 * 150)
    assert judge.cost == CostRange(
        cost(CHEAP, 6 * (400 + 4 + 2 * 2), 6 * 60), cost(CHEAP, judge.input_tokens, judge.output_tokens)
    )
    assert any("judge" in sentence for sentence in estimated.assumptions)
    assert estimate([COUNTED], {"a": CHEAP}, judge=("judge", None)) == estimate([COUNTED], {"a": CHEAP})


@given(st.integers(1, 9), st.integers(1, 5))
def test_repeats_and_models_multiply(repeats: int, models: int) -> None:
    one = estimate([JUDGED], {"m": CHEAP}, judge=("judge", CHEAP)).total
    fleet = {f"m{number}": CHEAP for number in range(models)}
    many = estimate([JUDGED], fleet, judge=("judge", CHEAP), repeats=repeats)
    assert one is not None
    assert many.total is not None
    assert many.pairs == repeats * models
    assert many.total.expected_usd == one.expected_usd * repeats * models
    assert many.total.low_usd == one.low_usd * repeats * models <= many.total.expected_usd
