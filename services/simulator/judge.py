"""Judges: a judging prompt is read, the answer is compared with the reference, a verdict is written."""

import re
from dataclasses import dataclass

import orjson

from services.simulator import chance
from services.simulator.behaviour import Formats, JudgeBehaviour
from services.simulator.nights import Tonight
from services.simulator.wire import ChatRequest
from shared.domain.answers.judging import extract

_NOT_A_WORD = re.compile(r"[\W_]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_MINUS = re.compile(r"(?<!\w)[-−](?=\d)")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judging prompt asks to be judged."""

    question: str
    reference: str
    answer: str


def read_judging_prompt(request: ChatRequest) -> Judged | None:
    """The three parts of a judging prompt; None where the request is not one."""
    try:
        return Judged(*extract([{"content": text} for _, text in request.messages]))
    except ValueError:
        return None


def agrees(reference: str, answer: str) -> bool:
    """Whether the answer says the reference: the same words, or they occur in it, side by side."""
    wanted = _words(reference)
    if not wanted.strip():  # nothing but signs, such as "<="
        return reference.strip() in answer
    return wanted in _words(answer)


def _words(text: str) -> str:
    """The words alone, in lower case, each between two spaces; a number keeps its sign and decimals."""
    text = _THOUSANDS.sub("", text.casefold())
    text = _MINUS.sub(" minus", _DECIMAL_POINT.sub("point", text))
    return f" {_NOT_A_WORD.sub(' ', text).strip()} "


def verdict(seed: int, tonight: Tonight, judged: Judged, night: int, attempt: int) -> str:
    """The judge's reply: JSON with reason, score and pass, or what the configured formats make of it.

    The same question and answer get the same verdict all night, whoever gave the answer; only the form in
    which it is written is drawn anew at each asking, so that asking once more can help.
    """
    behaviour = tonight.behaviour
    assert isinstance(behaviour, JudgeBehaviour)
    event = (seed, tonight.identity, judged.question, judged.answer)
    flip = chance.uniform(*event, "flip", night)
    form = chance.uniform(*event, "form", night, attempt)
    is_right = agrees(judged.reference, judged.answer)
    score = _score(behaviour, is_right, chance.uniform(*event, "borderline"))
    if flip < behaviour.noise:
        score = round(1 - score, 3)
    compared = "states what the reference states" if is_right else "does not state what the reference states"
    return _written(behaviour.formats, form, f"The answer {compared}.", score, score >= behaviour.pass_at)


def _score(behaviour: JudgeBehaviour, is_right: bool, draw: float) -> float:
    score = 1.0 if is_right else 0.0
    is_borderline = draw < behaviour.borderline.share
    if is_borderline:
        score = behaviour.borderline.right if is_right else behaviour.borderline.wrong
    if is_borderline or behaviour.shift_on == "all":
        score += behaviour.shift
    return round(min(1.0, max(0.0, score)), 3)


def _written(formats: Formats, draw: float, reason: str, score: float, passed: bool) -> str:
    plain = _as_json(reason, score, passed)
    match chance.choose(formats, draw):
        case None:
            return plain
        case "fenced":
            return f"```json\n{plain}\n```"
        case "prose":
            return f"I compared the answer with the reference.\n\n{plain}\n\nAsk me if you need more detail."
        case "latex":
            return plain.replace(reason, rf"{reason} Indeed \(2 \times 3 = 6\) and \sqrt{{9}} = 3.")
        case "off_scale":
            return _as_json(reason, round(score * 9 + 2, 3), passed)
        case _:
            return "Both texts have their merits, and I would rather not reduce them to a number."


def _as_json(reason: str, score: float, passed: bool) -> str:
    return orjson.dumps({"reason": reason, "score": score, "pass": passed}).decode()
