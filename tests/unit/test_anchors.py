"""Which stored answers become anchors."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.answers.anchors import Choice, Graded, Stratum, TooFew, choose_anchors
from shared.domain.runs import PairKey, RunId

scores = st.sampled_from([0.0, 0.2, 0.5, 0.75, 0.9, 1.0])


def grade(
    *series: float, question: int = 1, model: str = "bright", category: str = "math", answer: str = ""
) -> list[Graded]:
    """A model's answers to one question, night after night; each text is another one unless it is given."""
    return [
        Graded(
            PairKey(RunId(UUID(int=night)), model, question, 1),
            f"unit-{question}",
            category,
            answer or f"{model} {question} {night}",
            score,
        )
        for night, score in enumerate(series)
    ]


def enough() -> list[Graded]:
    """Twenty clear answers, so that the choice depends on what comes beside them."""
    return [each for number in range(100, 120) for each in grade(1.0, 1.0, question=number, category="rest")]


def strata(graded: list[Graded]) -> dict[int, Stratum]:
    choice = choose_anchors([*graded, *enough()], borderline=40, clear=40, seed="s")
    assert isinstance(choice, Choice)
    return {
        each.graded.key.question_id: each.stratum
        for each in choice.anchors
        if each.graded.key.question_id < 100
    }


def test_a_score_that_varies_over_nights_is_borderline() -> None:
    assert strata(grade(1.0, 1.0, 0.0)) == {1: Stratum.BORDERLINE}


def test_a_score_near_the_middle_is_borderline_and_its_ends_are_not() -> None:
    assert strata(grade(0.5, 0.5)) == {1: Stratum.BORDERLINE}
    assert strata(grade(0.25, 0.25)) == {}
    assert strata(grade(0.75, 0.75)) == {}


def test_equal_answers_with_different_scores_are_borderline_whoever_gave_them() -> None:
    graded = [
        *grade(1.0, 1.0, answer="Paris"),
        *grade(0.0, 0.0, model="dim", answer="Paris"),
        *grade(1.0, 1.0, model="third", answer="Paris, France"),
    ]
    choice = choose_anchors([*graded, *enough()], borderline=40, clear=40, seed="s")
    assert isinstance(choice, Choice)
    wavering = {each.graded.key.model for each in choice.anchors if each.stratum is Stratum.BORDERLINE}
    assert wavering == {"bright", "dim"}


def test_the_frozen_answer_is_the_newest_one_that_the_judge_wavers_on() -> None:
    graded = [*grade(1.0, 0.0), *grade(1.0, 0.5, 1.0, question=2)]
    choice = choose_anchors([*graded, *enough()], borderline=40, clear=40, seed="s")
    assert isinstance(choice, Choice)
    frozen = {each.graded.key.question_id: each.graded.score for each in choice.anchors}
    assert (frozen[1], frozen[2]) == (0.0, 0.5)


def test_only_what_is_always_nothing_or_all_is_clear() -> None:
    assert strata(grade(1.0, 1.0)) == {1: Stratum.CLEAR}
    assert strata(grade(0.0, 0.0)) == {1: Stratum.CLEAR}
    assert strata(grade(0.9, 0.9)) == {}


def test_the_borderline_share_counts_answers_of_every_kind() -> None:
    graded = [*grade(1.0, 0.0, 1.0), *grade(0.9, 0.9, question=2), *enough()]
    choice = choose_anchors(graded, borderline=0, clear=20, seed="s")
    assert isinstance(choice, Choice)
    assert choice.borderline_share == 3 / 45


def test_too_few_answers_are_refused_with_their_number() -> None:
    graded = [*grade(1.0, 0.0), *enough()[:-2]]
    assert choose_anchors(graded, borderline=40, clear=18, seed="s") == TooFew(borderline=1, clear=19)
    assert isinstance(choose_anchors(graded, borderline=40, clear=19, seed="s"), Choice)
    assert choose_anchors([], borderline=40, clear=40, seed="s") == TooFew(0, 0)


def test_anchors_are_balanced_over_categories_models_and_questions() -> None:
    """One category has ten times the questions of the other, and both models answer all of them."""
    graded = [
        each
        for number in range(110)
        for model in ("bright", "dim")
        for each in grade(1.0, 1.0, question=number, model=model, category="rare" if number < 10 else "often")
    ]
    choice = choose_anchors(graded, borderline=0, clear=20, seed="s")
    assert isinstance(choice, Choice)
    keys = [each.graded for each in choice.anchors]
    assert Counter(each.category for each in keys) == {"rare": 10, "often": 10}
    assert Counter(each.key.model for each in keys) == {"bright": 10, "dim": 10}
    assert len({each.unit for each in keys}) == 20


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from("ab"), scores, scores), max_size=80), st.text())
def test_the_choice_is_the_same_for_the_same_seed_and_holds_what_it_promises(
    drawn: list[tuple[int, str, float, float]], seed: str
) -> None:
    graded = [
        each
        for number, model, *series in drawn
        for each in grade(*series, question=number, model=model, category=f"c{number % 3}")
    ]
    choice = choose_anchors(graded, borderline=15, clear=12, seed=seed)
    assert choice == choose_anchors(graded, borderline=15, clear=12, seed=seed)
    if isinstance(choice, TooFew):
        assert choice.borderline < 15 or choice.clear < 12
        return
    kinds = Counter(each.stratum for each in choice.anchors)
    assert kinds[Stratum.BORDERLINE] <= 15
    assert kinds[Stratum.CLEAR] <= 12
    assert 20 <= len(choice.anchors) == len({(a.graded.unit, a.graded.key.model) for a in choice.anchors})
    assert {a.graded.score for a in choice.anchors if a.stratum is Stratum.CLEAR} <= {0.0, 1.0}
    assert 0 <= choice.borderline_share <= 1
