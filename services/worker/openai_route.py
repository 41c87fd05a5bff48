"""The short way to OpenAI-compatible endpoints: blueprints of LiteLLM's requests, sent over one session.

It takes a twentieth of LiteLLM's CPU. Whatever comes back that isn't a plain answer, LiteLLM reads; whatever
has no blueprint, LiteLLM asks.
"""

import asyncio
import ssl
import time
import urllib.request
from collections import OrderedDict
from collections.abc import AsyncGenerator
from typing import TypeAlias

import litellm
import orjson
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar
from litellm.constants import openai_compatible_providers
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, get_ssl_configuration
from litellm.llms.openai_like.json_loader import JSONProviderRegistry
from yarl import URL

from services.worker.blueprints import Blueprint, Notes, draw, note_request, read_by_litellm, taking_notes
from services.worker.litellm_call import Arguments, Messages, call_litellm
from services.worker.replies import Reply, read_model_response, read_plain
from shared.domain.runs import Answer
from shared.settings import Transport

MOST_BLUEPRINTS = 512
MOST_BYTES = 32 * 2**20
# LiteLLM follows, or leaves out what was not understood.
SENT_ANEW = frozenset({301, 302, 303, 307, 308, 422})
OUR_CLOCK_ONLY = ClientTimeout(total=None)
# What only shapes the request. A parameter beyond them could change what LiteLLM does with the reply.
SHAPING = frozenset(
    {"model", "custom_llm_provider", "api_base", "base_url", "api_key", "organization", "extra_headers",
     "extra_body", "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "seed", "stop",
     "presence_penalty", "frequency_penalty", "logit_bias", "user", "response_format", "reasoning_effort",
     "verbosity", "service_tier", "store", "safety_identifier", "prompt_cache_key", "drop_params",
     "additional_drop_params", "allowed_openai_params"}
)  # fmt: skip

Learned: TypeAlias = Notes | Blueprint | None  # noted but not drawn yet, drawn, or LiteLLM's for good


class OpenAIRoute:
    """One event loop's connections, and the blueprints drawn so far."""

    def __init__(self, session: ClientSession, noting_session: ClientSession) -> None:
        self._session = session
        self._noting_session = noting_session
        self._learned: OrderedDict[bytes, Learned] = OrderedDict()

    async def blueprint_of(
        self, messages: Messages, arguments: Arguments, timeout_seconds: float
    ) -> Blueprint | None:
        """Draw it if a call was noted; None while LiteLLM has to be asked."""
        key = _key(messages, arguments, timeout_seconds)
        learned = self._learned.get(key) if key else None
        if key is None or not isinstance(learned, Notes):
            return learned if isinstance(learned, Blueprint) else None
        self._learned[key] = None  # meanwhile the others are LiteLLM's
        drawn = await draw(learned, arguments, timeout_seconds)
        if drawn is None or _is_proxied(drawn.url):
            return None
        self._learned[key] = drawn
        return drawn

    async def ask(
        self, blueprint: Blueprint, messages: Messages, arguments: Arguments, timeout_seconds: float
    ) -> Answer:
        """Raises aiohttp's exceptions, ReplyTooLong, or LiteLLM's if the provider has refused."""
        started = time.perf_counter()
        reply = await self._send(blueprint, messages)
        latency_seconds = time.perf_counter() - started
        answer = read_plain(reply, latency_seconds)
        if answer is not None:
            return answer
        if reply.status in SENT_ANEW:
            self._leave_to_litellm(messages, arguments, timeout_seconds)
            return await self.ask_litellm(messages, arguments, timeout_seconds)
        response = await read_by_litellm(reply, messages, arguments, timeout_seconds)
        return read_model_response(response, latency_seconds)

    async def _send(self, blueprint: Blueprint, messages: Messages) -> Reply:
        async with self._session.post(
            blueprint.url,
            headers=blueprint.headers,
            data=blueprint.body(messages),
            allow_redirects=False,
            timeout=OUR_CLOCK_ONLY,
        ) as response:
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise ReplyTooLong
            return Reply(response.status, response.headers, bytes(content))

    async def ask_litellm(self, messages: Messages, arguments: Arguments, timeout_seconds: float) -> Answer:
        """Notes what is sent if that may become a blueprint. Raises LiteLLM's exceptions."""
        # One client of LiteLLM serves all models at one address, so each of them gets the session that notes.
        is_compatible = _transport == "auto" and _may_be_compatible(arguments)
        connection = {"shared_session": self._noting_session} if is_compatible else {}
        started = time.perf_counter()
        with taking_notes(messages) as notes:
            try:
                response = await call_litellm(messages, arguments, timeout_seconds, **connection)
                return read_model_response(response, time.perf_counter() - started)
            finally:
                self._keep(notes, _key(messages, arguments, timeout_seconds))

    def _keep(self, notes: Notes, key: bytes | None) -> None:
        if notes.requests and key is not None and key not in self._learned:
            self._learned[key] = notes
            if len(self._learned) > MOST_BLUEPRINTS:
                self._learned.popitem(last=False)

    def _leave_to_litellm(self, messages: Messages, arguments: Arguments, timeout_seconds: float) -> None:
        key = _key(messages, arguments, timeout_seconds)
        if key is not None:
            self._learned[key] = None


class ReplyTooLong(Exception):
    """The provider's reply is longer than 32 MB."""

    def __init__(self) -> None:
        super().__init__(f"The provider's reply is longer than {MOST_BYTES // 2**20} MB.")


_transport: Transport = "auto"
_opened: tuple[asyncio.AbstractEventLoop, AsyncGenerator[OpenAIRoute, None], OpenAIRoute] | None = None


async def route() -> OpenAIRoute:
    """The running event loop's route, opened at its first call and closed with the loop."""
    global _opened
    loop = asyncio.get_running_loop()
    if _opened is None or _opened[0] is not loop:
        opening = _open()
        _opened = (loop, opening, await anext(opening))
    return _opened[2]


async def _open() -> AsyncGenerator[OpenAIRoute, None]:
    """Connections as LiteLLM would have them: its certificates, limits and keep-alive."""
    certificates = get_ssl_configuration()
    transport = AsyncHTTPHandler.create_aiohttp_transport(
        ssl_context=certificates if isinstance(certificates, ssl.SSLContext) else None,
        ssl_verify=certificates if isinstance(certificates, bool) else None,
    )
    async with (
        transport.get_valid_client_session() as session,
        ClientSession(
            connector=session.connector,
            connector_owner=False,
            cookie_jar=DummyCookieJar(),
            middlewares=(note_request,),
        ) as noting_session,
    ):
        yield OpenAIRoute(session, noting_session)


def _key(messages: Messages, arguments: Arguments, timeout_seconds: float) -> bytes | None:
    """What one blueprint is good for; None if LiteLLM has more to do than to write and read."""
    if _transport == "litellm" or not arguments.keys() <= SHAPING:
        return None
    if not all(message.keys() == {"role", "content"} and message["content"] for message in messages):
        return None
    try:
        return orjson.dumps([timeout_seconds, [message["role"] for message in messages], dict(arguments)])
    except TypeError:
        return None


def use_transport(transport: Transport) -> None:
    """Whether blueprints are used at all in this process: the setting DRIFTWARDEN_TRANSPORT."""
    global _transport
    _transport = transport


def _may_be_compatible(arguments: Arguments) -> bool:
    """Whether LiteLLM knows the provider as one that speaks OpenAI's protocol."""
    try:
        _, provider, _, _ = litellm.get_llm_provider(
            arguments["model"],
            custom_llm_provider=arguments.get("custom_llm_provider"),
            api_base=arguments.get("api_base") or arguments.get("base_url"),
        )
    except Exception:  # it will say so again when it is called
        return False
    return (
        provider in {"openai", "custom_openai"}
        or provider in openai_compatible_providers
        or JSONProviderRegistry.exists(provider)
    )


def _is_proxied(url: URL) -> bool:
    proxies = urllib.request.getproxies()
    is_bypassed = url.host is not None and bool(urllib.request.proxy_bypass(url.host))
    return bool(proxies.get(url.scheme) or proxies.get("all")) and not is_bypassed
