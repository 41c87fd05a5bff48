"""A simulated fleet without HTTP: what the tests of the simulator ask, and a thousand questions to ask."""

from pathlib import Path
from typing import Any

from services.simulator.config import SimulatorConfig
from services.simulator.fleet import Fleet, Malformed, Planned
from services.simulator.wire import ChatRequest, Completion, Fault
from shared.domain.answers.scoring import Verdict, score_answer
from shared.domain.questions.suites import Question
from tests.factories import make_question

QUESTIONS = [
    make_question(number, input=f"What is {number} + {number}? Think well.", category=category)
    for number in range(1, 1001)
    for category in ["math" if number % 2 else "sums"]
]


def make_fleet(
    questions: list[Question] = QUESTIONS[:8], folder: Path = Path(), **models: dict[str, Any]
) -> Fleet:
    return Fleet(SimulatorConfig.model_validate({"seed": 5, "models": models}), folder, questions)


def request_for(model: str, text: str, max_tokens: int | None = None) -> ChatRequest:
    return ChatRequest(model, (("user", text),), max_tokens)


def plan_reply(fleet: Fleet, request: ChatRequest) -> Completion | Fault | Malformed:
    planned = fleet.plan(request)
    assert isinstance(planned, Planned)
    return planned.reply


def reply_to(fleet: Fleet, model: str, text: str, **options: Any) -> Completion | Fault | Malformed:
    return plan_reply(fleet, request_for(model, text, **options))


def text_of(fleet: Fleet, model: str, text: str, **options: Any) -> str:
    reply = reply_to(fleet, model, text, **options)
    assert isinstance(reply, Completion)
    return reply.text


def is_right(fleet: Fleet, model: str, question: Question) -> bool:
    outcome = score_answer(question, text_of(fleet, model, question.input))
    assert isinstance(outcome, Verdict)
    return outcome.passed


def right_on(fleet: Fleet, model: str, night: int, questions: list[Question] = QUESTIONS) -> list[bool]:
    fleet.calendar.set(night)
    return [is_right(fleet, model, question) for question in questions]
