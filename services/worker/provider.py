"""The only door to language models: LiteLLM, called under our own clock, its errors sorted into two kinds."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from litellm import exceptions as refusals

from services.worker.openai_route import route
from shared.domain.errors import ErrorKind
from shared.domain.runs import Answer
from shared.domain.texts import make_storable
from shared.redaction import redact

SECRET_WORDS = ("key", "token", "secret", "password")


class Transient(Exception):
    """{kind}: {detail} (may pass; worth another try)"""

    def __init__(self, kind: ErrorKind, detail: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class Permanent(Exception):
    """{kind}: {detail} (the same request would fail again)"""

    def __init__(self, kind: ErrorKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


async def warm_up() -> None:
    """Make the first call of this process, to nobody: LiteLLM takes most of a second for it.

    Otherwise that second would be measured as the latency of whichever model comes first.
    """
    nobody = {"model": "openai/nobody", "api_base": "http://127.0.0.1:9/v1", "api_key": "none"}
    with suppress(Transient, Permanent):
        await complete([{"role": "user", "content": "?"}], nobody, timeout_seconds=5.0)


async def complete(
    messages: Sequence[Mapping[str, str]], arguments: Mapping[str, Any], timeout_seconds: float
) -> Answer:
    """Ask a model once; `arguments` are LiteLLM's own: model, api_base, api_key, temperature and the like.

    Latency is wall-clock seconds, tokens are as the provider reports them or None, and no price is put on it.

    Raises:
        Transient: rate limit, timeout, connection or server error.
        Permanent: the provider refuses this request as such.
    """
    way = await route()
    blueprint = await way.blueprint_of(messages, arguments, timeout_seconds)
    try:
        async with asyncio.timeout(timeout_seconds):
            if blueprint is not None:
                return await way.ask(blueprint, messages, arguments, timeout_seconds)
            return await way.ask_litellm(messages, arguments, timeout_seconds)
    except Exception as error:
        raise _sorted(error, redact(str(error), _secrets(arguments)), timeout_seconds) from error


PERMANENT_KINDS: tuple[tuple[type[Exception], ErrorKind], ...] = (
    (refusals.ContextWindowExceededError, ErrorKind.CONTEXT_LENGTH),
    (refusals.ContentPolicyViolationError, ErrorKind.CONTENT_FILTER),
    (refusals.AuthenticationError, ErrorKind.AUTHENTICATION),
    (refusals.PermissionDeniedError, ErrorKind.AUTHENTICATION),
    (refusals.NotFoundError, ErrorKind.NOT_FOUND),
    (refusals.BadRequestError, ErrorKind.BAD_REQUEST),
    (refusals.UnprocessableEntityError, ErrorKind.BAD_REQUEST),
)


def _secrets(arguments: Mapping[str, Any]) -> list[str]:
    """What no error may tell, even if the provider has quoted it."""
    return [
        value
        for name, value in arguments.items()
        if isinstance(value, str) and any(word in name.lower() for word in SECRET_WORDS)
    ]


def _sorted(error: Exception, told: str, timeout_seconds: float) -> Transient | Permanent:
    detail = make_storable(told)[:500]
    for permanent, kind in PERMANENT_KINDS:
        if isinstance(error, permanent):
            return Permanent(kind, detail)
    if isinstance(error, TimeoutError | refusals.Timeout):
        return Transient(ErrorKind.TIMEOUT, f"No answer within {timeout_seconds:g} s.")
    if isinstance(error, refusals.RateLimitError):
        return Transient(ErrorKind.RATE_LIMITED, detail, _retry_after_seconds(error))
    return Transient(ErrorKind.UNAVAILABLE, detail, _retry_after_seconds(error))


def _retry_after_seconds(error: Exception) -> float | None:
    # LiteLLM's exceptions carry a made-up response; the provider's own headers are beside it.
    headers = getattr(error, "litellm_response_headers", None) or {}
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
