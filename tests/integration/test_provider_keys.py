"""Keys to providers that come with a run: what is taken, what is kept, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.worker.finalize import finalize_run
from services.worker.provider import Permanent, complete
from shared.db import runs
from shared.db.provider_keys import read_provider_keys, store_provider_keys
from shared.domain.questions.suites import Scorer
from shared.domain.runs import RunId, RunState
from shared.settings import Settings
from tests.factories import plan_run
from tests.integration.serving import Api, finished_run, make_settings, open_api
from tests.integration.submitting import refused_fields, store_suite

KEY = "sk-test-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
HEADER = "X-Provider-Key"


@pytest.fixture
async def api(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with open_api(make_settings(database_url, redis_url, tmp_path, secret_key="s")) as api:
        await store_suite(api)
        yield api


async def submit(api: Api, *keys: str, **changed: Any) -> httpx.Response:
    headers = [(HEADER, key) for key in keys] + [("Idempotency-Key", changed.pop("once", "once"))]
    body = {"suite": "golden", "models": ["bright"], **changed}
    return await api.client.post("/api/v1/runs", json=body, headers=headers)


async def sealed(api: Api, run_id: str) -> dict[str, str]:
    """The keys that are kept for a run, opened."""
    assert api.desk.vault is not None
    async with api.desk.connection() as connection:
        kept = await read_provider_keys(connection, RunId(run_id))  # type: ignore[arg-type]
    assert not any(KEY.encode() in each for each in kept.values())
    return {provider: api.desk.vault.open(key) for provider, key in kept.items()}


@pytest.mark.parametrize(
    "keys",
    [
        [f"openai={KEY}", f"anthropic={KEY}2"],
        [f"openai={KEY}, anthropic={KEY}2"],
        [f"openai={KEY},anthropic={KEY}2"],
    ],
)
async def test_several_keys_may_come_in_one_header_or_in_several(api: Api, keys: list[str]) -> None:
    reply = await submit(api, *keys, models=["bright", "anthropic/claude"])

    assert reply.status_code == 202
    assert await sealed(api, reply.json()["id"]) == {"openai": KEY, "anthropic": f"{KEY}2"}


async def test_the_judge_may_be_asked_with_a_key_of_the_runs_own(api: Api) -> None:
    await store_suite(api, "judged", scorer=Scorer("llm-rubric"))
    refused = await submit(api, f"anthropic={KEY}", judge="anthropic/claude")
    taken = await submit(api, f"anthropic={KEY}", judge="anthropic/claude", suite="judged")

    assert refused_fields(refused) == [HEADER]
    assert await sealed(api, taken.json()["id"]) == {"anthropic": KEY}


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (f"openai={KEY}, openai={KEY}", "twice"),
        (f"opnai={KEY}", "whom this run does not ask"),
        (KEY, "PROVIDER=KEY"),
        (f"openai={KEY},", "PROVIDER=KEY"),
        (f"openai={KEY} {KEY}", "PROVIDER=KEY"),
        ("openai=short", "PROVIDER=KEY"),
    ],
)
async def test_a_header_that_makes_no_sense_is_refused_without_being_quoted(
    api: Api, header: str, problem: str
) -> None:
    reply = await submit(api, header)

    assert refused_fields(reply) == [HEADER]
    assert problem in reply.text
    assert KEY not in reply.text


async def test_without_a_secret_key_no_key_is_taken(api: Api, api_settings: Settings) -> None:
    async with open_api(api_settings) as other:
        reply = await submit(other, f"openai={KEY}")

    assert refused_fields(reply) == [HEADER]
    assert "DRIFTWARDEN_SECRET_KEY" in reply.text


async def test_a_request_sent_twice_keeps_the_keys_of_the_first(api: Api) -> None:
    first = await submit(api, f"openai={KEY}")
    second = await submit(api, f"openai={KEY}-other")

    assert second.json()["id"] == first.json()["id"]
    assert await sealed(api, first.json()["id"]) == {"openai": KEY}


@pytest.mark.parametrize("end", ["completed", "cancelled", "failed"])
async def test_however_a_run_ends_its_keys_end_with_it(api: Api, end: str) -> None:
    run_id = (await plan_run(api.desk.pool))[0].run_id
    async with api.desk.connection() as connection:
        await store_provider_keys(connection, run_id, {"openai": b"sealed"})
        match end:
            case "completed":
                await connection.execute(
                    "UPDATE pairs SET state = 'failed', error_kind = 'timeout', closed_at = now()"
                )
            case "cancelled":
                await connection.execute("DELETE FROM pairs")
                await runs.request_stop(connection, run_id, RunState.CANCELLED)
            case "failed":
                await runs.fail_run(connection, run_id, "It went wrong.")
        await finalize_run(api.desk.pool, run_id)
        run = await runs.find_run(connection, run_id)

        assert run is not None
        assert run.state == end
        assert not await read_provider_keys(connection, run_id)


async def test_a_run_that_is_closed_takes_no_key_any_more(api: Api) -> None:
    run_id = await finished_run(api)
    async with api.desk.connection() as connection:
        await store_provider_keys(connection, run_id, {"openai": b"sealed"})

        assert not await read_provider_keys(connection, run_id)


async def test_a_key_that_the_provider_quotes_is_not_told() -> None:
    """Providers tell in their refusals what they were sent."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line for line in head.splitlines() if line.lower().startswith("authorization"))
        body = f'{{"error": {{"message": "Incorrect API key provided: {key[22:]}", "type": "auth"}}}}'
        answer = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(f"{answer}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        arguments = {"model": "openai/x", "api_base": f"http://127.0.0.1:{port}/v1", "api_key": "quite-plain"}
        with pytest.raises(Permanent) as caught:
            await complete([{"role": "user", "content": "?"}], arguments, 10.0)

    assert "[redacted]" in caught.value.detail
    assert "quite-plain" not in caught.value.detail
