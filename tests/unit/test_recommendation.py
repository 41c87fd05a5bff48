"""What to take for which need: ties are told, and what is not known is never taken for good or cheap."""

from datetime import date
from typing import Any

import pytest

from shared.domain.figures.ranking import Sheet, rank_models
from shared.domain.figures.recommendation import Caution, Choice, Contender, Need, Recommendation, recommend

QUESTIONS = 400
TODAY = date(2026, 11, 21)


def contender(model: str, accuracy: float | None, **known: Any) -> Contender:
    fields = {"coverage": 1.0, "cost_usd": 0.001, "seconds": 1.0, "measured_on": TODAY, **known}
    bounds = (None, None) if accuracy is None else (accuracy - 0.02, accuracy + 0.02)
    return Contender(model, accuracy, *bounds, **fields)


def advise(
    *contenders: Contender, loss: float = 0.03, graders: dict[str, str] | None = None
) -> Recommendation:
    """Each model answers the first questions right, as many as its accuracy says."""
    sheets = {
        one.model: Sheet(
            {f"q{n}": float(n < QUESTIONS * (one.accuracy or 0)) for n in range(QUESTIONS)}
            if one.accuracy is not None
            else {},
            {f"q{n}": graders[one.model] for n in range(QUESTIONS)} if graders else {},
        )
        for one in contenders
    }
    return recommend(contenders, rank_models(sheets), loss)


def choice(advice: Recommendation, need: Need) -> Choice:
    return next(one for one in advice.choices if one.need is need)


def models(advice: Recommendation) -> dict[str, str | None]:
    return {one.need.value: one.model for one in advice.choices}


def cautions(advice: Recommendation) -> dict[str, tuple[str, ...]]:
    return {one.caution.value: one.models for one in advice.warnings}


def test_each_need_has_its_model_and_its_reason() -> None:
    advice = advise(
        contender("good", 0.94, cost_usd=0.02, seconds=3.0),
        contender("tied", 0.935, cost_usd=0.002, seconds=6.0),
        contender("near", 0.92, cost_usd=0.001, seconds=2.0),
        contender("quick", 0.84, cost_usd=0.0005, seconds=0.6),
        loss=0.05,
    )

    assert models(advice) == {
        "best": "good", "value": "tied", "fastest": "quick", "cheapest_within_loss": "near",
    }  # fmt: skip
    assert [one.reason for one in advice.choices] == [
        "Scores 94.0 %, interval 92.0 to 96.0. These questions can't tell it from tied.",
        "The cheapest that could be the first: 2.00 USD per 1000 answers, 10 times cheaper than good;"
        " against good −0.5 points (−1.3 to +0.3).",
        "0.60 s for the median answer, 5.0 times quicker than good;"
        " against good −10.0 points (−12.5 to −7.4).",
        "1.00 USD per 1000 answers; loses 3.3 points at most (95 %);"
        " against good −2.0 points (−3.3 to −0.7).",
    ]
    assert advice.warnings == ()


def test_the_loss_is_what_the_interval_allows_not_what_was_seen() -> None:
    fleet = (contender("good", 0.94, cost_usd=0.02), contender("near", 0.92, cost_usd=0.001))

    strict, lax = (choice(advise(*fleet, loss=loss), Need.CHEAPEST) for loss in (0.03, 0.035))

    assert (strict.model, lax.model) == ("good", "near")
    assert strict.reason == (
        "20.00 USD per 1000 answers. No cheaper model is sure to lose no more than 3.0 points."
        " The nearest, near, may lose 3.3."
    )


def test_the_first_of_all_is_said_to_be_ahead() -> None:
    advice = advise(contender("good", 0.9, cost_usd=0.001), contender("poor", 0.5, cost_usd=0.001))

    assert choice(advice, Need.BEST).reason.endswith("Ahead of the other one.")
    assert choice(advice, Need.VALUE).reason.endswith("No other model could be the first.")
    assert choice(advice, Need.CHEAPEST).reason.endswith("No model is cheaper.")


def test_equal_models_are_ties_in_every_need() -> None:
    advice = advise(contender("b", 0.9), contender("a", 0.9), contender("c", 0.9))

    assert [(one.model, one.ties) for one in advice.choices] == [("a", ("b", "c"))] * 4


def test_one_model_is_all_there_is() -> None:
    advice = advise(contender("lone", 0.7))

    assert set(models(advice).values()) == {"lone"}
    assert "No other model was measured" in choice(advice, Need.BEST).reason
    assert advice.warnings == ()


def test_an_unknown_price_is_neither_cheap_nor_dear() -> None:
    advice = advise(contender("unpriced", 0.95, cost_usd=None), contender("priced", 0.94, cost_usd=5.0))

    assert models(advice) == {
        "best": "unpriced", "value": "priced", "fastest": "unpriced", "cheapest_within_loss": "priced",
    }  # fmt: skip
    assert cautions(advice) == {"price_unknown": ("unpriced",)}


def test_without_any_price_nothing_is_said_of_cost() -> None:
    advice = advise(
        contender("a", 0.95, cost_usd=None, seconds=None), contender("b", 0.5, cost_usd=None, seconds=None)
    )

    assert models(advice) == {"best": "a", "value": None, "fastest": None, "cheapest_within_loss": None}


def test_a_free_model_is_the_cheapest() -> None:
    advice = advise(contender("local", 0.94, cost_usd=0.0), contender("best", 0.945, cost_usd=0.02))

    assert choice(advice, Need.VALUE).model == "local"
    assert "0.00 USD per 1000 answers; against best" in choice(advice, Need.VALUE).reason


@pytest.mark.parametrize("coverage", [0.0, 0.79])
def test_of_whom_too_little_was_scored_is_not_recommended(coverage: float) -> None:
    advice = advise(
        contender("lucky", 0.99, coverage=coverage, cost_usd=0.0, seconds=0.1), contender("sound", 0.9)
    )

    assert set(models(advice).values()) == {"sound"}
    assert cautions(advice)["low_coverage"] == ("lucky",)


def test_what_was_not_measured_is_named_and_not_ranked() -> None:
    advice = advise(contender("silent", None, coverage=0.0), contender("sound", 0.9))
    nothing = advise(contender("silent", None, coverage=0.0))

    assert set(models(advice).values()) == {"sound"}
    assert cautions(advice) == {"not_measured": ("silent",)} == cautions(nothing)
    assert nothing.choices == ()


def test_a_drifting_model_is_compared_since_its_change_only_and_says_so() -> None:
    since = date(2026, 11, 16)
    advice = advise(contender("moving", 0.9, drifting_since=since), contender("sound", 0.7))
    (warning,) = advice.warnings

    assert models(advice)["best"] == "moving"
    assert warning.caution is Caution.DRIFTING
    assert (
        warning.told
        == "Drifting since 16 November; compared here by its run of 21 November, which was after the change."
    )


def test_a_measurement_from_before_a_change_says_so() -> None:
    (warning,) = advise(contender("moving", 0.9, drifting_since=date(2026, 11, 30))).warnings

    assert warning.told.endswith("before the change.")


def test_who_costs_more_and_is_not_better_is_warned_of() -> None:
    advice = advise(contender("good", 0.95, cost_usd=0.001), contender("dear", 0.94, cost_usd=0.0021))
    (warning,) = advice.warnings

    assert (warning.caution, warning.models) == (Caution.DEAR, ("dear",))
    assert warning.told.startswith(
        "Costs 2.1 times as much as good, and nothing shows that it is better: −1.0 points"
    )


def test_what_another_judge_graded_is_not_compared() -> None:
    advice = advise(
        contender("a", 0.95, cost_usd=0.02),
        contender("b", 0.9, cost_usd=0.001),
        graders={"a": "strict", "b": "mild"},
    )

    assert cautions(advice) == {"not_compared": ("b",)}
    assert choice(advice, Need.CHEAPEST).model == "a"
    assert "share no question that was graded alike" in choice(advice, Need.VALUE).reason
    assert choice(advice, Need.VALUE).against_best is None


def test_of_many_ties_the_first_few_are_named() -> None:
    reason = choice(advise(*(contender(f"m{n}", 0.9) for n in range(9))), Need.BEST).reason

    assert reason.endswith("can't tell it from m1, m2, m3, m4 and 4 more.")
