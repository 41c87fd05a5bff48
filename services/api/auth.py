"""Who may do what: API keys as bearer tokens, or, with keys switched off, whoever sits at this machine."""

import ipaddress
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.api.desk import AtDesk
from services.api.limits import count_failure, limit_requests
from services.api.problems import Forbidden, Unauthorized
from shared.db.keys import Scope, use_key
from shared.domain.errors import InvalidInput
from shared.settings import Settings

ANONYMOUS = "anonymous"  # nobody has a name where keys are switched off

_bearer = HTTPBearer(
    auto_error=False, scheme_name="API key", description="A key that `driftwarden keys create` has shown."
)


def check_auth_settings(settings: Settings) -> None:
    """Refuse to serve the network without keys.

    Raises:
        InvalidInput: keys are switched off, and the host is not this machine alone.
    """
    if settings.auth == "off" and not _is_loopback(settings.host):
        raise InvalidInput(
            "DRIFTWARDEN_AUTH",
            f"is off while the API listens on {settings.host}, where others could reach it.",
            "Set it to on, or DRIFTWARDEN_HOST to 127.0.0.1.",
        )


def needs(scope: Scope) -> Any:
    """The dependency of a route that wants a key of at least this scope."""

    async def authorize(
        request: Request,
        desk: AtDesk,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> None:
        if desk.settings.auth == "off":
            check_comes_from_here(request)
            return
        if credentials is None:
            raise _unauthorized("Send an API key: Authorization: Bearer KEY.")
        async with desk.connection() as connection:
            key = await use_key(connection, credentials.credentials)
        if key is None:
            await count_failure(request, desk.limits, desk.settings.unknown_keys_per_minute)
            raise _unauthorized("This API key is unknown, revoked or expired.", error="invalid_token")
        request.state.caller = key.name
        allowed = key.requests_per_minute or desk.settings.requests_per_minute
        await limit_requests(request, desk.limits, "key", str(key.id), allowed)
        if not key.scope.includes(scope):
            raise Forbidden(f"This needs a key of scope {scope}; the key {key.name!r} has {key.scope}.")

    return Depends(authorize)


async def _name_actor(request: Request) -> str:
    return getattr(request.state, "caller", ANONYMOUS)


Actor: TypeAlias = Annotated[str, Depends(_name_actor)]
"""Who acts, for the audit log: the name of the key that `needs` has found valid."""


def check_comes_from_here(request: Request) -> None:
    """Without keys, a foreign web page in this machine's browser must not speak for its user."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if not _is_local_url(f"//{host}") or (origin is not None and not _is_local_url(origin)):
        raise Forbidden("Without API keys this answers to this machine only, under localhost or 127.0.0.1.")


def _is_local_url(url: str) -> bool:
    try:
        return _is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unauthorized(detail: str, error: str = "") -> Unauthorized:
    challenge = 'Bearer realm="driftwarden"' + (f', error="{error}"' if error else "")
    return Unauthorized(detail, headers={"WWW-Authenticate": challenge})
