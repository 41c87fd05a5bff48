"""Which questions imported results belong to."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.import_rows import ImportedQuestion
from shared.domain.questions.imported_suites import find_stranger, learn
from shared.domain.questions.suites import Question, Scorer

KNOWN = {"q": Question("q", "math", "2 + 2?", "4", Scorer("numeric"), cluster="sums")}
TEXTS = st.none() | st.text(max_size=3)
TOLD = st.lists(
    st.builds(ImportedQuestion, st.sampled_from("qrs"), TEXTS, TEXTS, TEXTS), unique_by=lambda each: each.id
)


def test_what_is_left_out_can_not_differ() -> None:
    assert find_stranger(KNOWN, [ImportedQuestion("q", None, None, None)]) is None
    assert find_stranger(KNOWN, [ImportedQuestion("q", "math", "2 + 2?", "4")]) is None


def test_a_question_that_is_new_or_reads_differently_is_a_stranger() -> None:
    for told in (
        ImportedQuestion("r", None, None, None),
        ImportedQuestion("q", "prose", None, None),
        ImportedQuestion("q", None, "3 + 3?", None),
        ImportedQuestion("q", None, None, "five"),
    ):
        assert find_stranger(KNOWN, [ImportedQuestion("q", None, None, None), told]) == told


def test_what_the_rows_tell_replaces_what_was_known() -> None:
    learned = learn(
        KNOWN, [ImportedQuestion("q", None, "1 + 3?", None), ImportedQuestion("r", None, None, None)]
    )
    assert learned.questions == (
        Question("q", "math", "1 + 3?", "4", Scorer("numeric"), cluster="sums"),
        Question("r", "general", "", "", Scorer("llm-rubric")),
    )


@given(TOLD)
def test_what_was_learned_is_known(told: list[ImportedQuestion]) -> None:
    learned = learn(KNOWN, told)
    assert find_stranger({question.id: question for question in learned.questions}, told) is None
