"""Where every request comes in and goes out: its id, its log line, its metric, and the last safety net."""

import re
import time
from http import HTTPStatus
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.api.headers import protect
from services.api.problems import Failure, TooLarge, render
from shared.metrics import HTTP_DURATION

ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})

MB = 10**6
BODY_BYTES = 1 * MB
LARGER_BODY_BYTES = {"/api/v1/suites": 20 * MB, "/suites": 21 * MB, "/api/v1/results:import": 200 * MB}

log = structlog.get_logger()


class Reception:
    """Gives a request its id, measures the time to the first byte of the answer, and logs it when it is over.

    It also tells with every answer what browsers may do with it, and what is left of the caller's rate limit.

    A failure that nobody foresaw is logged here and answered with a 500; when the answer has begun, the
    connection is cut, so that nobody takes half of it for the whole.
    """

    def __init__(self, app: ASGIApp, behind_tls: bool = False) -> None:
        self._app = app
        self._behind_tls = behind_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = _request_id(scope)
        started, status = time.perf_counter(), 0

        async def note_start(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.update(state.get("rate_limit", {}))
                # A proxy that uvicorn trusts tells so (FORWARDED_ALLOW_IPS; this machine by default).
                is_https = self._behind_tls or scope["scheme"] == "https"
                protect(headers, scope["path"], behind_tls=is_https)
                HTTP_DURATION.labels(_method(scope), _route(scope), status).observe(
                    time.perf_counter() - started
                )
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, note_start)
            except Exception:
                log.exception("http.failed", method=scope["method"], path=scope["path"])
                if status:
                    raise
                failure = Failure("Something went wrong. The server's log tells what, under this request id.")
                await render(scope, failure)(scope, receive, note_start)
            finally:
                _log_request(scope, status, time.perf_counter() - started)


class BodyLimit:
    """Refuses a body over its route's limit: by its announced length, else as soon as it grows past it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = LARGER_BODY_BYTES.get(scope["path"], BODY_BYTES)
        received = 0

        async def receive_up_to_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            await render(scope, _too_large(limit))(scope, receive, send)
        else:
            await self._app(scope, receive_up_to_limit, send)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A body may have {limit // MB} MB here. Send less, or in several requests.")


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if ACCEPTABLE_ID.fullmatch(given) else uuid4().hex


def _method(scope: Scope) -> str:
    """The method, as a label that stays bounded whatever is sent."""
    return scope["method"] if scope["method"] in METHODS else "other"


def _route(scope: Scope) -> str:
    """The route's template, as a label that stays bounded whatever is asked for."""
    return getattr(scope.get("route"), "path", "unmatched")


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    level = "debug" if _route(scope) in QUIET_ROUTES and status < HTTPStatus.BAD_REQUEST else "info"
    getattr(log, level)(
        "http.request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(1000 * seconds, 1),
        key=scope["state"].get("caller"),
    )
