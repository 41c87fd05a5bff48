"""What the API's tests stand on: the application over real servers, in this process or behind a socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from services.api.app import create_app
from services.api.desk import Desk
from services.api.openapi import DocumentedApi
from services.worker.finalize import finalize_run
from shared.db import pairs
from shared.db.keys import Scope, create_key
from shared.db.pairs import PairStep
from shared.domain.answers.scoring import Unscored, Verdict
from shared.domain.errors import ErrorKind
from shared.domain.runs import PairKey, PairState, RunId
from shared.settings import Settings
from tests.factories import make_answer, plan_run

MODELS = """
model_list:
  - model_name: bright
    litellm_params: {model: openai/bright, api_base: "http://127.0.0.1:9/v1"}
  - model_name: dim
    litellm_params: {model: openai/dim, api_base: "http://127.0.0.1:9/v1"}
  - model_name: also-bright
    litellm_params: {model: openai/bright, api_base: "http://127.0.0.1:9/v1"}
  - model_name: echo
    litellm_params: {model: openai/echo, api_base: "http://127.0.0.1:9/v1"}
    model_info: {control: true}
  - model_name: sim-judge
    litellm_params: {model: openai/sim-judge, api_base: "http://127.0.0.1:9/v1"}
"""
DEFAULT_JUDGE = "judge: {model: sim-judge}\n"


@dataclass(frozen=True, slots=True)
class Api:
    """`client` speaks with an admin key; `desk` is what the application itself works with."""

    client: httpx.AsyncClient
    desk: Desk

    async def key(self, scope: Scope) -> dict[str, str]:
        """The headers of a new key of this scope."""
        async with self.desk.connection() as connection:
            _, secret = await create_key(connection, f"a {scope} key", scope)
        return {"Authorization": f"Bearer {secret}"}


def make_settings(database_url: str, redis_url: str, folder: Path, **changed: Any) -> Settings:
    catalogue = folder / "models.yaml"
    if not catalogue.exists():
        catalogue.write_text(MODELS + DEFAULT_JUDGE)
    fields = {"database_url": database_url, "redis_url": redis_url, "models": catalogue, "data": folder}
    return Settings(**{**fields, **changed}, _env_file=None)  # type: ignore[call-arg]


def make_app(settings: Settings) -> DocumentedApi:
    """The application; that it describes itself takes longer than most tests, and is the same every time."""
    app = create_app(settings)
    app.openapi_schema = describe()
    return app


@cache
def describe() -> dict[str, Any]:
    return create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """The application in this process, without a socket."""
    app = make_app(settings)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: AsgiScope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            api = Api(client, dict(state or {})["desk"])
            client.headers.update(await api.key(Scope.ADMIN))
            yield api


@asynccontextmanager
async def serve_api(settings: Settings) -> AsyncIterator[Api]:
    """The application behind a real server on a port of its own."""
    app = make_app(settings)
    desks: list[Desk] = []

    async def keep_desk(scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            desks.append(scope["state"]["desk"])
        await app(scope, receive, send)

    config = uvicorn.Config(keep_desk, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                await client.get("/healthz")
                api = Api(client, desks[0])
                client.headers.update(await api.key(Scope.ADMIN))
                yield api
        finally:
            server.should_exit = True
            await serving


async def finish(api: Api, keys: list[PairKey], **answer: Any) -> RunId:
    """Bring a planned run to its end: the last pair without an answer, every other one scored."""
    steps = [_scored(key, **answer) for key in keys[:-1]]
    late = Unscored(ErrorKind.TIMEOUT, "No answer within 60 s.")
    steps.append(PairStep(keys[-1], PairState.PENDING, PairState.FAILED, outcome=late))
    async with api.desk.connection() as connection:
        await pairs.record_steps(connection, steps)
    await finalize_run(api.desk.pool, keys[0].run_id)
    return keys[0].run_id


async def finished_run(api: Api, **changed: Any) -> RunId:
    return await finish(api, await plan_run(api.desk.pool, **changed))


def _scored(key: PairKey, **answer: Any) -> PairStep:
    right = key.repeat == 1
    verdict = Verdict(1.0 if right else 0.5, right, "the numbers agree")
    return PairStep(
        key,
        PairState.PENDING,
        PairState.SCORED,
        answer=make_answer(**{"response": "42", **answer}),
        outcome=verdict,
    )
