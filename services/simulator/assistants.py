"""Assistants: whether a question is answered rightly tonight, and with which words."""

from functools import lru_cache

from services.simulator import chance
from services.simulator.answers import AnswerSheet
from services.simulator.behaviour import AssistantBehaviour, Drop
from services.simulator.nights import Tonight

_ease = lru_cache(maxsize=200_000)(chance.ease)
_SHARED = 0.5


def chance_to_be_right(seed: int, tonight: Tonight, sheet: AnswerSheet, night: int) -> float:
    """The probability of a right answer, before noise.

    A question keeps its ease from night to night. For half of the questions, drawn per model, the ease is the
    same for all models; so what is hard for one is often hard for another.
    """
    behaviour = tonight.behaviour
    assert isinstance(behaviour, AssistantBehaviour)
    who, question, category = tonight.identity, sheet.question.input, sheet.question.category
    skill = behaviour.skill_in(category) - behaviour.decay * tonight.nights_of_decay
    if behaviour.night_noise:
        skill += behaviour.night_noise * chance.normal(seed, who, "night", night)
    skill = min(1.0, max(0.0, skill))
    loss = _loss(seed, who, question, category, behaviour.drop, skill)
    if behaviour.steady:
        threshold, lost, *_ = chance.uniforms(seed, who, question, "steady")
        return float(threshold < skill and lost >= loss)
    is_shared = chance.uniform(seed, who, question, "shared") < _SHARED
    ease = _ease(seed, "ease", question) if is_shared else _ease(seed, who, "ease", question)
    return float(ease ** chance.bend(skill)) * (1 - loss)


def _loss(seed: int, who: str, question: str, category: str, drop: Drop | None, skill: float) -> float:
    """The share of its chances that a question loses: nothing unless the drop hits it."""
    if drop is None or skill <= 0 or drop.category not in (None, category):
        return 0.0
    if chance.uniform(seed, who, question, "drop") >= drop.share:
        return 0.0
    return min(1.0, drop.points / (drop.share * skill))


def answer(seed: int, tonight: Tonight, sheet: AnswerSheet, night: int, attempt: int) -> str:
    """The answer of the `attempt`-th asking (from 0) on a night; the same arguments give the same words."""
    behaviour = tonight.behaviour
    assert isinstance(behaviour, AssistantBehaviour)
    who, question = tonight.identity, sheet.question.input
    right, flip, *_ = chance.uniforms(seed, who, question, "answer", night, attempt)
    is_right = right < chance_to_be_right(seed, tonight, sheet, night)
    if flip < behaviour.noise:
        is_right = not is_right
    texts = sheet.right if is_right else sheet.wrong
    return texts[int(chance.uniform(seed, who, question, "words") * len(texts))]


def small_talk(question: str) -> str:
    """The reply to what no suite knows: fluent, the same every time, and of no use."""
    topic = " ".join(question.split()[:8])
    return f"That depends on what is meant by “{topic}”; in general there is no single answer."
