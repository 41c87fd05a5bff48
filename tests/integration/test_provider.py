"""How a provider's answers and refusals are sorted, on both routes and over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from services.simulator.config import SimulatorConfig
from services.simulator.serving import serve
from services.worker import openai_route
from services.worker.openai_route import route
from services.worker.provider import Permanent, Transient, complete
from shared.domain.errors import ErrorKind
from tests.factories import make_question

QUESTION = make_question(7)
MODELS = {
    "bright": {"skill": 1.0, "noise": 0.0, "served_model": "bright-v2", "system_fingerprint": "fp_2"},
    "busy": {"faults": {"rate_limited": 1.0}, "limits": {"retry_after_seconds": 7}},
    "down": {"faults": {"server_error": 1.0}},
    "garbled": {"faults": {"malformed": 1.0}},
    "silent": {"faults": {"hang": 1.0}},
    "narrow": {"limits": {"context_tokens": 1}},
}


@pytest.fixture(scope="module")
async def api_base() -> AsyncIterator[str]:
    async with serve(SimulatorConfig.model_validate({"models": MODELS}), questions=[QUESTION]) as url:
        yield f"{url}/v1"


@pytest.fixture(params=["by LiteLLM", "by a copy"], autouse=True)
def choose_route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_route, "_transport", "litellm" if request.param == "by LiteLLM" else "auto")


async def ask(api_base: str, model: str, timeout_seconds: float = 10.0, **arguments: Any) -> Any:
    messages = [{"role": "user", "content": QUESTION.input}]
    transport = openai_route._transport
    # LiteLLM keeps its clients by key: with one key, what one route has opened would serve the other.
    key = f"sk-{transport}"
    arguments = {"model": f"openai/{model}", "api_base": api_base, "api_key": key, **arguments}
    if transport == "auto":
        way = await route()
        if await way.blueprint_of(messages, arguments, timeout_seconds) is None:
            with suppress(Transient, Permanent):
                await complete(messages, arguments, timeout_seconds)
        assert await way.blueprint_of(messages, arguments, timeout_seconds)
    return await complete(messages, arguments, timeout_seconds)


async def test_an_answer_keeps_what_the_provider_says_about_itself(api_base: str) -> None:
    answer = await ask(api_base, "bright")
    assert answer.response.endswith("14")
    assert (answer.served_model, answer.system_fingerprint) == ("bright-v2", "fp_2")
    assert (answer.finish_reason, answer.cost_usd) == ("stop", None)
    assert answer.request_id
    assert answer.input_tokens > 0
    assert answer.latency_seconds > 0


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("busy", ErrorKind.RATE_LIMITED),
        ("down", ErrorKind.UNAVAILABLE),
        ("garbled", ErrorKind.UNAVAILABLE),
        ("silent", ErrorKind.TIMEOUT),
    ],
)
async def test_what_may_pass_is_transient(api_base: str, model: str, kind: ErrorKind) -> None:
    with pytest.raises(Transient) as caught:
        await ask(api_base, model, timeout_seconds=0.5 if model == "silent" else 10.0)
    assert caught.value.kind is kind


async def test_how_long_to_wait_is_read_from_the_provider(api_base: str) -> None:
    with pytest.raises(Transient) as caught:
        await ask(api_base, "busy")
    assert caught.value.retry_after_seconds == 7.0


@pytest.mark.parametrize(
    ("model", "kind"), [("narrow", ErrorKind.CONTEXT_LENGTH), ("nobody", ErrorKind.NOT_FOUND)]
)
async def test_what_would_fail_again_is_permanent(api_base: str, model: str, kind: ErrorKind) -> None:
    with pytest.raises(Permanent) as caught:
        await ask(api_base, model)
    assert caught.value.kind is kind


async def test_a_provider_nobody_knows_is_permanent(api_base: str) -> None:
    with pytest.raises(Permanent):
        await complete([{"role": "user", "content": "x"}], {"model": "nobody/knows-this"}, 5.0)


async def test_a_server_that_is_not_there_is_transient() -> None:
    with pytest.raises(Transient) as caught:
        await ask("http://127.0.0.1:9/v1", "bright")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
