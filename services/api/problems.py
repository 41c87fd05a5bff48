"""What is told when a request can't be served: RFC 9457 problems, in one form for every reason."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from shared.db.pool import AWAY_ERRORS
from shared.domain.errors import InvalidInput

MEDIA_TYPE = "application/problem+json"
TOLD_ERRORS = 20
RETRY_AFTER_SECONDS = "5"

log = structlog.get_logger()


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(examples=["models[1]"])
    problem: str = Field(examples=["'atlas' is not in models.yaml."])
    remedy: str = Field("", examples=["Known: atlas-large, atlas-small; or use provider/model."])


class ProblemDetails(BaseModel):
    """Why a request was not served (RFC 9457)."""

    type: str = Field(examples=["urn:driftwarden:problem:invalid-request"])
    title: str = Field(examples=["Invalid request"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["models[1]: 'atlas' is not in models.yaml."])
    instance: str = Field(examples=["/api/v1/runs"])
    request_id: str = Field(description="Also in the header X-Request-ID and in the server's log.")
    errors: list[FieldError] = []


class Problem(HTTPException):
    """{detail}"""

    status: ClassVar[HTTPStatus]
    title: ClassVar[str]

    def __init__(
        self, detail: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(self.status, detail, headers)
        self.errors = errors


class NotFound(Problem):
    status, title = HTTPStatus.NOT_FOUND, "Not found"


class RunFinished(Problem):
    status, title = HTTPStatus.CONFLICT, "Run finished"


class NightTaken(Problem):
    status, title = HTTPStatus.CONFLICT, "Night taken"


class KeyReused(Problem):
    status, title = HTTPStatus.CONFLICT, "Idempotency key reused"


class TooLarge(Problem):
    status, title = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Body too large"


class InvalidRequest(Problem):
    status, title = HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request"


class Unauthorized(Problem):
    status, title = HTTPStatus.UNAUTHORIZED, "Unauthorized"


class Forbidden(Problem):
    status, title = HTTPStatus.FORBIDDEN, "Forbidden"


class TooManyRequests(Problem):
    status, title = HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"


class Unavailable(Problem):
    status, title = HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable"


class Failure(Problem):
    status, title = HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error"


def render(scope: Scope, problem: HTTPException) -> JSONResponse:
    """Write a problem as the answer to the request of this scope."""
    title = problem.title if isinstance(problem, Problem) else HTTPStatus(problem.status_code).phrase
    details = ProblemDetails(
        type=f"urn:driftwarden:problem:{title.lower().replace(' ', '-')}",
        title=title,
        status=problem.status_code,
        detail=_writable(problem.detail),
        instance=_writable(scope["path"]),
        request_id=scope.get("state", {}).get("request_id", ""),
        errors=list(problem.errors) if isinstance(problem, Problem) else [],
    )
    return JSONResponse(
        details.model_dump(),
        status_code=problem.status_code,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


async def tell_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # all that FastAPI says of a body that can't be decoded
        unreadable = FieldError(
            field="body", problem="can't be read as JSON.", remedy="Send one JSON object in UTF-8."
        )
        return render(request.scope, _invalid([unreadable]))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        error.headers = {"Allow": _allowed_methods(request)}
    return render(request.scope, error)


def _allowed_methods(request: Request) -> str:
    """All that a path answers to; the framework tells those of its first route only."""
    template = getattr(request.scope.get("route"), "path", "")
    documented = request.app.openapi()["paths"].get(template, {"get": {}})
    return ", ".join(sorted(map(str.upper, documented)))


async def _tell_invalid_input(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InvalidInput)
    return render(request.scope, _invalid([_field_error(error.field, error.problem, error.remedy)]))


async def _tell_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return render(request.scope, _invalid([explain_error(told) for told in error.errors()[:TOLD_ERRORS]]))


async def _tell_database_away(request: Request, error: Exception) -> JSONResponse:
    log.warning("http.database_away", error=repr(error))
    return render(
        request.scope,
        Unavailable(
            "The database does not answer. Try again in a few seconds.",
            headers={"Retry-After": RETRY_AFTER_SECONDS},
        ),
    )


HANDLERS: dict[Any, Any] = {
    HTTPException: tell_http,
    InvalidInput: _tell_invalid_input,
    RequestValidationError: _tell_invalid_request,
    **dict.fromkeys(AWAY_ERRORS, _tell_database_away),
}


def _invalid(errors: Sequence[FieldError]) -> InvalidRequest:
    return InvalidRequest(f"{errors[0].field}: {errors[0].problem}", errors=errors)


def explain_error(error: ErrorDetails) -> FieldError:
    """One of pydantic's errors in our words, without the value that was sent."""
    field = _name(error["loc"])
    match error["type"]:
        case "missing" | "model_attributes_type" if field == "body":
            return _field_error(field, "is no JSON object.", "Send one with Content-Type: application/json.")
        case "missing":
            return _field_error(field, "is missing.", "Give it.")
        case "extra_forbidden":
            return _field_error(field, "is not known here.", "Correct its name, or remove it.")
        case "json_invalid":
            return _field_error(
                "body", f"is not JSON: {error['ctx']['error']} at character {error['loc'][-1]}."
            )
        case "string_pattern_mismatch":
            return _field_error(field, f"does not have the form {error['ctx']['pattern']}")
        case "value_error":
            return _field_error(field, str(error["ctx"]["error"]))
        case _:
            return _field_error(field, f"{error['msg']}.")


def _name(location: tuple[int | str, ...]) -> str:
    """`("body", "models", 1)` -> `models[1]`; a problem of the whole body is one of the field `body`."""
    source, *path = location
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return name or str(source)


def _field_error(field: str, problem: str, remedy: str = "") -> FieldError:
    return FieldError(field=_writable(field), problem=_writable(problem), remedy=_writable(remedy))


def _writable(text: str) -> str:
    """Text that UTF-8 can carry: what a client sends may hold lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
