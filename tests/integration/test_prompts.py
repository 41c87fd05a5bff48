"""Prompts, from the file to what the provider hears and what two of them are worth beside each other."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.worker.main import open_worker
from tests.integration.commands import open_terminal
from tests.integration.serving import Api, make_settings, serve_api
from tests.integration.submitting import refused_fields

V1 = "/api/v1"

SUITE = "".join(
    ["id,category,input,expected_output,scorer\n"]
    + [f"q{n},math,What is {n} + {n}?,{2 * n},numeric\n" for n in range(1, 9)]
)
SUPPORT = {
    "name": "support",
    "messages": [{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": "{{input}}"}],
    "variables": {"tone": "brief"},
}


async def store(api: Api, **changed: Any) -> httpx.Response:
    return await api.client.post(f"{V1}/prompts", json={**SUPPORT, **changed})


async def test_content_that_is_new_makes_a_version(api: Api) -> None:
    first, again = await store(api), await store(api)
    second = await store(api, variables={"tone": "kind"})
    assert [each.status_code for each in (first, again, second)] == [201, 200, 201]
    assert first.json() == again.json()
    assert second.json()["version"] == 2
    listed = (await api.client.get(f"{V1}/prompts")).json()
    assert [each["version"] for each in listed["items"]] == [2, 1]
    page = (await api.client.get(f"{V1}/prompts", params={"limit": 1})).json()
    rest = (await api.client.get(f"{V1}/prompts", params={"cursor": page["next_cursor"]})).json()
    assert page["items"] + rest["items"] == listed["items"]


async def test_what_can_not_be_asked_is_refused_with_its_field(api: Api) -> None:
    assert refused_fields(await store(api, variables={})) == ["messages[0].content"]
    assert refused_fields(await store(api, name="a b")) == ["name"]
    assert refused_fields(await store(api, messages=[])) == ["messages"]
    await api.client.post(f"{V1}/suites?name=sums&filename=sums.csv", content=SUITE)
    run = {"suite": "sums", "models": ["openai/x"]}
    unknown = await api.client.post(f"{V1}/runs", json={**run, "prompt": "nobody"})
    await store(api)
    late = await api.client.post(f"{V1}/runs", json={**run, "prompt": "support@2"})
    schedule = await api.client.put(f"{V1}/schedules/nightly", json={**run, "prompt": "support@7"})
    assert refused_fields(unknown) == refused_fields(late) == refused_fields(schedule) == ["prompt"]
    assert late.json()["errors"][0]["remedy"] == "Its newest version is 1."


@dataclass(frozen=True, slots=True)
class Provider:
    """A model that adds well when it is told to be exact, and says 0 otherwise. `heard`: each chat."""

    url: str
    heard: list[list[dict[str, str]]] = field(default_factory=list)

    async def answer(self, request: Request) -> JSONResponse:
        chat = (await request.json())["messages"]
        self.heard.append(chat)
        numbers = [int(each) for each in re.findall(r"\d+", chat[-1]["content"])]
        text = str(sum(numbers)) if "exact" in chat[0]["content"] else "0"
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return JSONResponse(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [choice],
                "usage": usage,
            }
        )


@asynccontextmanager
async def serve_provider() -> AsyncIterator[Provider]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        provider = Provider(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        app = Starlette(routes=[Route("/v1/chat/completions", provider.answer, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield provider
        finally:
            server.should_exit = True
            await serving


async def test_two_versions_of_a_prompt_are_compared(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """Each run keeps the version it began with; the comparison says what the change was worth."""
    async with serve_provider() as provider:
        (tmp_path / "models.yaml").write_text(
            "model_list:\n  - model_name: adder\n    litellm_params:"
            f" {{model: openai/adder, api_base: '{provider.url}', api_key: none}}\n"
        )
        settings = make_settings(database_url, redis_url, tmp_path)
        async with serve_api(settings) as api:
            terminal = open_terminal(api, tmp_path / "work")
            terminal.write("sums.csv", *SUITE.splitlines())
            ask = '- {role: user, content: "{{input}}"}'
            terminal.write("calm.yaml", "- {role: system, content: Stay calm.}", ask)
            terminal.write("exact.yaml", "messages:", '- {role: system, content: "Be {{how}}."}',
                           '- {role: user, content: "{{input}}"}', "variables: {how: exact}")  # fmt: skip
            first = await terminal("prompts", "add", "sums", "calm.yaml", "--json")
            one = await terminal("run", "--suite", "sums.csv", "--prompt", "sums", "--json")
            second = await terminal("prompts", "add", "sums", "exact.yaml", "--json")
            two = await terminal("run", "--suite", "sums", "--prompt", "sums@2", "--json")
            assert (first.json["version"], second.json["version"]) == (1, 2)
            async with open_worker(settings, burst=True) as worker:
                await worker.main()
            compared = await terminal("compare", one.json["id"], two.json["id"])
            shown = await terminal("show", one.json["id"])
            told = await terminal("prompts", "show", "sums@2")
    systems = {chat[0]["content"] for chat in provider.heard}
    assert systems == {"Stay calm.", "Be exact."}
    assert {chat[-1]["content"] for chat in provider.heard} == {f"What is {n} + {n}?" for n in range(1, 9)}
    assert (
        "The prompt was changed, from sums v1 to sums v2. It made the answers better by +100.0 points."
        in (" ".join(compared.out.split()))
    )
    assert "sums v1" in shown.out
    assert "Be {{how}}." in told.out


async def test_a_files_mistakes_are_told_with_its_name(served_api: Api, tmp_path: Path) -> None:
    terminal = open_terminal(served_api, tmp_path / "work")
    terminal.write("empty.yaml", "{}")
    terminal.write("broken.json", "[")
    terminal.write("deaf.txt", "Answer!")
    for file, says in (
        ("empty.yaml", "empty.yaml: holds no messages."),
        ("broken.json", "broken.json: Expecting value"),
        ("missing.txt", "missing.txt: can't be read: No such file or directory."),
        ("deaf.txt", "messages: never put the question. Write {{input}} where the question goes."),
    ):
        done = await terminal("prompts", "add", "p", file)
        assert done.code == 2
        assert says in done.err
