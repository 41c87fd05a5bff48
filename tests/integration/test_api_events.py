"""Progress as server-sent events: told on change, ended with the run, dropped with the watcher."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson

from services.api import events
from shared.db import pairs, runs
from shared.domain.runs import PairKey
from tests.factories import plan_run
from tests.integration.serving import Api, finish, finished_run


async def told(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The events of a stream, by name and data; heartbeats are passed over."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, orjson.loads(line.removeprefix("data: "))


def watch(api: Api, key: PairKey, **headers: str) -> Any:
    return api.client.stream("GET", f"/api/v1/runs/{key.run_id}/events", headers=headers)


async def test_a_watched_run_tells_its_progress_and_its_end(served_api: Api) -> None:
    keys = await plan_run(served_api.desk.pool)
    async with watch(served_api, keys[0]) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = told(response)
        name, progress = await anext(stream)
        assert (name, progress["state"], progress["planned_pairs"], progress["closed_pairs"]) == (
            *("progress", "running", 3, 0),
        )
        assert progress["models"][0]["pending"] == 3
        await finish(served_api, keys)
        name, progress = await anext(stream)
        assert (name, progress["state"], progress["closed_pairs"]) == ("finished", "completed", 3)
        assert [entry async for entry in stream] == []


async def test_a_finished_run_tells_that_at_once(served_api: Api) -> None:
    run_id = await finished_run(served_api)
    headers = {"Last-Event-ID": "7"}
    async with served_api.client.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as response:
        assert [name async for name, _ in told(response)] == ["finished"]


async def test_nothing_is_told_while_nothing_changes(served_api: Api) -> None:
    keys = await plan_run(served_api.desk.pool)
    async with watch(served_api, keys[0]) as response:
        stream = told(response)
        await anext(stream)
        quiet = asyncio.ensure_future(anext(stream))
        done, _ = await asyncio.wait([quiet], timeout=2.5 * events.INTERVAL_SECONDS)
        assert not done
        async with served_api.desk.connection() as connection:
            await runs.fail_run(connection, keys[0].run_id, "The suite was lost.")
        name, progress = await quiet
    assert (name, progress["state"], progress["error"]) == ("finished", "failed", "The suite was lost.")


async def test_a_watcher_who_left_is_watched_for_no_longer(served_api: Api, monkeypatch: Any) -> None:
    looks = asyncio.Queue[None]()
    look = pairs.count_states

    async def counted(*args: Any) -> Any:
        looks.put_nowait(None)
        return await look(*args)

    monkeypatch.setattr(pairs, "count_states", counted)
    keys = await plan_run(served_api.desk.pool)
    async with watch(served_api, keys[0]) as response:
        await anext(told(response))
    while not looks.empty():
        looks.get_nowait()
    done, left = await asyncio.wait([asyncio.ensure_future(looks.get())], timeout=3 * events.INTERVAL_SECONDS)
    for waiting in left:
        waiting.cancel()
    assert not done
