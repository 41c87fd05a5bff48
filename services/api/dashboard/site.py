"""What all pages share: their templates, their files, and the headers they are sent with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope as AsgiScope

from services.api.dashboard.numbers import FILTERS
from services.api.dashboard.session import Signer
from shared.settings import Settings

FOLDER = Path(__file__).parent
STATIC = "/static"
FOREVER = "public, max-age=31536000, immutable"
KEPT_PAGES = 64
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:;"
    " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A page as it was last shown, for when the database does not answer."""

    template: str
    view: object
    at: datetime


@dataclass(frozen=True, slots=True)
class Site:
    """What lasts from one page to the next. `shown` is by path and query, the longest unused first."""

    templates: Environment
    signer: Signer
    shown: dict[str, Shown] = field(default_factory=dict)

    def keep(self, url: str, page: Shown) -> None:
        self.shown.pop(url, None)
        self.shown[url] = page
        if len(self.shown) > KEPT_PAGES:
            del self.shown[next(iter(self.shown))]

    def render(self, template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        text = self.templates.get_template(template).render(context)
        return HTMLResponse(text, status_code=status, headers=HEADERS)


def make_site(settings: Settings) -> Site:
    secret = settings.secret_key
    return Site(make_templates(), Signer(secret.get_secret_value() if secret else None))


def make_templates() -> Environment:
    """Everything is escaped, and a name that is not there is an error instead of nothing."""
    templates = Environment(
        loader=PackageLoader("services.api.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(FILTERS)
    templates.globals.update(asset=asset, plotly=_plotly_url(), product_version=version("driftwarden"))
    return templates


@lru_cache
def asset(name: str) -> str:
    """The address of a file of ours, which changes with what is in it."""
    digest = hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"{STATIC}/{name}?v={digest}"


class _Files(StaticFiles):
    """Files that a browser may keep for as long as it likes, when their address tells their content."""

    async def get_response(self, path: str, scope: AsgiScope) -> Response:
        response = await super().get_response(path, scope)
        if scope["query_string"].startswith(b"v="):
            response.headers["Cache-Control"] = FOREVER
        return response


def serve_files(api: FastAPI) -> None:
    """Add our files, and Plotly's from its package: no page needs another site."""

    @api.get(_plotly_url(), include_in_schema=False)
    def plotly() -> FileResponse:
        return FileResponse(
            _plotly_folder() / "plotly.min.js",
            media_type="text/javascript",
            headers={"Cache-Control": FOREVER},
        )

    api.mount(STATIC, _Files(directory=FOLDER / "static"), name="static")


def _plotly_url() -> str:
    return f"{STATIC}/plotly-{version('plotly')}.min.js"


def _plotly_folder() -> Path:
    package = find_spec("plotly")  # found, not imported: it would take a second
    assert package is not None, "a dependency of this product"
    assert package.origin is not None
    return Path(package.origin).parent / "package_data"
