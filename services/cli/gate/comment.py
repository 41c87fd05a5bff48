"""`driftwarden gate-comment`: one comment below a pull request, edited from run to run.

GitHub's REST API: https://docs.github.com/rest/issues/comments
"""

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.failures import Refused, Unreachable
from services.cli.help import START, examples
from services.cli.render import tell

if TYPE_CHECKING:
    import httpx

API = "https://api.github.com"
ANSWER_SECONDS = 30.0
WAITS_SECONDS = (1.0, 4.0, 10.0)
LONGEST_WAIT_SECONDS = 60.0
LONGEST_BODY = 65_000  # GitHub takes 65 536 characters
CUT = "\n\n… cut off here; the whole text is in the job's summary."
NOT_ALLOWED = (
    "For pull requests from forks that is usual; else give the job `permissions: pull-requests: write`."
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")

commands = typer.Typer()


@commands.command(
    "gate-comment",
    rich_help_panel=START,
    epilog=examples("gate-comment gate.md", "gate-comment gate.md --name quick --pull-request 12"),
)
def gate_comment(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Markdown that `gate --markdown` wrote.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Tells the comments of several gates apart.")
    ] = "gate",
    repository: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="[default: GITHUB_REPOSITORY]")
    ] = None,
    pull_request: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="[default: that of GITHUB_EVENT_PATH]")
    ] = None,
) -> None:
    """Show a gate's findings below a pull request, in one comment that is edited each time.

    GITHUB_TOKEN must be allowed to write to pull requests. Where it is not, as in pull requests from forks,
    this says so and ends well: the findings are in the job's summary all the same.
    """
    import httpx

    if not NAME.fullmatch(name):
        raise Refused(f"--name: {name!r} is no name. Use letters, digits, dots, dashes and underscores.")
    token = os.environ.get("GITHUB_TOKEN", "")
    if not token or not (token.isascii() and token.isprintable()):
        raise Refused("GITHUB_TOKEN: is not set, or no token. In a workflow, write ${{ github.token }}.")
    thread = Thread(
        os.environ.get("GITHUB_API_URL", API).rstrip("/"),
        _find_repository(repository),
        pull_request or _find_pull_request(),
        f"<!-- driftwarden-gate: {name} -->",
    )
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "driftwarden",
    }
    with httpx.Client(headers=headers, timeout=ANSWER_SECONDS) as client:
        tell(put_comment(client, thread, _read(file)))


class NotAllowed(Exception):
    """The token may not do this."""


class Passing(Exception):
    """Something that may be over in a moment; `wait_seconds` as far as GitHub told."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Thread:
    """Where to comment; `marker` is how our comment begins, invisible to readers."""

    api: str
    repository: str
    pull_request: int
    marker: str


def put_comment(client: "httpx.Client", thread: Thread, text: str) -> str:
    """Edit our comment, or write it if there is none yet; what was done, in a sentence.

    Every attempt looks for the comment first: where an answer got lost, it may be there already.

    Raises:
        Refused: the token is not valid, or there is no such pull request.
        Unreachable: GitHub did not answer, or not well, several times in a row.
    """
    body = f"{thread.marker}\n{text}"
    if len(body) > LONGEST_BODY:
        body = body[: LONGEST_BODY - len(CUT)] + CUT
    for wait_seconds in (*WAITS_SECONDS, None):
        try:
            return _put(client, thread, body)
        except NotAllowed as refusal:
            return f"GitHub does not let this job comment ({refusal}). {NOT_ALLOWED}"
        except Passing as failure:
            if wait_seconds is None:
                raise Unreachable(f"{thread.api} could not take the comment: {failure}.") from failure
            told = failure.wait_seconds
            time.sleep(wait_seconds if told is None else min(told, LONGEST_WAIT_SECONDS))
    raise AssertionError("the last attempt returns or raises")


def _put(client: "httpx.Client", thread: Thread, body: str) -> str:
    for comment in _list_comments(client, thread):
        if (comment.get("body") or "").startswith(thread.marker):
            url = f"{thread.api}/repos/{thread.repository}/issues/comments/{comment['id']}"
            edited = _ask(client, "PATCH", url, json={"body": body}).json()
            return f"edited {edited['html_url']}"
    url = f"{thread.api}/repos/{thread.repository}/issues/{thread.pull_request}/comments"
    return f"wrote {_ask(client, 'POST', url, json={'body': body}).json()['html_url']}"


def _list_comments(client: "httpx.Client", thread: Thread) -> Iterator[dict[str, Any]]:
    url: str | None = (
        f"{thread.api}/repos/{thread.repository}/issues/{thread.pull_request}/comments?per_page=100"
    )
    while url is not None:
        page = _ask(client, "GET", url)
        yield from page.json()
        url = page.links.get("next", {}).get("url")
        if url is not None and not url.startswith(f"{thread.api}/"):
            raise Refused(f"{thread.api} sends us on to another address. Check GITHUB_API_URL.")


def _ask(client: "httpx.Client", method: str, url: str, **request: Any) -> "httpx.Response":
    import httpx

    try:
        response = client.request(method, url, **request)
    except httpx.RequestError as error:
        raise Passing(str(error) or type(error).__name__) from error
    if response.is_success:
        return response
    reason = f"{response.status_code} {_read_message(response)}"
    is_limit = "retry-after" in response.headers or response.headers.get("x-ratelimit-remaining") == "0"
    if response.is_server_error or response.status_code == 429 or (response.status_code == 403 and is_limit):
        wait = response.headers.get("retry-after", "")
        raise Passing(reason, float(wait) if wait.isdecimal() else None)
    match response.status_code:
        case 403:
            raise NotAllowed(reason)
        case 401:
            raise Refused(f"GITHUB_TOKEN: GitHub does not know it ({reason}). Use ${{{{ github.token }}}}.")
        case 404 if method == "PATCH":
            raise Passing("our comment was deleted meanwhile", 0.0)
        case _:
            raise Refused(
                f"GitHub refused ({reason}). Check --repository, --pull-request and what the token may see."
            )


def _read_message(response: "httpx.Response") -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise Refused(f"{file}: can't be read. Write it with `driftwarden gate --markdown FILE`.") from error


def _find_repository(named: str | None) -> str:
    repository = named or os.environ.get("GITHUB_REPOSITORY", "")
    if not REPOSITORY.fullmatch(repository):
        raise Refused(f"--repository: {repository!r} is no repository. Write OWNER/NAME.")
    return repository


def _find_pull_request() -> int:
    try:
        event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text())
        return int(event["pull_request"]["number"])
    except (KeyError, OSError, ValueError, TypeError):
        raise Refused(
            "--pull-request: is missing, and this job does not belong to one. Give its number."
        ) from None
