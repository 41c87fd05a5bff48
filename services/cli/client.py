"""The REST API as the commands use it: every failure becomes a sentence and an exit code."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx

from services.cli.events import Event, read_events
from services.cli.failures import Conflicting, Refused, Unreachable, explain
from services.cli.numbers import plain
from services.cli.server import Json, Server

Value: TypeAlias = str | int | float | bool | None

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
PAGE_ITEMS = 500
RETRY_WAITS_SECONDS = (0.5, 1.0, 2.0)
LONGEST_PATIENCE_SECONDS = 60  # with a server that says when to come again
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Client:
    """Paths are relative to /api/v1; query values that are None are left out.

    Raises:
        Refused: the server refused; its reasons are the text.
        Unreachable: no answer, or one that says that the server is not well.
    """

    server: Server
    http: httpx.Client

    def get(self, path: str, **query: Value) -> Json:
        return self._read(self._ask("GET", path, query))

    def list_items(self, path: str, limit: int, **query: Value) -> Json:
        """The first `limit` items of a list, over as many pages as that takes, and the cursor to the rest."""
        items: list[Json] = []
        cursor: Value = None
        while True:
            page = self.get(path, **query, limit=min(limit - len(items), PAGE_ITEMS), cursor=cursor)
            items += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None or len(items) >= limit:
                return {**page, "items": items}

    def post(self, path: str, body: Json | None = None, *, answer_seconds: float = ANSWER_SECONDS) -> Json:
        return self._read(self._ask("POST", path, json=body, answer_seconds=answer_seconds))

    def put(self, path: str, body: Json) -> Json:
        return self._read(self._ask("PUT", path, json=body))

    def patch(self, path: str, body: Json) -> Json:
        return self._read(self._ask("PATCH", path, json=body))

    def post_once(
        self, path: str, body: Json, idempotency_key: str, provider_keys: Mapping[str, str] = NO_HEADERS
    ) -> Json:
        """Post what must not happen twice: with the key it is safe to try again when no answer came."""
        headers = {"Idempotency-Key": idempotency_key, **provider_keys}
        return self._read(
            self._ask("POST", path, json=body, headers=headers, waits_seconds=RETRY_WAITS_SECONDS)
        )

    def upload(
        self, path: str, content: bytes | Iterable[bytes], *, answer_seconds: float, **query: Value
    ) -> Json:
        """Send a file as it is; `answer_seconds` is how long the server may take to work through it."""
        return self._read(self._ask("POST", path, query, content=content, answer_seconds=answer_seconds))

    def delete(self, path: str, **query: Value) -> None:
        self._ask("DELETE", path, query)

    def events(self, path: str, *, silence_seconds: float) -> Iterator[Event]:
        """The server's events as they come; a silence longer than this counts as a broken connection."""
        with self.stream(path, answer_seconds=silence_seconds) as response:
            yield from read_events(response.iter_lines())

    @contextmanager
    def stream(
        self, path: str, *, answer_seconds: float = ANSWER_SECONDS, **query: Value
    ) -> Iterator[httpx.Response]:
        """Open an answer that is read piece by piece within the block."""
        try:
            request = self.http.stream("GET", path, params=_present(query), timeout=_timeout(answer_seconds))
            with request as response:
                if not response.is_success:
                    response.read()
                yield self._accept(response)
        except httpx.RequestError as error:
            raise self._lost(error) from error

    def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, Value] | None = None,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        waits_seconds: Sequence[float] = (),
        **request: Any,
    ) -> httpx.Response:
        def send() -> httpx.Response:
            try:
                return self.http.request(
                    method, path, params=_present(query or {}), timeout=_timeout(answer_seconds), **request
                )
            except httpx.RequestError as error:
                raise self._lost(error) from error

        def ask() -> httpx.Response:
            response = send()
            patience_seconds = _read_patience(response)
            if patience_seconds and isinstance(request.get("content", b""), bytes):  # else it is used up
                time.sleep(patience_seconds)
                response = send()
            return self._accept(response)

        for wait_seconds in waits_seconds:
            with suppress(Unreachable):
                return ask()
            time.sleep(wait_seconds)
        return ask()

    def _lost(self, error: httpx.RequestError) -> Unreachable:
        reason = "it took too long" if isinstance(error, httpx.TimeoutException) else str(error)
        return Unreachable(
            f"{self.server.url} gave no answer: {reason or type(error).__name__}.\n"
            f"The address comes from {self.server.source}."
        )

    def _accept(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        said = self._read_problem(response)
        if response.is_server_error:
            request_id = response.headers.get("x-request-id", "")
            raise Unreachable(f"{self.server.url} is not well: {said} {request_id}".rstrip())
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Unreachable(f"{self.server.url} takes no more for now: {said}")
        if response.has_redirect_location:
            target = plain(response.headers["location"])
            raise Refused(f"{self.server.url} sends us on to {target}. Set DRIFTWARDEN_URL accordingly.")
        if response.status_code == httpx.codes.UNAUTHORIZED:
            said += f"\nThe address and the key come from {self.server.source}."
        raise Conflicting(said) if response.status_code == httpx.codes.CONFLICT else Refused(said)

    def _read(self, response: httpx.Response) -> Json:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Refused(self._not_ours(response))
        return answer

    def _read_problem(self, response: httpx.Response) -> str:
        try:
            return explain(json.loads(response.content))
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._not_ours(response)

    def _not_ours(self, response: httpx.Response) -> str:
        return (
            f"{self.server.url} answers ({response.status_code}), but not as Driftwarden does.\n"
            f"The address comes from {self.server.source}."
        )


@contextmanager
def open_client(server: Server) -> Iterator[Client]:
    """Open connections to one server, kept until the block ends."""
    headers = {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    with httpx.Client(
        base_url=f"{server.url}/api/v1",
        headers=headers,
        # The user's proxy can't reach a server on this machine.
        trust_env=not _is_loopback(urlsplit(server.url).hostname or ""),
    ) as http:
        yield Client(server, http)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_patience(response: httpx.Response) -> int:
    """How long the server, which has done nothing, wants us to wait; 0: not at all, or for too long."""
    wanted = response.headers.get("retry-after", "")
    if response.status_code != httpx.codes.TOO_MANY_REQUESTS or not wanted.isdecimal():
        return 0
    return int(wanted) if int(wanted) <= LONGEST_PATIENCE_SECONDS else 0


def _present(query: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in query.items() if value is not None}


def _timeout(answer_seconds: float) -> httpx.Timeout:
    return httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS)
