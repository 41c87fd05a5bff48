"""As much of GitHub's REST API as comments below a pull request need, over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "ghs_write"
LONGEST_BODY = 65_536


@dataclass
class Comment:
    id: int
    body: str


@dataclass
class FakeGitHub:
    """Pull request 7 of octo/app. `refusals` are given, one each, before requests are taken again."""

    url: str = ""
    comments: list[Comment] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refusals: list[Response] = field(default_factory=list)
    answers_to_lose: int = 0

    def write(self, body: str) -> Comment:
        comment = Comment(100 + len(self.comments), body)
        self.comments.append(comment)
        return comment

    def environment(self, token: str = TOKEN) -> dict[str, str]:
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": "octo/app", "GITHUB_TOKEN": token}

    def describe(self, comment: Comment) -> dict[str, Any]:
        html_url = f"https://github.example/octo/app/pull/7#issuecomment-{comment.id}"
        return {"id": comment.id, "body": comment.body, "html_url": html_url}

    def refuse(self, request: Request) -> Response | None:
        self.requests.append(request.method)
        if self.refusals:
            return self.refusals.pop(0)
        if request.headers.get("authorization") == "Bearer ghs_read" and request.method != "GET":
            return refusal(403, "Resource not accessible by integration")
        if request.headers.get("authorization") not in (f"Bearer {TOKEN}", "Bearer ghs_read"):
            return refusal(401, "Bad credentials")
        return None

    async def list_comments(self, request: Request) -> Response:
        if refused := self.refuse(request):
            return refused
        size, page = int(request.query_params["per_page"]), int(request.query_params.get("page", 1))
        shown = self.comments[(page - 1) * size : page * size]
        links = {}
        if page * size < len(self.comments):
            following = f"{self.url}{request.url.path}?per_page={size}&page={page + 1}"
            links = {"Link": f'<{following}>; rel="next", <{self.url}/last>; rel="last"'}
        return JSONResponse([self.describe(comment) for comment in shown], headers=links)

    async def create(self, request: Request) -> Response:
        if refused := self.refuse(request):
            return refused
        body = (await request.json())["body"]
        if len(body) > LONGEST_BODY:
            return refusal(422, "body is too long")
        comment = self.write(body)
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            return refusal(502, "Bad Gateway")
        return JSONResponse(self.describe(comment), 201)

    async def edit(self, request: Request) -> Response:
        if refused := self.refuse(request):
            return refused
        for comment in self.comments:
            if comment.id == request.path_params["id"]:
                comment.body = (await request.json())["body"]
                return JSONResponse(self.describe(comment))
        return refusal(404, "Not Found")


def refusal(status: int, message: str, **headers: str) -> Response:
    return JSONResponse({"message": message}, status, {k.replace("_", "-"): v for k, v in headers.items()})


@asynccontextmanager
async def serve_github() -> AsyncIterator[FakeGitHub]:
    github = FakeGitHub()
    app = Starlette(
        routes=[
            Route("/repos/octo/app/issues/7/comments", github.list_comments, methods=["GET"]),
            Route("/repos/octo/app/issues/7/comments", github.create, methods=["POST"]),
            Route("/repos/octo/app/issues/comments/{id:int}", github.edit, methods=["PATCH"]),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        github.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield github
        finally:
            server.should_exit = True
            await serving
