"""What /docs tells: every operation with its problems, shown by a Swagger UI that needs no network."""

from collections.abc import Mapping
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

from services.api import problems
from services.api.headers import DOCS_POLICY
from services.api.schemas.runs import RunProgress
from shared.domain.errors import InvalidInput

Responses: TypeAlias = dict[int | str, dict[str, Any]]

ASSETS = "/docs/assets"
SCHEMA = "/openapi.json"
SCHEMAS = "#/components/schemas/"
MEANINGS: Mapping[HTTPStatus, str] = {
    HTTPStatus.UNAUTHORIZED: "There is no API key, or it is unknown, revoked or expired.",
    HTTPStatus.FORBIDDEN: "The key's scope is too small.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.CONFLICT: "It can't be done as things stand; the detail tells why.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is over its limit.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something asked for is wrong or not known; `errors` names the fields.",
    HTTPStatus.TOO_MANY_REQUESTS: "More was asked than may be; Retry-After tells how long to wait.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database does not answer.",
}


WAIT: dict[str, Any] = {
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer"}},
    "RateLimit": {
        "description": "What is left and, in seconds, when all is there again, as in"
        " draft-ietf-httpapi-ratelimit-headers. With RateLimit-Policy it comes with every answer to a key.",
        "schema": {"type": "string"},
        "example": '"key";r=0;t=60',
    },
    "RateLimit-Policy": {"schema": {"type": "string"}, "example": '"key";q=1200;w=60'},
}


class DocumentedApi(FastAPI):
    """FastAPI whose schema also defines what no route answers with as such: problems and events."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schemas = super().openapi()["components"]["schemas"]
            for model in (problems.ProblemDetails, RunProgress):
                schema = model.model_json_schema(mode="serialization", ref_template=SCHEMAS + "{model}")
                schemas.update({**schema.pop("$defs"), model.__name__: schema})
        assert self.openapi_schema is not None
        return self.openapi_schema


def refusals(*statuses: HTTPStatus) -> Responses:
    """Documentation of the problems that a route answers with."""
    return {int(status): _refusal(status) for status in statuses}


def _refusal(status: HTTPStatus) -> dict[str, Any]:
    title = next(kind.title for kind in problems.Problem.__subclasses__() if kind.status == status)
    example = {
        "type": f"urn:driftwarden:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": int(status),
        "detail": MEANINGS[status],
        "instance": "/api/v1/…",
        "request_id": "5f0c4d7e9b1a4c3d8e2f6a7b8c9d0e1f",
        "errors": [],
    }
    content = {"schema": {"$ref": SCHEMAS + "ProblemDetails"}, "example": example}
    return {
        "description": MEANINGS[status],
        "content": {problems.MEDIA_TYPE: content},
        **({"headers": WAIT} if status == HTTPStatus.TOO_MANY_REQUESTS else {}),
    }


KEYED = refusals(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any route may answer that wants an API key."""
MISSING = refusals(HTTPStatus.NOT_FOUND)
CONFLICTING = refusals(HTTPStatus.CONFLICT)
WITH_BODY = refusals(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse query parameters that /docs does not know: a misspelt filter would go unnoticed.

    Raises:
        InvalidInput: the field is the parameter.
    """
    if not request.url.query:
        return
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = {part["name"] for part in operation.get("parameters", ()) if part["in"] == "query"}
    for name in request.query_params:
        if name not in known:
            remedy = f"Known here: {', '.join(sorted(known))}." if known else "Nothing can be given here."
            raise InvalidInput(name, "is not a known parameter.", remedy)


def serve_docs(api: FastAPI) -> None:
    """Add /docs, with assets from a package instead of another site."""
    package = find_spec("fastapi_offline")
    assert package is not None, "a dependency of this product"
    assert package.origin is not None
    api.mount(ASSETS, StaticFiles(directory=Path(package.origin).parent / "static"))
    title = api.title  # FastAPI keeps `docs` for good, which must not keep the application

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url=SCHEMA.removeprefix("/"),
            title=title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js".removeprefix("/"),
            swagger_css_url=f"{ASSETS}/swagger-ui.css".removeprefix("/"),
            swagger_favicon_url=f"{ASSETS}/favicon.png".removeprefix("/"),
            oauth2_redirect_url=None,
        )
        page.headers["Content-Security-Policy"] = DOCS_POLICY
        return page
