"""Scores: what an answer is worth, or the reason why that was not measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.domain.answers.assertions import SCORER_NAMES, Unmeasurable, prepare
from shared.domain.answers.scorer_terms import Terms, refuse_unknown_options
from shared.domain.errors import ErrorKind, InvalidInput
from shared.domain.questions.suites import Json, Question, Scorer


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measured score in [0, 1], whether it passed, and why, in words."""

    score: float
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Unscored:
    """No score was measured; `kind` is counted and shown, `detail` is for people."""

    kind: ErrorKind
    detail: str


Outcome: TypeAlias = Verdict | Unscored


@dataclass(frozen=True, slots=True)
class _Part:
    scorer: Scorer
    weight: float


def score_answer(question: Question, answer: str, judged: Outcome | None = None) -> Outcome:
    """Score an answer by its question's scorer; SCORER_ERROR where the scorer could not be carried through.

    `judged` is what the judge said of this answer. It is needed exactly when `question.scorer.asks_the_judge`
    (ValueError otherwise), and takes the place of the llm-rubric, alone or within an assert-set.
    """
    try:
        if question.scorer.name == "assert-set":
            return _score_set(question, answer, judged)
        return _score_one(question.scorer, question, answer, judged)
    except InvalidInput as problem:
        return Unscored(ErrorKind.SCORER_ERROR, str(problem))


def validate_scorer(scorer: Scorer, target: str) -> None:
    """InvalidInput (`scorer`, `scorer_options.…`, `target`) unless the scorer can score by this target."""
    if scorer.name != "assert-set":
        _validate_one(scorer, target)
        return
    parts = _parts(scorer)
    for part in parts:
        _validate_one(part.scorer, target)
    if sum(part.scorer.name == "llm-rubric" for part in parts) > 1:
        raise InvalidInput(
            "scorer_options.assert", "it holds several llm-rubric.", "Join them into one rubric."
        )


def rubric(question: Question) -> str | None:
    """What the judge is asked to look for besides the reference: the `value` of the question's llm-rubric."""
    scorers = scorers_of(question.scorer)
    values = [scorer.options.get("value") for scorer in scorers if scorer.name == "llm-rubric"]
    return str(values[0]) if values and values[0] is not None else None


def scorers_of(scorer: Scorer) -> list[Scorer]:
    """The scorers that an answer goes through: those in an assert-set, or the one itself."""
    return [part.scorer for part in _parts(scorer)] if scorer.name == "assert-set" else [scorer]


def _score_set(question: Question, answer: str, judged: Outcome | None) -> Outcome:
    """The parts' weighted mean: passed if all parts pass or, given a threshold, if the mean reaches it."""
    parts = _parts(question.scorer)
    outcomes = [_score_one(part.scorer, question, answer, judged) for part in parts]
    failed: list[str] = []
    weighted: list[float] = []
    for part, outcome in zip(parts, outcomes, strict=True):
        if isinstance(outcome, Unscored):
            return outcome
        weighted.append(part.weight * outcome.score)
        if not outcome.passed:
            failed.append(f"{part.scorer.name}: {outcome.reason}")
    score = math.fsum(weighted) / math.fsum(part.weight for part in parts)
    threshold = question.scorer.options.get("threshold")
    if threshold is not None:
        needed = Terms(question.scorer.options, question.target).number("threshold", 0, highest=1)
        return Verdict(score, score >= needed, "; ".join([f"{score:.2f} of {needed:g} needed", *failed]))
    return Verdict(score, not failed, "; ".join(failed) or f"all {len(parts)} parts pass")


def _score_one(scorer: Scorer, question: Question, answer: str, judged: Outcome | None) -> Outcome:
    if scorer.name == "llm-rubric":
        return _judged(scorer, judged)
    try:
        passed, reason = prepare(scorer.name, Terms(scorer.options, question.target, question.input))(answer)
    except Unmeasurable as problem:
        return Unscored(ErrorKind.SCORER_ERROR, f"{scorer.name}: {problem}")
    return Verdict(1.0 if passed else 0.0, passed, reason)


def _judged(scorer: Scorer, judged: Outcome | None) -> Outcome:
    if judged is None:
        raise ValueError("an llm-rubric is scored by the judge: ask it first")
    if isinstance(judged, Unscored):
        return judged
    threshold = Terms(scorer.options, "").number("threshold", 0, highest=1)
    return Verdict(judged.score, judged.passed and judged.score >= threshold, judged.reason)


def _parts(scorer: Scorer) -> list[_Part]:
    """The assertions of an assert-set; InvalidInput where they are not of promptfoo's form."""
    refuse_unknown_options("assert-set", scorer.options, ("assert", "threshold"))
    Terms(scorer.options, "").number("threshold", 0, highest=1)
    listed = scorer.options.get("assert")
    if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed:
        raise InvalidInput(
            "scorer_options.assert", "it must be a list of assertions.", 'Write [{"type": …}, …].'
        )
    parts = [_part(entry) for entry in listed]
    if not any(part.weight for part in parts):
        raise InvalidInput("scorer_options.assert", "all weights are 0.", "Give one part a weight above 0.")
    return parts


def _part(entry: Json) -> _Part:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise InvalidInput(
            "scorer_options.assert", "a part has no type.", 'Write {"type": "contains", "value": …}.'
        )
    options = {key: value for key, value in entry.items() if key not in ("type", "weight")}
    weight = Terms(entry, "").number("weight", 1, highest=1_000)
    return _Part(Scorer(str(entry["type"]), options), weight)


def _validate_one(scorer: Scorer, target: str) -> None:
    if scorer.name == "llm-rubric":
        refuse_unknown_options(scorer.name, scorer.options, ("threshold", "value"))
        terms = Terms(scorer.options, target)
        terms.wanted_text()
        terms.number("threshold", 0, highest=1)
    elif scorer.name == "assert-set":
        raise InvalidInput(
            "scorer_options.assert", "an assert-set holds another one.", "Write its parts side by side."
        )
    else:
        prepare(scorer.name, Terms(scorer.options, target))


__all__ = [
    "SCORER_NAMES",
    "Outcome",
    "Unscored",
    "Verdict",
    "rubric",
    "score_answer",
    "scorers_of",
    "validate_scorer",
]
