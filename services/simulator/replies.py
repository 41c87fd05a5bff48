"""From a draft to the reply that is sent: form, faults of the text, token counts and the time it takes."""

from dataclasses import dataclass
from typing import assert_never

from services.simulator import chance
from services.simulator.behaviour import Behaviour, Latency
from services.simulator.faults import REFUSAL, Fate
from services.simulator.wire import ChatRequest, Completion

_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model means to say; tokens and seconds are those of a recording, else None."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_seconds: float | None = None


def tokens_in(characters: int) -> int:
    """A plausible number of tokens for so many characters."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


def complete(request: ChatRequest, behaviour: Behaviour, draft: Draft, fate: Fate) -> Completion:
    """The completion that is sent; beyond the request's max_tokens it is cut, with finish_reason `length`."""
    text, finish_reason = draft.text, "stop"
    if fate is Fate.REFUSAL:
        text = REFUSAL
    text = _formed(text, behaviour)
    if fate is Fate.CONTENT_FILTER:
        text, finish_reason = "", "content_filter"
    elif fate is Fate.EMPTY:
        text = ""
    elif fate is Fate.TRUNCATED:
        text, finish_reason = text[: len(text) // 2], "length"
    elif request.max_tokens is not None and len(text) > request.max_tokens * _CHARACTERS_PER_TOKEN:
        text, finish_reason = text[: request.max_tokens * _CHARACTERS_PER_TOKEN], "length"
    fixed = behaviour.tokens
    written = draft.output_tokens if text == draft.text else None
    return Completion(
        text=text,
        finish_reason=finish_reason,
        input_tokens=_first(fixed.input, draft.input_tokens, tokens_in(request.characters)),
        output_tokens=_first(fixed.output, written, round(tokens_in(len(text)) * fixed.output_scale)),
        served_model=behaviour.served_model or request.model,
        system_fingerprint=behaviour.system_fingerprint,
    )


def _formed(text: str, behaviour: Behaviour) -> str:
    match behaviour.output:
        case "plain":
            return text
        case "fenced":
            return f"```\n{text}\n```"
        case "chatty":
            return f"Certainly! Here is what I found.\n\n{text}"
        case other:
            assert_never(other)


def _first(*candidates: int | None) -> int:
    return next(count for count in candidates if count is not None)


def seconds_to_reply(behaviour: Behaviour, draft: Draft | None, *event: object) -> float:
    """How long the reply takes: as configured, drawn for this event, else as recorded, else 0."""
    match behaviour.latency:
        case None:
            return 0.0 if draft is None or draft.latency_seconds is None else draft.latency_seconds
        case Latency(mean_seconds=mean, law="constant"):
            return mean
        case Latency(mean_seconds=mean, law="lognormal", variation=variation):
            return mean * chance.lognormal(variation, *event, "latency")
        case Latency(mean_seconds=mean, law="gamma", variation=variation):
            return mean * chance.gamma(variation, *event, "latency")
        case float() as constant:
            return constant
        case other:
            raise AssertionError(other)
