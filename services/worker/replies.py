"""What a model sends back, read into an `Answer`: by LiteLLM, or here if nothing needs interpreting."""

from dataclasses import dataclass
from typing import Any

import orjson
from multidict import CIMultiDictProxy

from shared.domain.runs import Answer

PLAIN_ENDINGS = frozenset({"stop", "length", "content_filter"})  # LiteLLM translates every other one
PLAIN_MESSAGE = frozenset(
    {"role", "content", "refusal", "annotations", "audio", "function_call", "tool_calls",
     "reasoning", "reasoning_content"}
)  # fmt: skip
MARKS_OF_THOUGHT = ("<think", "<budget:")  # LiteLLM cuts such a part out of the answer


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's reply as it came over the wire, decompressed."""

    status: int
    headers: CIMultiDictProxy[str]
    content: bytes


def read_model_response(response: Any, latency_seconds: float) -> Answer:
    """LiteLLM's `ModelResponse`, whatever provider it is from."""
    choice = response.choices[0]
    usage = getattr(response, "usage", None)
    return Answer(
        response=choice.message.content or getattr(choice.message, "refusal", None) or "",
        finish_reason=choice.finish_reason,
        served_model=response.model,
        system_fingerprint=getattr(response, "system_fingerprint", None),
        request_id=response.id,
        latency_seconds=latency_seconds,
        input_tokens=getattr(usage, "prompt_tokens", None),
        output_tokens=getattr(usage, "completion_tokens", None),
        cost_usd=None,
    )


def read_plain(reply: Reply, latency_seconds: float) -> Answer | None:
    """A chat completion that says one thing in one way; None for all that needs LiteLLM's judgement:
    refusals, tool calls, thoughts within the text, several choices, missing or odd fields.
    """
    if reply.status != 200 or not _is_json(reply.headers):
        return None
    try:
        content = orjson.loads(reply.content)
    except orjson.JSONDecodeError:
        return None
    match content:
        case {
            "id": str(request_id),
            "model": str(model),
            "choices": [{"message": {"role": "assistant", "content": str(text)} as message,
                         "finish_reason": str(ending)}],
            "usage": {"prompt_tokens": int(input_tokens), "completion_tokens": int(output_tokens)},
        }:  # fmt: skip
            pass
        case _:
            return None
    fingerprint = content.get("system_fingerprint")
    is_plain = (
        text
        and request_id
        and ending in PLAIN_ENDINGS
        and not text.startswith(MARKS_OF_THOUGHT)
        and "error" not in content
        and message.keys() <= PLAIN_MESSAGE
        and not any(message.get(name) for name in ("tool_calls", "function_call", "audio"))
        and (fingerprint is None or isinstance(fingerprint, str))
        and not isinstance(input_tokens, bool)
        and not isinstance(output_tokens, bool)
    )
    if not is_plain:
        return None
    return Answer(
        response=text,
        finish_reason=ending,
        served_model=model,
        system_fingerprint=fingerprint,
        request_id=request_id,
        latency_seconds=latency_seconds,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=None,
    )


def _is_json(headers: CIMultiDictProxy[str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json")
