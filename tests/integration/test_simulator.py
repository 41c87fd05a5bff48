"""The simulated provider over HTTP: asked through LiteLLM as in production, steered by /admin."""

import asyncio
import random
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.simulator.config import SimulatorConfig
from services.simulator.serving import serve
from services.worker import litellm_call
from tests.factories import make_question

litellm: Any = litellm_call.litellm  # type: ignore[attr-defined]

QUESTIONS = [
    make_question(number, input=f"What is {number} + {number}? Think well.") for number in range(1, 101)
]
FAULTS: dict[str, dict[str, Any]] = {
    "limited": {"faults": {"rate_limited": 1}, "limits": {"retry_after_seconds": 7}},
    "broken": {"faults": {"server_error": 1}},
    "garbled": {"faults": {"malformed": 1}},
    "dead": {"faults": {"hang": 1}},
    "filtered": {"faults": {"content_filter": 1}},
    "cut": {"faults": {"truncated": 1}},
    "narrow": {"limits": {"context_tokens": 1}},
}


class Client:
    """A client of one simulated provider."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url, self._http = url, http

    async def ask(self, model: str, text: str = "hi", **fields: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return await self._http.post("/v1/chat/completions", json=body)

    async def answer(self, model: str, text: str) -> str:
        reply = await self.ask(model, text)
        content = reply.json()["choices"][0]["message"]["content"]
        assert isinstance(content, str)
        return content

    async def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self._http.request(method, f"/admin/{path}", **options)

    async def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = (await self.admin("GET", "stats")).json()
        return stats

    async def until_in_flight(self, count: int) -> None:
        async with asyncio.timeout(10):
            while (await self.stats())["in_flight"] != count:  # noqa: ASYNC110  # the server is told by its socket
                await asyncio.sleep(0.01)

    async def ask_by_litellm(self, model: str, timeout_seconds: float = 30) -> Any:
        return await litellm.acompletion(
            model=f"openai/{model}",
            api_base=f"{self.url}/v1",
            api_key="x",
            messages=[{"role": "user", "content": QUESTIONS[0].input}],
            timeout=timeout_seconds,
            num_retries=0,
            max_retries=0,
        )


@asynccontextmanager
async def simulated(**fields: Any) -> AsyncIterator[Client]:
    config = SimulatorConfig.model_validate(fields)
    async with serve(config, questions=QUESTIONS) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield Client(url, http)


@pytest.fixture(scope="module")
async def faulty() -> AsyncIterator[Client]:
    """A provider of which each model fails in its own way, and `bright` does not."""
    bright = {"skill": 1, "noise": 0, "served_model": "bright-0301", "system_fingerprint": "fp_7"}
    async with simulated(models={"bright": bright, **FAULTS}) as client:
        yield client


async def test_litellm_reads_an_answer_and_who_gave_it(faulty: Client) -> None:
    reply = await faulty.ask_by_litellm("bright")
    assert QUESTIONS[0].target in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert (reply.model, reply.system_fingerprint) == ("bright-0301", "fp_7")
    assert reply.id.startswith("chatcmpl-")
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.completion_tokens > 0


@pytest.mark.parametrize(("model", "finish_reason"), [("filtered", "content_filter"), ("cut", "length")])
async def test_litellm_reads_why_an_answer_ended(faulty: Client, model: str, finish_reason: str) -> None:
    reply = await faulty.ask_by_litellm(model)
    assert reply.choices[0].finish_reason == finish_reason


@pytest.mark.parametrize(
    ("model", "exception"),
    [
        ("limited", "RateLimitError"),
        ("broken", "InternalServerError"),
        ("garbled", "InternalServerError"),
        ("narrow", "ContextWindowExceededError"),
        ("nobody", "NotFoundError"),
    ],
)
async def test_litellm_sorts_each_failure(faulty: Client, model: str, exception: str) -> None:
    with pytest.raises(getattr(litellm, exception)):
        await faulty.ask_by_litellm(model)


async def test_litellm_passes_on_how_long_to_wait(faulty: Client) -> None:
    with pytest.raises(litellm.RateLimitError) as error:
        await faulty.ask_by_litellm("limited")
    assert error.value.litellm_response_headers["retry-after"] == "7"


async def test_litellm_gives_up_on_a_model_that_never_answers(faulty: Client) -> None:
    await faulty.admin("POST", "stats/reset")
    with pytest.raises(litellm.Timeout):
        await faulty.ask_by_litellm("dead", timeout_seconds=0.2)
    await faulty.until_in_flight(0)
    assert (await faulty.stats())["models"]["dead"]["abandoned"] == 1


async def test_errors_have_the_form_of_openai_and_an_id(faulty: Client) -> None:
    reply = await faulty.ask("nobody")
    assert reply.status_code == 404
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
    assert reply.json() == {
        "error": {
            "message": "The model `nobody` does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"stream": True}, "stream"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0]"),
        ({"model": None}, "model"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
async def test_a_bad_request_is_refused_by_field(
    faulty: Client, fields: dict[str, Any], parameter: str
) -> None:
    reply = await faulty.ask(**{"model": "bright", **fields})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == parameter


async def test_messages_may_come_in_parts(faulty: Client) -> None:
    parts = [
        {"type": "text", "text": QUESTIONS[4].input[:9]},
        {"type": "text", "text": QUESTIONS[4].input[9:]},
    ]
    reply = await faulty.ask("bright", messages=[{"role": "user", "content": parts}])
    assert QUESTIONS[4].target in reply.json()["choices"][0]["message"]["content"]


async def test_models_are_listed(faulty: Client) -> None:
    async with httpx.AsyncClient(base_url=faulty.url) as http:
        listed = (await http.get("/v1/models")).json()["data"]
        assert (await http.get("/healthz")).status_code == 200
    assert {model["id"] for model in listed} == {"bright", *FAULTS}


async def test_a_wrong_key_is_refused_where_one_is_asked_for() -> None:
    async with simulated(api_key="secret", models={"atlas": {}}) as client:
        assert (await client.ask("atlas")).status_code == 401
        with pytest.raises(litellm.AuthenticationError):
            await client.ask_by_litellm("atlas")


async def test_answers_are_the_same_whatever_the_order_of_requests() -> None:
    config = {"seed": 3, "models": {"atlas": {"skill": 0.6, "latency": {"mean_seconds": 0.005}}}}

    async def answers(shuffle: int) -> dict[str, str]:
        order = random.Random(shuffle).sample(QUESTIONS, len(QUESTIONS))
        async with simulated(**config) as client:
            texts = await asyncio.gather(*(client.answer("atlas", question.input) for question in order))
        return dict(sorted(zip((question.id for question in order), texts, strict=True)))

    assert await answers(1) == await answers(2)


async def test_requests_beyond_the_limit_in_flight_are_told_to_wait() -> None:
    async with simulated(models={"atlas": {"latency": 0.3, "limits": {"in_flight": 5}}}) as client:
        replies = await asyncio.gather(*(client.ask("atlas", question.input) for question in QUESTIONS[:20]))
        stats = (await client.stats())["models"]["atlas"]
    refused = [reply for reply in replies if reply.status_code == 429]
    assert {reply.headers["retry-after"] for reply in refused} == {"1"}
    assert (len(refused), stats["rate_limited"], stats["completed"]) == (15, 15, 5)
    assert (stats["requests"], stats["peak_in_flight"], stats["in_flight"]) == (20, 5, 0)


async def test_latency_is_waited_for() -> None:
    async with simulated(models={"atlas": {"latency": 0.2}}) as client:
        reply = await client.ask("atlas")
    assert reply.elapsed.total_seconds() >= 0.2


async def test_a_live_change_holds_from_the_next_request_on() -> None:
    async with simulated(models={"lab/atlas:2": {"skill": 1, "noise": 0}}) as client:
        assert QUESTIONS[0].target in await client.answer("lab/atlas:2", QUESTIONS[0].input)
        patched = await client.admin("PATCH", "models/lab/atlas:2", json={"faults": {"server_error": 1}})
        assert patched.status_code == 200
        assert (await client.ask("lab/atlas:2", QUESTIONS[0].input)).status_code == 500
        config = (await client.admin("GET", "config")).json()
    assert config["models"]["lab/atlas:2"]["drift"] == [{"night": 1, "faults": {"server_error": 1.0}}]


async def test_a_model_drifts_on_the_night_that_is_set() -> None:
    drift = [{"night": 17, "served_model": "atlas-2"}]
    async with simulated(models={"atlas": {"served_model": "atlas-1", "drift": drift}}) as client:
        assert (await client.ask("atlas")).json()["model"] == "atlas-1"
        assert (await client.admin("PUT", "night", json={"night": 17})).json() == {"night": 17}
        assert (await client.ask("atlas")).json()["model"] == "atlas-2"
        assert (await client.stats())["night"] == 17


async def test_a_whole_new_configuration_takes_the_place_of_the_old() -> None:
    async with simulated(models={"atlas": {}}) as client:
        replaced = await client.admin("PUT", "config", content="models: {moth: {skill: 0.2}}\nnight: 4\n")
        assert replaced.json() == {"models": {"moth": {"skill": 0.2}}, "night": 4}
        assert (await client.ask("atlas")).status_code == 404
        assert (await client.ask("moth")).status_code == 200
        again = await client.admin("PUT", "config", content=(await client.admin("GET", "config")).content)
        assert again.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "config", b"models: {moth: {skil: 0.2}}", "config: models.moth.skil"),
        ("PUT", "config", b"suites: [nowhere.csv]", "suites"),
        ("PATCH", "models/atlas", b'{"skill": 3}', "models.atlas: skill"),
        ("PATCH", "models/nobody", b'{"skill": 1}', "model"),
        ("PATCH", "models/atlas", b"[]", "body"),
        ("PUT", "night", b'{"night": "two"}', "night"),
    ],
)
async def test_a_mistake_in_steering_names_the_field_and_changes_nothing(
    method: str, path: str, body: bytes, field: str
) -> None:
    async with simulated(models={"atlas": {}}) as client:
        before = (await client.admin("GET", "config")).json()
        refused = await client.admin(method, path, content=body)
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == field
        assert (await client.admin("GET", "config")).json() == before


async def test_without_admin_nobody_steers() -> None:
    async with simulated(admin=False, models={"control": {"kind": "control"}}) as client:
        assert (await client.admin("GET", "config")).status_code == 404
        assert (await client.admin("PUT", "config", content="models: {}")).status_code == 404


async def test_closing_does_not_wait_for_those_who_get_no_answer() -> None:
    body = {"model": "dead", "messages": [{"role": "user", "content": "hi"}]}
    async with asyncio.timeout(4), httpx.AsyncClient() as http, asyncio.TaskGroup() as tasks:
        async with simulated(models={"dead": FAULTS["dead"]}) as client:
            hung = tasks.create_task(http.post(f"{client.url}/v1/chat/completions", json=body))
            await client.until_in_flight(1)
        assert (await hung).status_code == 503


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Process]:
    """The simulator as a program of its own; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.simulator", *arguments, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def read_address(process: Process) -> str:
    assert process.stdout is not None
    announcement = await process.stdout.readline()
    address = re.search(rb"http://\S+:\d+", announcement)
    assert address is not None, announcement
    return address[0].decode()


async def test_the_program_serves_a_file_and_its_suite_until_it_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "suite.csv").write_text(
        "id,category,input,expected_output,scorer\na,math,What is 3 + 4?,7,numeric\n"
    )
    config = tmp_path / "simulator.yaml"
    config.write_text(
        "suites: [suite.csv]\nmodels:\n  atlas: {skill: 1, noise: 0}\n  dead: {faults: {hang: 1}}\n"
    )
    async with program("--config", str(config), "--port", "0") as process:
        url = await read_address(process)
        async with httpx.AsyncClient(base_url=url, timeout=20) as http, asyncio.TaskGroup() as tasks:
            client = Client(url, http)
            assert "7" in await client.answer("atlas", "What is 3 + 4?")
            hung = tasks.create_task(client.ask("dead"))
            await client.until_in_flight(1)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(4):
                _, complaints = await process.communicate()
        assert hung.result().status_code == 503
        assert complaints == b""
        assert process.returncode in (0, -signal.SIGTERM)


async def test_the_program_refuses_a_bad_file_by_field(tmp_path: Path) -> None:
    config = tmp_path / "simulator.yaml"
    config.write_text("models: {atlas: {skil: 1}}")
    async with program("--config", str(config)) as process:
        _, complaints = await process.communicate()
        assert process.returncode == 2
        assert f"{config}: models.atlas.skil".encode() in complaints
