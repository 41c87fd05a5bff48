"""Right and wrong answers to a question, as its scorer tells them apart."""

import pytest

from services.simulator.answers import write_sheets
from shared.domain.answers.scoring import Verdict, score_answer
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Question, Scorer
from tests.factories import make_question

SCORED = {
    "numeric": make_question(target="12.5"),
    "whole": make_question(target="-7"),
    "choice": make_question(
        input="Which is a fruit?\n(A) stone\n(B) pear\n(C) car", target="(B)", scorer=Scorer("choice")
    ),
    "equals": make_question(target="Paris", scorer=Scorer("equals")),
    "contains": make_question(
        target="Madrid is the capital.", scorer=Scorer("icontains", {"value": "madrid"})
    ),
    "not": make_question(target="Here you are.", scorer=Scorer("not-icontains", {"value": "sorry, no"})),
    "yes or no": make_question(target="Yes", scorer=Scorer("icontains")),
    "regex": make_question(target="2024-05-01", scorer=Scorer("regex", {"value": r"\d{4}-\d\d-\d\d"})),
    "json": make_question(target='{"a": 1}', scorer=Scorer("is-json")),
    "judged": make_question(target="The sky is blue because of Rayleigh scattering.", scorer=Scorer()),
    "judged and more": make_question(
        target="Blue, by scattering.",
        scorer=Scorer(
            "assert-set", {"assert": [{"type": "llm-rubric"}, {"type": "icontains", "value": "blue"}]}
        ),
    ),
    "signs": make_question(target="<=", scorer=Scorer()),
}


@pytest.mark.parametrize("question", SCORED.values(), ids=SCORED.keys())
def test_right_and_wrong_answers_are_so_by_the_scorer_of_their_question(question: Question) -> None:
    (sheet,) = write_sheets([question]).values()
    for texts, expected in ((sheet.right, True), (sheet.wrong, False)):
        for text in texts:
            judged = Verdict(1.0, question.target in text, "") if question.scorer.asks_the_judge else None
            outcome = score_answer(question, text, judged)
            assert isinstance(outcome, Verdict)
            assert outcome.passed is expected
            assert text.strip()


def test_wrong_answers_look_like_answers() -> None:
    sheets = write_sheets([SCORED["whole"], SCORED["choice"]])
    assert "-6" in sheets[SCORED["whole"].input].wrong
    assert sheets[SCORED["choice"].input].wrong[0] == "(A)"


def test_a_question_that_cannot_be_answered_wrongly_is_refused_by_name() -> None:
    question = make_question(scorer=Scorer("regex", {"value": "."}))
    with pytest.raises(InvalidInput, match="passes every answer") as error:
        write_sheets([question])
    assert error.value.field == question.id
