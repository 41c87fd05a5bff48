"""A model is asked by LiteLLM or by a copy of its request: neither provider nor caller can tell which."""

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from services.worker import openai_route
from services.worker.openai_route import MOST_BYTES, route
from services.worker.provider import Permanent, Transient, complete
from shared.domain.errors import ErrorKind
from shared.domain.runs import Answer
from tests.integration.fleet import ROOT
from tests.integration.scripted_provider import (
    ScriptedProvider,
    Send,
    hang,
    http,
    raw,
    reset,
    serve_script,
)

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Two and two? Ünïcode 🙂"},
]
OTHERS = [{"role": "system", "content": "Be long."}, {"role": "user", "content": "And three?"}]
MESSAGE = {"role": "assistant", "content": "Four."}
GOOD: dict[str, Any] = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m-2024",
    "system_fingerprint": "fp_1",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop", "logprobs": None}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
}  # fmt: skip


def good(**changed: Any) -> Send:
    return http(200, {**GOOD, **changed})


def without(*names: str) -> Send:
    return http(200, {name: value for name, value in GOOD.items() if name not in names})


def choosing(finish_reason: str | None = "stop", **message: Any) -> Send:
    choice = {"index": 0, "message": {**MESSAGE, **message}, "finish_reason": finish_reason}
    return good(choices=[choice])


def error(status: int, message: str = "No.", code: str | None = None, **headers: str) -> Send:
    return http(status, {"error": {"message": message, "type": "t", "param": None, "code": code}}, **headers)


CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
LENGTH = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
POLICY = "Your request was rejected as a result of our safety system."
SLOW = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"id": '
WIRE = json.dumps(GOOD).encode()
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    b"32\r\n%s\r\n" % WIRE[:50],
    b"%x\r\n%s\r\n" % (len(WIRE) - 50, WIRE[50:]),
    b"0\r\n\r\n",
)  # fmt: skip

REPLIES: dict[str, Send] = {
    "success": good(),
    "cut off": choosing("length"),
    "filtered": choosing("content_filter", content=None),
    "filtered with text": choosing("content_filter"),
    "refusal": choosing(content=None, refusal="I cannot help with that."),
    "null content": choosing(content=None),
    "empty content": choosing(content=""),
    "content in parts": choosing(content=[{"type": "text", "text": "Fo"}, {"type": "text", "text": "ur."}]),
    "tool call": choosing("tool_calls", content=None, tool_calls=[CALL]),
    "tool call that says stop": choosing("stop", content="x", tool_calls=[CALL]),
    "empty tool calls": choosing(tool_calls=[], function_call=None, annotations=[]),
    "reasoning beside": choosing(reasoning_content="Two, two ..."),
    "only reasoning": choosing("length", content="", reasoning_content="Two, two ..."),
    "reasoning within": choosing(content="<think>Two, two ...</think>Four."),
    "reasoning in the middle": choosing(content="So: <think>hm</think> Four."),
    "foreign ending": choosing("end_turn"),
    "unknown ending": choosing("whatever"),
    "no ending": choosing(None),
    "unknown field in message": choosing(mood="glad"),
    "two choices": good(choices=GOOD["choices"] * 2),
    "no choices": good(choices=[]),
    "choices null": good(choices=None),
    "no role": good(choices=[{"index": 0, "message": {"content": "Four."}, "finish_reason": "stop"}]),
    "usage absent": without("usage"),
    "usage null": good(usage=None),
    "usage empty": good(usage={}),
    "usage with details": good(
        usage={**GOOD["usage"], "prompt_tokens_details": {"cached_tokens": 8},
               "completion_tokens_details": {"reasoning_tokens": 1}}
    ),
    "usage in floats": good(usage={"prompt_tokens": 11.0, "completion_tokens": 2.0, "total_tokens": 13.0}),
    "no id": without("id"),
    "id null": good(id=None),
    "no model": without("model"),
    "model null": good(model=None),
    "no fingerprint": without("system_fingerprint"),
    "more fields": good(service_tier="default", provider="x", prompt_logprobs=None, warning={"a": 1}),
    "NUL and surrogate": choosing(content="a\x00b\ud800c"),
    "error within 200": good(error={"message": "overloaded", "code": 503}),
    "error null within 200": good(error=None),
    "only an error within 200": http(200, {"error": {"message": "overloaded", "code": 429}}),
    "chunked": raw(*CHUNKED),
    "compressed": http(200, gzip.compress(json.dumps(GOOD).encode()), content_encoding="gzip"),
    "compressed badly": http(200, b"not gzip", content_encoding="gzip"),
    "huge": choosing(content="long " * 400_000),
    "JSON by another name": http(200, GOOD, content_type="application/vnd.x+json; charset=utf-8"),
    "JSON called text": http(200, GOOD, content_type="text/plain"),
    "invalid JSON": http(200, '{"id": "chatcmpl-1", "choi'),
    "JSON of another kind": http(200, "[1, 2]"),
    "no body": http(200, b""),
    "HTML": http(200, "<html>Sign in</html>", content_type="text/html"),
    "HTML error": http(502, "<html>Bad gateway</html>", content_type="text/html"),
    "bad request": error(400),
    "context length": error(400, LENGTH, "context_length_exceeded"),
    "content policy": error(400, POLICY, "content_policy_violation"),
    "output limit": error(
        400, "Could not finish the message because max_tokens or model output limit was reached."
    ),
    "no key": error(401, "Incorrect API key provided."),
    "no money": error(402, "Insufficient balance"),
    "forbidden": error(403),
    "no model there": error(404, "The model does not exist.", "model_not_found"),
    "not allowed": error(405),
    "their timeout": error(408),
    "conflict": error(409),
    "too large": error(413),
    "unprocessable": error(422),
    "rate limit": error(429, "Slow down."),
    "rate limit with wait": error(429, "Slow down.", retry_after="7"),
    "rate limit until a date": error(429, retry_after="Wed, 21 Oct 2037 07:28:00 GMT"),
    "quota": error(429, "You exceeded your current quota.", "insufficient_quota"),
    "server error": error(500),
    "bad gateway": error(502),
    "unavailable": error(503, retry_after="3.5"),
    "gateway timeout": error(504),
    "overloaded": error(529, "Overloaded"),
    "error in words": http(500, "Internal Server Error", content_type="text/plain"),
    "error without body": http(503, b""),
    "redirect to nowhere": http(307, b"", location="http://127.0.0.1:9/v1/chat/completions"),
    "redirect without location": http(302, b""),
    "reset": reset,
    "half a body": raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"),
    "half a head": raw(b"HTTP/1.1 200 O"),
    "no HTTP": raw(b"220 mail.example ESMTP\r\n"),
    "hang": hang,
    "slow body": raw(SLOW, *[b" "] * 40, seconds_between=0.1),
}  # fmt: skip


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with serve_script(good()) as provider:
        yield provider


def arguments_for(provider: ScriptedProvider, **more: Any) -> dict[str, Any]:
    return {"model": "openai/m", "api_base": provider.url, "api_key": "sk-none", **more}


async def learn(provider: ScriptedProvider, arguments: Mapping[str, Any], timeout_seconds: float) -> bool:
    """One call by LiteLLM; True if the next ones, which say something else, are copies of it."""
    await complete(OTHERS, arguments, timeout_seconds)
    return await (await route()).blueprint_of(MESSAGES, arguments, timeout_seconds) is not None


async def outcome(arguments: Mapping[str, Any], timeout_seconds: float) -> Any:
    try:
        answer = await complete(MESSAGES, arguments, timeout_seconds)
    except (Transient, Permanent) as refusal:
        return type(refusal), refusal.kind, getattr(refusal, "retry_after_seconds", None)
    is_known = answer.request_id == GOOD["id"]
    return replace(answer, latency_seconds=0.0, request_id=answer.request_id if is_known else "made up")


@pytest.mark.parametrize("name", REPLIES)
async def test_each_reply_means_the_same_on_both_routes(
    provider: ScriptedProvider, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = arguments_for(provider, temperature=0, max_tokens=50)
    timeout_seconds = 1.0 if name in ("hang", "slow body") else 20.0
    assert await learn(provider, arguments, timeout_seconds)
    provider.script = REPLIES[name]

    copied = await outcome(arguments, timeout_seconds)
    monkeypatch.setattr(openai_route, "_transport", "litellm")
    assert copied == await outcome(arguments, timeout_seconds)


async def test_a_server_that_is_gone_means_the_same_on_both_routes(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = arguments_for(provider)
    provider.script = http(200, GOOD, connection="close")
    assert await learn(provider, arguments, 20.0)
    assert provider.server is not None
    provider.server.close()

    copied = await outcome(arguments, 20.0)
    monkeypatch.setattr(openai_route, "_transport", "litellm")
    assert copied == await outcome(arguments, 20.0) == (Transient, ErrorKind.UNAVAILABLE, None)


OWN_OF_THE_CONNECTION = {"host", "content-length", "accept-encoding", "connection"}


async def asked_twice(
    provider: ScriptedProvider, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[bool, list[Any]]:
    """Ask on both routes: whether the first was a copy, and the outcomes with the last requests."""
    seen: list[Any] = []
    is_copied = await learn(provider, arguments, 20.0)
    for _ in range(2):
        seen.append((await outcome(arguments, 20.0), provider.requests[-1]))
        monkeypatch.setattr(openai_route, "_transport", "litellm")
    for _, request in seen:
        for name in OWN_OF_THE_CONNECTION & request.headers.keys():
            del request.headers[name]
    return is_copied, seen


SCHEMA = {"name": "verdict", "schema": {"type": "object", "properties": {"score": {"type": "number"}}}}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"temperature": 0, "top_p": 0.5, "max_tokens": 7, "seed": 1, "stop": ["\n"], "user": "u"},
        {"presence_penalty": 0.1, "frequency_penalty": 0.2, "logit_bias": {"50256": -100}},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
        {"extra_headers": {"X-Team": "evaluation"}, "extra_body": {"top_k": 4, "guided": {"a": [1]}}},
        {"organization": "org-1"},
        {"top_k": 4},
        {"model": "openai/o3-mini", "temperature": 0, "max_tokens": 9, "reasoning_effort": "low"},
        {"model": "openai/gpt-5-mini", "temperature": 0, "max_tokens": 9, "reasoning_effort": "minimal"},
        {"model": "openai/gpt-4o", "user": "u", "temperature": 0.123456789},
        {"model": "openai/o1-preview", "max_tokens": 9},
        {"model": "gpt-4o-mini"},
        {"model": "m", "custom_llm_provider": "openai"},
        {"temperature": 0, "additional_drop_params": ["temperature"]},
    ],
)
async def test_the_provider_is_sent_the_same_on_both_routes(
    provider: ScriptedProvider, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_copied, (ours, litellms) = await asked_twice(
        provider, arguments_for(provider, **parameters), monkeypatch
    )
    assert is_copied
    assert ours == litellms


@pytest.mark.parametrize(
    "model",
    ["cerebras/m", "deepinfra/m", "fireworks_ai/m", "friendliai/m", "lm_studio/m", "nvidia_nim/m",
     "perplexity/m", "sambanova/m", "together_ai/m", "volcengine/m", "nebius/m", "novita/m", "publicai/m",
     "deepseek/m", "groq/m", "hosted_vllm/m", "mistral/m", "openrouter/m", "xai/m", "litellm_proxy/m",
     "moonshot/m"],
)  # fmt: skip
async def test_every_provider_is_asked_as_litellm_asks_it(
    provider: ScriptedProvider, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = arguments_for(provider, model=model, temperature=0, max_tokens=5)
    provider.script = good(service_tier="auto")  # LiteLLM expects it of Groq
    _, (ours, litellms) = await asked_twice(provider, arguments, monkeypatch)
    assert ours == litellms
    assert isinstance(ours[0], Answer)


@pytest.mark.parametrize(
    "unsuited",
    [
        {"mock_response": "Mocked."},
        {"ssl_verify": False},
        {"metadata": {"team": "x"}},
        {"enable_json_schema_validation": True},
        {"extra_headers": {"Authorization": "Bearer token-that-somebody-renews"}},
        {"extra_body": {"messages": [{"role": "user", "content": "Another question."}]}},
        {"model": "anthropic/claude-3-haiku"},
        {"model": "azure/m", "api_version": "2024-06-01"},
    ],
)
async def test_what_a_copy_could_get_wrong_stays_with_litellm(
    provider: ScriptedProvider, unsuited: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = arguments_for(provider, **unsuited)
    await outcome(arguments, 20.0)
    assert await (await route()).blueprint_of(MESSAGES, arguments, 20.0) is None


async def test_behind_a_proxy_litellm_asks(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await learn(provider, arguments_for(provider), 20.0)
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    monkeypatch.setenv("HTTP_PROXY", provider.url.removesuffix("/v1"))
    assert not await learn(provider, arguments_for(provider, seed=2), 20.0)


async def test_an_empty_message_is_litellms(provider: ScriptedProvider) -> None:
    await complete([{"role": "user", "content": ""}], arguments_for(provider), 20.0)
    assert await (await route()).blueprint_of([{"role": "user", "content": ""}], {}, 20.0) is None


async def test_a_parameter_that_is_refused_is_left_out(provider: ScriptedProvider) -> None:
    """422 with its place: LiteLLM asks again without it, and so it stays."""
    arguments = arguments_for(provider, temperature=0.5)
    assert await learn(provider, arguments, 20.0)
    complaint = json.dumps({"detail": [{"loc": ["body", "temperature"], "msg": "no"}]})
    refusal = http(422, {"error": {"message": complaint, "type": "t"}})

    async def refuse_temperature(writer: asyncio.StreamWriter) -> Any:
        return await (refusal if "temperature" in provider.requests[-1].body else good())(writer)

    provider.script = refuse_temperature
    for _ in range(2):
        assert isinstance(await outcome(arguments, 20.0), Answer)
        assert "temperature" not in provider.requests[-1].body


async def test_a_redirection_is_followed_as_litellm_does(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = arguments_for(provider)
    assert await learn(provider, arguments, 20.0)

    async def move(writer: asyncio.StreamWriter) -> Any:
        is_moved = provider.requests[-1].path == "/moved"
        return await (good() if is_moved else http(307, b"", location="/moved"))(writer)

    provider.script = move
    copied = await outcome(arguments, 20.0)
    monkeypatch.setattr(openai_route, "_transport", "litellm")
    assert copied == await outcome(arguments, 20.0)
    assert isinstance(copied, Answer)


async def test_a_reply_without_end_is_cut_off(provider: ScriptedProvider) -> None:
    arguments = arguments_for(provider)
    assert await learn(provider, arguments, 20.0)
    provider.script = http(200, b" " * (MOST_BYTES + 2**16))
    with pytest.raises(Transient, match="longer than 32 MB"):
        await complete(MESSAGES, arguments, 20.0)


async def test_no_key_shows_in_what_is_kept(provider: ScriptedProvider) -> None:
    arguments = arguments_for(provider, api_key="sk-very-secret")
    assert await learn(provider, arguments, 20.0)
    blueprint = await (await route()).blueprint_of(OTHERS, arguments, 20.0)
    assert blueprint is not None
    assert "sk-very-secret" not in repr(blueprint)


LEAVING = """
import asyncio, sys
from services.worker.provider import complete
arguments = {"model": "openai/m", "api_base": sys.argv[1], "api_key": "none"}

async def ask():
    for _ in range(3):
        print((await complete([{"role": "user", "content": "?"}], arguments, 20.0)).response)

asyncio.run(ask())
asyncio.run(ask())
"""


async def test_connections_close_with_their_event_loop(provider: ScriptedProvider) -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "always::ResourceWarning", "-c", LEAVING, provider.url),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaints = await program.communicate()
    assert output.decode().split() == ["Four."] * 6
    assert "nclosed" not in complaints.decode()
