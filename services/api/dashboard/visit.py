"""One visit to a page: who comes, what they may do, and how they are answered."""

import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.api.auth import ANONYMOUS, check_comes_from_here
from services.api.dashboard.faults import Fault, explain
from services.api.dashboard.session import COOKIE, LASTS_SECONDS, Expired, Session
from services.api.dashboard.site import Shown, Site
from services.api.desk import AtDesk, Desk
from services.api.headers import is_behind_tls
from services.api.limits import limit_requests
from services.api.problems import Forbidden, tell_http
from shared.db.incidents import count_open_incidents
from shared.db.keys import Scope, find_valid_key
from shared.db.pool import AWAY_ERRORS
from shared.domain.errors import InvalidInput

SIGN_IN = "/sign-in"
THEME_COOKIE = "driftwarden_theme"
THEMES = ("system", "light", "dark")


class SignInNeeded(HTTPException):
    """Nobody is signed in. `is_over`: somebody was."""

    def __init__(self, is_over: bool) -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, "Sign in.")
        self.is_over = is_over


@dataclass(frozen=True, slots=True)
class Chrome:
    """What surrounds every page. `open_incidents` is None where it could not be read."""

    path: str
    here: str
    theme: str
    open_incidents: int | None
    signed_in_as: str | None
    form_token: str
    may_submit: bool = False
    stale_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Someone before a page. `actor` is what the audit log calls them."""

    request: Request
    desk: Desk
    site: Site
    session: Session
    scope: Scope
    actor: str

    @property
    def may_submit(self) -> bool:
        return self.scope.includes(Scope.SUBMIT)

    async def show(self, template: str, view: object, status: int = 200) -> HTMLResponse:
        """Answer with a page; the template finds `view` and `chrome`."""
        open_incidents: int | None = None
        with suppress(*AWAY_ERRORS):
            async with self.desk.connection() as connection:
                open_incidents = await count_open_incidents(connection)
        if self.request.method == "GET" and status == HTTPStatus.OK:
            self.site.keep(_here(self.request), Shown(template, view, datetime.now(UTC)))
        name = self.actor if self.session.key else None
        chrome = _chrome(
            self.request, self.site, self.session, open_incidents, name, may_submit=self.may_submit
        )
        return _keep_session(self, self.site.render(template, {"view": view, "chrome": chrome}, status))

    def go(self, path: str) -> Response:
        """Answer a form that was done: on to the page that shows it."""
        return RedirectResponse(path, HTTPStatus.SEE_OTHER)

    async def read_form(self, needed: Scope) -> FormData:
        """The fields of a form of ours.

        Raises:
            Forbidden: the key's scope is too small, or the form is not from a page of this visit.
        """
        if not self.scope.includes(needed):
            raise Forbidden(f"This needs a key of scope {needed}; {self.actor!r} has {self.scope}.")
        form = await self.request.form()
        token = form.get("form_token")
        if not isinstance(token, str) or not self.site.signer.is_form_token(self.session, token):
            raise Forbidden("This form is from an older visit, or from elsewhere. Open its page again.")
        return form


async def _enter(request: Request, desk: AtDesk) -> Visit:
    site: Site = request.state.site
    session = _read_session(request, site)
    if desk.settings.auth == "off":
        check_comes_from_here(request)
        here = session if isinstance(session, Session) else site.signer.begin(time.time())
        return Visit(request, desk, site, here, Scope.ADMIN, ANONYMOUS)
    if not isinstance(session, Session) or session.key is None:
        raise SignInNeeded(is_over=isinstance(session, Expired))
    async with desk.connection() as connection:
        key = await find_valid_key(connection, session.key)
    if key is None:
        raise SignInNeeded(is_over=True)
    request.state.caller = key.name
    allowed = key.requests_per_minute or desk.settings.requests_per_minute
    await limit_requests(request, desk.limits, "session", session.visitor, allowed)
    return Visit(request, desk, site, session, key.scope, key.name)


Visiting: TypeAlias = Annotated[Visit, Depends(_enter)]


class _PageRoute(APIRoute):
    """Answers with pages in any case: what goes wrong on the way is a page, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeeded as error:
                return _ask_to_sign_in(request, error)
            except (HTTPException, InvalidInput, RequestValidationError, *AWAY_ERRORS) as error:
                return _show_fault(request, error)
            finally:
                await request.close()  # the files of a form

        return handle_as_page


def page_router() -> APIRouter:
    """A router of pages: not in /docs, and with pages for problems."""
    return APIRouter(route_class=_PageRoute, include_in_schema=False, default_response_class=HTMLResponse)


def safe_path(path: str) -> str:
    """A place of ours to go on to; whatever else is asked for, Home."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


def set_session(response: Response, request: Request, site: Site, session: Session) -> None:
    response.set_cookie(
        COOKIE, site.signer.write(session), max_age=LASTS_SECONDS, httponly=True, samesite="lax",
        secure=request.url.scheme == "https" or is_behind_tls(request.state.desk.settings),
    )  # fmt: skip


def show_outside(
    request: Request, session: Session, template: str, view: object, status: int = 200
) -> HTMLResponse:
    """A page for those who have not come in yet."""
    site: Site = request.state.site
    context = {"view": view, "chrome": _chrome(request, site, session, None, None)}
    return site.render(template, context, status)


def _read_session(request: Request, site: Site) -> Session | Expired | None:
    cookie = request.cookies.get(COOKIE)
    return site.signer.read(cookie, time.time()) if cookie else None


def _keep_session(visit: Visit, response: HTMLResponse) -> HTMLResponse:
    if visit.session.key is None:  # keys are switched off: the visit is known by its forms alone
        set_session(response, visit.request, visit.site, visit.session)
    return response


def _chrome(
    request: Request, site: Site, session: Session, open_incidents: int | None, name: str | None,
    stale_since: datetime | None = None, may_submit: bool = False,
) -> Chrome:  # fmt: skip
    theme = request.cookies.get(THEME_COOKIE, "system")
    return Chrome(
        request.url.path, _here(request), theme if theme in THEMES else "system", open_incidents, name,
        site.signer.form_token(session), may_submit, stale_since,
    )  # fmt: skip


def _here(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _ask_to_sign_in(request: Request, error: SignInNeeded) -> Response:
    where = _here(request) if request.method == "GET" else request.headers.get("referer", "/")
    over = "&over=1" if error.is_over else ""
    return RedirectResponse(f"{SIGN_IN}?next={quote(where)}{over}", HTTPStatus.SEE_OTHER)


async def tell_person_or_program(request: Request, error: Exception) -> Response:
    """What no route has answered: a page for a browser, a problem document for everyone else."""
    assert isinstance(error, HTTPException)
    is_program = request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", "")
    return await tell_http(request, error) if is_program else _show_fault(request, error)


def _show_fault(request: Request, error: Exception) -> Response:
    """A page for what went wrong; when the database is away, the page as it last was, with its age."""
    site: Site = request.state.site
    fault: Fault = explain(error, request.state.request_id)
    read = _read_session(request, site)
    session = read if isinstance(read, Session) else site.signer.begin(time.time())
    shown = site.shown.get(_here(request)) if request.method == "GET" else None
    may_see = request.state.desk.settings.auth == "off" or session.key is not None
    if isinstance(error, AWAY_ERRORS) and shown is not None and may_see:
        chrome = _chrome(request, site, session, None, None, stale_since=shown.at)
        return site.render(shown.template, {"view": shown.view, "chrome": chrome}, fault.status)
    chrome = _chrome(request, site, session, None, None)
    page = site.render("fault.html", {"view": fault, "chrome": chrome}, fault.status)
    page.headers.update(getattr(error, "headers", None) or {})  # such as when to come again
    return page
