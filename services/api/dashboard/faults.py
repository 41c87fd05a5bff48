"""What a page says when something went wrong: what happened, what is safe, what to do next."""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.api.problems import Problem
from shared.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Link:
    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Fault:
    """`kicker` is the status in words; `request_id` is found in the server's log."""

    status: int
    kicker: str
    title: str
    told: str
    links: tuple[Link, ...]
    request_id: str


class NotThere(Problem):
    """A page for something that is not there, with where to go instead."""

    status, title = HTTPStatus.NOT_FOUND, "Not found"

    def __init__(self, what: str, told: str, *links: Link) -> None:
        super().__init__(told)
        self.what = what
        self.links = links


HOME = Link("/", "Home")


def explain(error: Exception, request_id: str) -> Fault:
    match error:
        case NotThere():
            return Fault(404, "404, not found", error.what, error.detail, (*error.links, HOME), request_id)
        case HTTPException():
            title = error.title if isinstance(error, Problem) else HTTPStatus(error.status_code).phrase
            return Fault(
                error.status_code,
                f"{error.status_code}, {title.lower()}",
                title,
                error.detail,
                (HOME,),
                request_id,
            )
        case InvalidInput():
            told = f"{error.field}: {error.problem} {error.remedy}".strip()
            return Fault(
                422, "422, can't be read", "Something in the address is wrong", told, (HOME,), request_id
            )
        case RequestValidationError():
            fields = ", ".join(sorted({str(told["loc"][-1]) for told in error.errors()}))
            told = f"Not understood: {fields}. Nothing was changed."
            return Fault(
                422, "422, can't be read", "Something in the address is wrong", told, (HOME,), request_id
            )
        case _:
            told = (
                "No numbers can be shown until it does. Runs go on or wait, and nothing that was stored is"
                " lost."
                " Try again in a few seconds; /readyz tells which part is away."
            )
            return Fault(
                503, "503, unavailable", "The database doesn't answer", told,
                (Link("", "Try again"), Link("/readyz", "What to check"), HOME), request_id,
            )  # fmt: skip
