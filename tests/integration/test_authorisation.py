"""Who may ask what: every route of the application, with every kind of caller."""

import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from services.api.app import create_app
from services.api.auth import _name_actor
from services.api.dashboard.session import COOKIE, Session, Signer
from services.api.dashboard.visit import SIGN_IN
from shared.db.keys import ApiKey, Scope, create_key, revoke_key
from shared.settings import Settings
from tests.integration.serving import Api, make_settings, open_api

READS, ACTS = ("GET", "HEAD"), ("POST", "PUT", "PATCH", "DELETE")

# Reading needs a key of scope read, what may change something one of scope submit. All else is named here.
FOR_EVERYONE = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"}
FOR_ADMINS = ("/api/v1/keys", "/api/v1/audit", "/api/v1/callback-secret")
CHANGED_BY_ADMINS = ("/api/v1/channels",)
# They only work something out: nothing is stored, so the audit log tells nothing of them.
UNRECORDED = {"/api/v1/runs:estimate", "/api/v1/backtest"}
PAGES_FOR_EVERYONE = {"/sign-in", "/sign-out", "/theme/{theme}"}

NAMES = {"night": "2026-01-05", "theme": "dark", "act": "acknowledge", "name": "nightly", "anchor_id": "1"}
SECRET = "the secret of these tests"
KINDS = ("nobody", "expired", "revoked", *Scope)


def find_routes(prefix: str = "") -> Iterator[tuple[str, str, RouteContext]]:
    """(method, path, route) of everything that the application answers, files apart."""
    app = create_app(Settings(_env_file=None))  # type: ignore[call-arg]
    for route in iter_route_contexts(app.routes):
        if route.methods and route.path and not route.path.startswith("/static/"):
            for method in sorted(set(route.methods) - {"HEAD"}):
                yield method, route.path, route


ROUTES = [(method, path) for method, path, _ in find_routes()]
API = [(method, path) for method, path in ROUTES if path.startswith("/api/") or path in FOR_EVERYONE]
PAGES = [(method, path) for method, path in ROUTES if (method, path) not in API]


def needed(method: str, path: str) -> Scope | None:
    if path in FOR_EVERYONE:
        return None
    if path.startswith(FOR_ADMINS) or (method in ACTS and path.startswith(CHANGED_BY_ADMINS)):
        return Scope.ADMIN
    return Scope.READ if method in READS else Scope.SUBMIT


def fill(path: str) -> str:
    """A path with something in it that may be there and is not."""
    return re.sub(r"{(\w+)}", lambda found: NAMES.get(found[1], "00000000-0000-4000-8000-000000000000"), path)


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, redis_url, tmp_path, secret_key=SECRET, requests_per_minute=1_000_000)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with open_api(settings) as api:
        del api.client.headers["Authorization"]
        yield api


async def make_key(api: Api, kind: str) -> tuple[ApiKey, str] | None:
    async with api.desk.connection() as connection:
        match kind:
            case "nobody":
                return None
            case "expired":
                past = datetime.now(UTC) - timedelta(seconds=1)
                return await create_key(connection, kind, Scope.ADMIN, past)
            case "revoked":
                key, secret = await create_key(connection, kind, Scope.ADMIN)
                await revoke_key(connection, key.id)
                return key, secret
            case _:
                return await create_key(connection, kind, Scope(kind))


def expected(kind: str, scope: Scope | None) -> HTTPStatus | None:
    """The refusal of a caller of this kind; None: none."""
    if scope is None:
        return None
    if kind not in list(Scope):
        return HTTPStatus.UNAUTHORIZED
    return None if Scope(kind).includes(scope) else HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("kind", KINDS)
async def test_every_route_admits_those_whom_it_is_for_and_nobody_else(api: Api, kind: str) -> None:
    made = await make_key(api, kind)
    headers = {"Authorization": f"Bearer {made[1]}"} if made else {}
    wrong = {}
    for method, path in API:
        await api.desk.redis.flushall()  # unknown keys are counted
        response = await api.client.request(method, fill(path), headers=headers)
        refusal = expected(kind, needed(method, path))
        is_right = response.status_code == refusal if refusal else response.status_code not in (401, 403)
        if not is_right or response.status_code >= 500:
            wrong[method, path] = response.status_code
    assert wrong == {}


async def test_a_key_in_the_address_opens_nothing(api: Api) -> None:
    made = await make_key(api, "admin")
    assert made is not None

    for name in ("key", "api_key", "token", "access_token"):
        assert (await api.client.get("/api/v1/runs", params={name: made[1]})).status_code in (401, 422)


def test_every_act_names_who_does_it() -> None:
    """What is not handed the actor can't tell the audit log."""
    silent = {
        path
        for method, path, route in find_routes()
        if method in ACTS and path.startswith("/api/") and not _knows_actor(route)
    }
    assert silent == UNRECORDED


def _knows_actor(route: RouteContext) -> bool:
    assert isinstance(route.original_route, APIRoute)

    def names(dependant: Dependant) -> bool:
        return dependant.call is _name_actor or any(map(names, dependant.dependencies))

    return names(route.original_route.dependant)


async def visit(
    api: Api, made: tuple[ApiKey, str] | None, method: str, path: str, token: str | None = None
) -> tuple[int, str]:
    """How a page answers: status, and where it sends us. Without a token the form carries its right one."""
    signer = Signer(SECRET)
    session = signer.begin(time.time(), made[0].id if made else None)
    cookies = {"Cookie": f"{COOKIE}={signer.write(session)}"} if made else {}
    form: Mapping[str, str] = {"form_token": signer.form_token(session) if token is None else token}
    response = await api.client.request(
        method, fill(path), headers=cookies, data=form if method == "POST" else None
    )
    return response.status_code, response.headers.get("location", "")


@pytest.mark.parametrize("kind", KINDS)
async def test_every_page_admits_those_whom_it_is_for_and_nobody_else(api: Api, kind: str) -> None:
    made = await make_key(api, kind)
    wrong = {}
    for method, path in PAGES:
        scope = None if path in PAGES_FOR_EVERYONE else Scope.READ if method == "GET" else Scope.SUBMIT
        status, location = await visit(api, made, method, path)
        match expected(kind, scope):
            case HTTPStatus.UNAUTHORIZED:
                is_right = status == HTTPStatus.SEE_OTHER and location.startswith(f"{SIGN_IN}?next=")
            case HTTPStatus.FORBIDDEN:
                is_right = status == HTTPStatus.FORBIDDEN
            case _:
                is_right = status < 500 and (scope is None or not location.startswith(SIGN_IN))
                is_right = is_right and (scope is None or status != HTTPStatus.FORBIDDEN)
        if not is_right:
            wrong[method, path] = status, location
    assert wrong == {}


@pytest.mark.parametrize(
    "token",
    ["", "0" * 64, Signer(SECRET).form_token(Session("another", 0.0))],
    ids=["no", "made up", "another's"],
)
async def test_no_form_is_taken_without_the_token_of_its_visit(api: Api, token: str) -> None:
    made = await make_key(api, Scope.ADMIN)
    taken = {
        path: answer
        for method, path in PAGES
        if method == "POST"
        and path not in PAGES_FOR_EVERYONE
        and (answer := await visit(api, made, method, path, token))[0] != HTTPStatus.FORBIDDEN
    }
    assert taken == {}
