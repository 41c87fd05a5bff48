"""Controls: replies that depend on the input and on nothing else, night after night the same bytes."""

from hashlib import sha256

import orjson

from services.simulator.answers import AnswerSheet
from services.simulator.behaviour import ControlBehaviour
from services.simulator.nights import Tonight
from services.simulator.wire import ChatRequest


def steady_reply(tonight: Tonight, request: ChatRequest, sheet: AnswerSheet | None) -> str:
    """The known question's reference; else, or if so configured, a digest of the conversation."""
    behaviour = tonight.behaviour
    assert isinstance(behaviour, ControlBehaviour)
    if sheet is not None and behaviour.reply == "reference":
        return sheet.question.target
    return sha256(orjson.dumps(request.messages)).hexdigest()
