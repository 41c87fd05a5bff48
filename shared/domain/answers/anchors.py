"""Anchors: frozen answers that the judge scores again every night, so that its own drift can be told.

Chosen in two strata. *Borderline* are answers on which the judge wavers, where a judge that drifts moves
first; *clear* are those to which it has always given 0, or always 1. The idea of anchors: arXiv 2606.15474.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.runs import PairKey

LEAST_ANCHORS = 20
BETWEEN = (0.25, 0.75)


class Stratum(StrEnum):
    BORDERLINE = "borderline"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer that the judge has scored. `unit` is the question's identity over suite versions; `answer` is
    equal for equal texts.
    """

    key: PairKey
    unit: str
    category: str
    answer: str
    score: float


@dataclass(frozen=True, slots=True)
class Suitable:
    """The one answer that could stand for all that a model has answered to a question."""

    graded: Graded
    stratum: Stratum


@dataclass(frozen=True, slots=True)
class Choice:
    """The anchors, and the share of borderline answers among all that were looked at."""

    anchors: tuple[Suitable, ...]
    borderline_share: float


@dataclass(frozen=True, slots=True)
class TooFew:
    """How many suitable answers there are; together they are fewer than LEAST_ANCHORS."""

    borderline: int
    clear: int


def choose_anchors(graded: Sequence[Graded], *, borderline: int, clear: int, seed: str) -> Choice | TooFew:
    """Choose up to so many anchors of each stratum, balanced over categories, models and questions.

    `graded` are one judge's scores, oldest first. The same ones with the same seed give the same choice.
    """
    suitable, wavering = _sort_into_strata(graded)
    chosen = [
        *_balance([each for each in suitable if each.stratum is Stratum.BORDERLINE], borderline, seed),
        *_balance([each for each in suitable if each.stratum is Stratum.CLEAR], clear, seed),
    ]
    if len(chosen) < LEAST_ANCHORS:
        found = Counter(each.stratum for each in suitable)
        return TooFew(found[Stratum.BORDERLINE], found[Stratum.CLEAR])
    return Choice(tuple(chosen), wavering / len(graded))


def _sort_into_strata(graded: Sequence[Graded]) -> tuple[list[Suitable], int]:
    """For each question and model the answer that suits as an anchor, and how many answers are borderline.

    What is always scored alike, but neither 0 nor 1, nor near the middle, is in no stratum.
    """
    scores_of_text: dict[tuple[str, str], set[float]] = defaultdict(set)
    answers: dict[tuple[str, str], list[Graded]] = defaultdict(list)
    for each in graded:
        scores_of_text[each.unit, each.answer].add(each.score)
        answers[each.unit, each.key.model].append(each)

    suitable = []
    wavering = 0
    for series in answers.values():
        contested = [each for each in series if len(scores_of_text[each.unit, each.answer]) > 1]
        between = [each for each in series if BETWEEN[0] < each.score < BETWEEN[1]]
        scores = {each.score for each in series}
        if contested or between or len(scores) > 1:
            wavering += len(series)
            suitable.append(Suitable((contested or between or series)[-1], Stratum.BORDERLINE))
        elif scores <= {0.0, 1.0}:
            suitable.append(Suitable(series[-1], Stratum.CLEAR))
    return suitable, wavering


def _balance(suitable: Sequence[Suitable], wanted: int, seed: str) -> list[Suitable]:
    """Take one after the other, always of the category, then model, then question that has the fewest yet."""
    left = sorted(suitable, key=lambda each: _draw(each, seed))  # where all are equal, the first one is taken
    taken: Counter[tuple[str, str]] = Counter()
    chosen: list[Suitable] = []
    while left and len(chosen) < wanted:
        best = min(range(len(left)), key=lambda place: [taken[trait] for trait in _traits(left[place])])
        chosen.append(left.pop(best))
        taken.update(_traits(chosen[-1]))
    return chosen


def _traits(each: Suitable) -> list[tuple[str, str]]:
    graded = each.graded
    return [("category", graded.category), ("model", graded.key.model), ("unit", graded.unit)]


def _draw(each: Suitable, seed: str) -> bytes:
    text = f"{seed}:{each.graded.unit}:{each.graded.key.model}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
