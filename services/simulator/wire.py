"""Chat completions as they travel: requests read, replies and errors written in OpenAI's form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

Headers: TypeAlias = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a client asks: the model by name, and the conversation as (role, text)."""

    model: str
    messages: tuple[tuple[str, str], ...]
    max_tokens: int | None

    @property
    def question(self) -> str:
        """The text of the last message of the user."""
        for role, text in reversed(self.messages):
            if role == "user":
                return text
        return self.messages[-1][1]

    @property
    def characters(self) -> int:
        return sum(len(text) for _, text in self.messages)


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply that is sent: usage counts tokens; `served_model` is what the provider says it was."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    served_model: str
    system_fingerprint: str | None

    def encode(self, request_id: str, created: int) -> bytes:
        return orjson.dumps(
            {
                "id": f"chatcmpl-{request_id}",
                "object": "chat.completion",
                "created": created,
                "model": self.served_model,
                "system_fingerprint": self.system_fingerprint,
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": self.text, "refusal": None},
                        "logprobs": None,
                        "finish_reason": self.finish_reason,
                    }
                ],
                "usage": {
                    "prompt_tokens": self.input_tokens,
                    "completion_tokens": self.output_tokens,
                    "total_tokens": self.input_tokens + self.output_tokens,
                },
            }
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """A reply that is an error: HTTP status and OpenAI's `code`; `retry_after_seconds` goes into a header."""

    status: int
    code: str
    message: str
    parameter: str | None = None
    retry_after_seconds: float | None = None

    def encode(self) -> bytes:
        kind = _KINDS.get(self.status, "server_error")
        return orjson.dumps(
            {"error": {"message": self.message, "type": kind, "param": self.parameter, "code": self.code}}
        )

    def headers(self) -> Headers:
        if self.retry_after_seconds is None:
            return []
        milliseconds = f"{self.retry_after_seconds * 1000:.0f}".encode()
        return [(b"retry-after", f"{self.retry_after_seconds:g}".encode()), (b"retry-after-ms", milliseconds)]


_KINDS = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    429: "requests",
}


def read_request(body: bytes) -> ChatRequest | Fault:
    """Read a chat completion request; a Fault says which field is wrong."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Fault(400, "invalid_json", f"The body is not JSON: {error}.")
    if not isinstance(content, dict):
        return Fault(400, "invalid_type", "The body must be a JSON object.")
    model, messages = content.get("model"), content.get("messages")
    if not isinstance(model, str) or not model:
        return Fault(400, "missing_required_parameter", "Name the model.", "model")
    if not isinstance(messages, list) or not messages:
        return Fault(400, "missing_required_parameter", "Send at least one message.", "messages")
    if content.get("stream"):
        return Fault(400, "unsupported_value", "This provider does not stream: leave `stream` out.", "stream")
    conversation = []
    for position, message in enumerate(messages):
        text = _text(message)
        if text is None:
            place = f"messages[{position}]"
            return Fault(400, "invalid_type", f"{place} needs a `role` and a `content` of text.", place)
        conversation.append((message["role"], text))
    limit = content.get("max_completion_tokens", content.get("max_tokens"))
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        return Fault(400, "invalid_value", "max_tokens must be a whole number above 0.", "max_tokens")
    return ChatRequest(model, tuple(conversation), limit)


def _text(message: Any) -> str | None:
    """A message's text, its parts joined; None if it is not a message of text."""
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        return None
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return None
    parts = [
        part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str)
    ]
    return "".join(parts) if len(parts) == len(content) else None
