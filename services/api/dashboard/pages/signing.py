"""/sign-in, /sign-out, /theme: what a browser remembers of a person."""

import time
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Form, Path, Request
from starlette.responses import RedirectResponse, Response

from services.api.dashboard.session import COOKIE, Session
from services.api.dashboard.site import Site
from services.api.dashboard.views.signing import SignIn
from services.api.dashboard.visit import (
    SIGN_IN,
    THEME_COOKIE,
    page_router,
    safe_path,
    set_session,
    show_outside,
)
from services.api.desk import AtDesk
from services.api.limits import count_failure
from shared.db.keys import use_key

YEAR_SECONDS = 365 * 24 * 3600

router = page_router()


@router.get(SIGN_IN)
async def ask_for_key(request: Request, desk: AtDesk, next: str = "/", over: bool = False) -> Response:
    if desk.settings.auth == "off":
        return RedirectResponse(safe_path(next), HTTPStatus.SEE_OTHER)
    return _show(request, SignIn(safe_path(next), is_over=over))


@router.post(SIGN_IN)
async def sign_in(
    request: Request,
    desk: AtDesk,
    key: Annotated[str, Form(max_length=500)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Start a session with an API key. It lasts 12 hours, and no longer than the key."""
    site: Site = request.state.site
    wanted = safe_path(next)
    before = _session(request, site)
    if before is None or not site.signer.is_form_token(before, form_token):
        return _show(request, SignIn(wanted, error="This form is too old. Give the key once more."), 403)
    async with desk.connection() as connection:
        found = await use_key(connection, key.strip())
    if found is None:
        await count_failure(request, desk.limits, desk.settings.unknown_keys_per_minute)
        return _show(request, SignIn(wanted, error="This key is unknown, revoked or expired."), 401)
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    set_session(response, request, site, site.signer.begin(time.time(), found.id))
    return response


@router.post("/sign-out")
async def sign_out(request: Request, form_token: Annotated[str, Form(max_length=200)] = "") -> Response:
    site: Site = request.state.site
    session = _session(request, site)
    response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    if session is not None and site.signer.is_form_token(session, form_token):
        response.delete_cookie(COOKIE)
    return response


@router.get("/theme/{theme}")
async def choose_theme(
    theme: Annotated[Literal["system", "light", "dark"], Path()], next: str = "/"
) -> Response:
    response = RedirectResponse(safe_path(next), HTTPStatus.SEE_OTHER)
    response.set_cookie(THEME_COOKIE, theme, max_age=YEAR_SECONDS, samesite="lax", httponly=True)
    return response


def _session(request: Request, site: Site) -> Session | None:
    read = site.signer.read(request.cookies.get(COOKIE, ""), time.time())
    return read if isinstance(read, Session) else None


def _show(request: Request, view: SignIn, status: int = 200) -> Response:
    site: Site = request.state.site
    session = _session(request, site) or site.signer.begin(time.time())
    response = show_outside(request, session, "sign_in.html", view, status)
    set_session(response, request, site, session)
    return response
