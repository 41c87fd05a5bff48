"""Questions that two runs answered differently, side by side."""

from dataclasses import dataclass

from services.api.dashboard import numbers
from services.api.dashboard.views.diff import Stretch, compare_words
from services.api.schemas.comparison import Flip
from shared.domain.figures.comparison import HALF


@dataclass(frozen=True, slots=True)
class Answer:
    """One side of a flip; `text` is None where there is none to show."""

    mark: str
    outcome: str
    text: tuple[Stretch, ...] | None


@dataclass(frozen=True, slots=True)
class FlipCard:
    question: str
    model: str
    category: str
    input: str
    target: str
    has_broken: bool
    before: Answer
    after: Answer


def describe_flip(flip: Flip, input: str, target: str) -> FlipCard:
    old, new = flip.answer_before, flip.answer_after
    texts: tuple[tuple[Stretch, ...] | None, ...]
    if old is not None and new is not None:
        texts = compare_words(old, new)
    else:
        texts = tuple((Stretch(one, False),) if one is not None else None for one in (old, new))
    return FlipCard(
        flip.question, flip.model, flip.category, input, target, flip.score_after < flip.score_before,
        _answer(flip.score_before, texts[0]), _answer(flip.score_after, texts[1]),
    )  # fmt: skip


def _answer(score: float, text: tuple[Stretch, ...] | None) -> Answer:
    mark = "passed" if score >= HALF else "failed"
    return Answer(mark, f"{'right' if score >= HALF else 'wrong'}, {numbers.score(score)}", text)
