"""What goes wrong with a request: one draw decides which of the configured faults, if any, it meets."""

from enum import StrEnum

from services.simulator import chance
from services.simulator.behaviour import Faults
from services.simulator.wire import Fault

REFUSAL = "I'm sorry, but I can't help with that request."
MALFORMED = b'{"id": "chatcmpl-0", "object": "chat.completion", "choices": [{"index": 0, "message": {"ro'


class Fate(StrEnum):
    """What becomes of one request."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    HANG = "hang"
    MALFORMED = "malformed"
    CONTENT_FILTER = "content_filter"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    REFUSAL = "refusal"
    ANSWERED = "answered"


def fate(faults: Faults, draw: float) -> Fate:
    """Which fate a uniform draw falls on."""
    name = chance.choose(faults, draw)
    return Fate.ANSWERED if name is None else Fate(name)


def rate_limit(model: str, retry_after_seconds: float) -> Fault:
    message = f"Rate limit reached for {model}. Please try again in {retry_after_seconds:g}s."
    return Fault(429, "rate_limit_exceeded", message, retry_after_seconds=retry_after_seconds)


def server_error() -> Fault:
    return Fault(500, "internal_error", "The server had an error while processing your request.")


def context_too_long(limit: int, tokens: int) -> Fault:
    message = (
        f"This model's maximum context length is {limit} tokens. Your messages resulted in {tokens} tokens."
    )
    return Fault(400, "context_length_exceeded", message, "messages")


def unknown_model(model: str) -> Fault:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return Fault(404, "model_not_found", message, "model")


def nothing_recorded(model: str, night: int) -> Fault:
    message = f"Nothing is recorded of {model} for this input on night {night}."
    return Fault(404, "recording_not_found", message, "messages")


def wrong_key() -> Fault:
    return Fault(401, "invalid_api_key", "Incorrect API key provided.")


def not_a_post() -> Fault:
    return Fault(405, "method_not_allowed", "Send a POST request.")


def stopping() -> Fault:
    return Fault(503, "service_unavailable", "The server is stopping.")
