"""What LiteLLM writes to an OpenAI-compatible endpoint, noted once and used for every call that follows.

LiteLLM alone decides where a request goes, which headers it has and how its parameters are put. For each
model with its parameters it is watched at one real call; then it writes about another question, to nobody,
and reads a known reply. Only if the second request is the first one with other messages, and the known reply
is read as expected, is there a blueprint. All else (other protocols, signed requests, tokens that LiteLLM
renews, mocks, bridges to other endpoints) stays with LiteLLM.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from multidict import CIMultiDict, CIMultiDictProxy
from openai import AsyncOpenAI
from yarl import URL

from services.worker.litellm_call import Arguments, Messages, call_litellm
from services.worker.replies import Reply, read_model_response, read_plain

# Each connection sets these for itself.
OF_THE_CONNECTION = frozenset({"host", "content-length", "accept-encoding", "connection", "cookie"})
OF_THE_ENCODING = frozenset({"content-encoding", "content-length", "transfer-encoding"})
SIGN_OF_THE_SDK = "x-stainless-lang"  # the OpenAI client under LiteLLM sent it, so it can read a reply, too

KNOWN = {
    "id": "known",
    "object": "chat.completion",
    "created": 1,
    "model": "served",
    "system_fingerprint": "print",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Known."}, "finish_reason": "length"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
KNOWN_REPLY = Reply(
    200, CIMultiDictProxy(CIMultiDict({"content-type": "application/json"})), orjson.dumps(KNOWN)
)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A request but for what its messages say."""

    url: URL
    headers: Mapping[str, str] = field(repr=False)
    form: "Form"

    def body(self, messages: Messages) -> bytes:
        sent = [
            {"role": role, "content": message["content"]}
            for role, message in zip(self.form.roles, messages, strict=True)
        ]
        return orjson.dumps({**self.form.parameters, "messages": sent})


@dataclass(frozen=True, slots=True)
class Form:
    """A body but for what its messages say; some models take a system's message as a user's."""

    parameters: Mapping[str, Any]
    roles: Sequence[str]


@dataclass(slots=True)
class Notes:
    """The requests that were sent while they were taken, for these messages."""

    messages: Messages = field(repr=False)
    requests: list[tuple[URL, Mapping[str, str], bytes]] = field(repr=False, default_factory=list)


_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


@contextmanager
def taking_notes(messages: Messages) -> Iterator[Notes]:
    """Note what this task sends over a session that has the middleware `note_request`."""
    notes = Notes(messages)
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


async def note_request(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """A middleware for aiohttp's sessions."""
    notes = _notes.get()
    if notes is not None:
        body = request.body
        content = body if isinstance(body, bytes) else await body.as_bytes()
        notes.requests.append((request.url, CIMultiDict(request.headers), content))
    return await send(request)


async def draw(notes: Notes, arguments: Arguments, timeout_seconds: float) -> Blueprint | None:
    """The blueprint of the call that was noted; None if LiteLLM is needed for each one."""
    if len(notes.requests) != 1:
        return None
    url, headers, content = notes.requests[0]
    form = _read_form(content, notes.messages)
    if form is None or SIGN_OF_THE_SDK not in headers or not _is_the_users_key(headers, arguments):
        return None
    kept = {name: value for name, value in headers.items() if name.lower() not in OF_THE_CONNECTION}
    is_understood = await _try_out(form, notes.messages, arguments, timeout_seconds)
    return Blueprint(url, kept, form) if is_understood else None


def _read_form(content: bytes, messages: Messages) -> Form | None:
    """None unless the messages say what ours say, one by one."""
    try:
        body = orjson.loads(content)
        sent = body.pop("messages")
        roles = [message["role"] for message in sent]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
    ours = [
        {"role": role, "content": message["content"]} for role, message in zip(roles, messages, strict=False)
    ]
    return Form(body, roles) if sent == ours and len(sent) == len(messages) else None


def _is_the_users_key(headers: Mapping[str, str], arguments: Arguments) -> bool:
    """Whether the key is one that was given to us: a token that LiteLLM has fetched will not last."""
    key = headers.get("authorization", "").removeprefix("Bearer ")
    return bool(key) and (key == arguments.get("api_key") or key in os.environ.values())


async def _try_out(form: Form, messages: Messages, arguments: Arguments, timeout_seconds: float) -> bool:
    """Have LiteLLM write to nobody and read a known reply: whether both come out as we would do it."""
    others = [{"role": message["role"], "content": f"{number}?"} for number, message in enumerate(messages)]
    exchange = _Exchange(KNOWN_REPLY)
    try:
        response = await _exchange_with_litellm(exchange, others, arguments, timeout_seconds)
        answer = read_model_response(response, 0.0)
    except Exception:  # whatever it dislikes, it will say so again at each real call
        return False
    is_copied = exchange.request is not None and _read_form(exchange.request.content, others) == form
    return is_copied and answer == read_plain(KNOWN_REPLY, 0.0)


async def read_by_litellm(
    reply: Reply, messages: Messages, arguments: Arguments, timeout_seconds: float
) -> Any:
    """What LiteLLM makes of a reply that is there already: a `ModelResponse`, or its exception.

    Raises:
        Exception: LiteLLM's own, one class for each kind of refusal.
    """
    return await _exchange_with_litellm(_Exchange(reply), messages, arguments, timeout_seconds)


@dataclass(slots=True)
class _Exchange:
    reply: Reply
    request: httpx.Request | None = None


_exchange: ContextVar[_Exchange] = ContextVar("exchange")


class _NoNetwork(httpx.AsyncBaseTransport):
    """Answers with the reply of the task that asks."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _exchange.get()
        exchange.request = request
        headers = [
            (name, value)
            for name, value in exchange.reply.headers.items()
            if name.lower() not in OF_THE_ENCODING
        ]
        return httpx.Response(exchange.reply.status, headers=headers, content=exchange.reply.content)


_nowhere = AsyncOpenAI(
    api_key="none",
    base_url="http://nowhere.invalid",
    max_retries=0,
    http_client=httpx.AsyncClient(transport=_NoNetwork(), trust_env=False),
)


async def _exchange_with_litellm(
    exchange: _Exchange, messages: Messages, arguments: Arguments, timeout_seconds: float
) -> Any:
    token = _exchange.set(exchange)
    try:
        return await call_litellm(messages, arguments, timeout_seconds, client=_nowhere)
    finally:
        _exchange.reset(token)
