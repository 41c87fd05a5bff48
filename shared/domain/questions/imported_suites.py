"""Which questions imported results belong to: those of a known suite version, else what the rows tell."""

from collections.abc import Iterable, Mapping

from shared.domain.import_rows import ImportedQuestion
from shared.domain.questions.suites import DEFAULT_CATEGORY, Question, SuiteContent


def find_stranger(known: Mapping[str, Question], told: Iterable[ImportedQuestion]) -> ImportedQuestion | None:
    """The first question that a suite does not hold as told; None when it holds all of them.

    What the rows leave out can't differ.
    """
    return next((each for each in told if each.id not in known or not _agrees(each, known[each.id])), None)


def learn(known: Mapping[str, Question], told: Iterable[ImportedQuestion]) -> SuiteContent:
    """The known questions, with what the rows tell otherwise, and after them those that are new."""
    learned = dict(known)
    for each in told:
        before = known.get(each.id, Question(each.id, DEFAULT_CATEGORY, "", ""))
        learned[each.id] = Question(
            each.id,
            before.category if each.category is None else each.category,
            before.input if each.input is None else each.input,
            before.target if each.target is None else each.target,
            before.scorer,
            before.cluster,
        )
    return SuiteContent(tuple(learned.values()))


def _agrees(told: ImportedQuestion, known: Question) -> bool:
    return all(
        said is None or said == held
        for said, held in (
            (told.category, known.category),
            (told.input, known.input),
            (told.target, known.target),
        )
    )
