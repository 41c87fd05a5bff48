"""Callbacks: a finished run is told, signed, to the address that came with it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.db import runs
from shared.domain.runs import PairKey, RunId, RunState
from shared.settings import Settings
from tests.factories import plan_run
from tests.integration.receiving import Receiver, is_signed, open_receiver, with_receivers
from tests.integration.serving import Api, finish, make_settings, open_api
from tests.integration.submitting import refused_fields, store_suite, submit
from tests.integration.test_api_channels import outgoing

SECRET = "/api/v1/callback-secret"


@pytest.fixture
def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return with_receivers(make_settings(database_url, redis_url, tmp_path))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


async def run_with_callback(api: Api, url: str) -> list[PairKey]:
    keys = await plan_run(api.desk.pool)
    assert api.desk.vault is not None
    async with api.desk.connection() as connection:
        await runs.store_callback(connection, keys[0].run_id, api.desk.vault.seal(url), "hint")
    return keys


async def test_a_finished_run_is_told_once_signed_and_as_the_api_tells_it(
    api: Api, receiver: Receiver
) -> None:
    run_id = await finish(api, await run_with_callback(api, f"{receiver.url}/done?token=1"))
    sender = outgoing(api)
    assert [await sender.send(), await sender.send()] == [{"delivered": 1}, {}]

    (message,) = receiver.accepted
    assert is_signed(message, (await api.client.get(SECRET)).json()["secret"])
    assert message.json["type"] == "run.finished"
    told = message.json["data"]["run"]
    shown = (await api.client.get(f"/api/v1/runs/{run_id}")).json()
    known: dict[str, Any] = {name: told[name] for name in ("id", "state", "suite", "models", "spent_usd")}
    assert known == {name: shown[name] for name in known}
    assert [one["accuracy"] for one in told["aggregates"]] == [one["accuracy"] for one in shown["aggregates"]]
    (listed,) = (await api.client.get("/api/v1/deliveries", params={"run": str(run_id)})).json()["items"]
    assert (listed["event"], listed["state"], listed["channel"]) == ("run.finished", "delivered", None)


async def test_a_run_without_one_is_told_to_nobody(api: Api, receiver: Receiver) -> None:
    await finish(api, await plan_run(api.desk.pool))
    assert await outgoing(api).send() == {}


async def test_a_callback_that_is_gone_is_a_dead_letter(api: Api, receiver: Receiver) -> None:
    receiver.answers = [410]
    await finish(api, await run_with_callback(api, receiver.url))
    assert await outgoing(api).send() == {"dead": 1}


async def test_a_cancelled_run_is_told_as_well(api: Api, receiver: Receiver) -> None:
    from services.worker.stop import stop_run

    (key, *_) = await run_with_callback(api, receiver.url)
    run_id = RunId(key.run_id)
    async with api.desk.connection() as connection:
        await runs.request_stop(connection, run_id, RunState.CANCELLED)
    await stop_run(api.desk.pool, api.desk.redis, run_id)
    await outgoing(api).send()
    assert receiver.accepted[0].json["data"]["run"]["state"] == "cancelled"


async def test_the_address_is_stored_encrypted(api: Api) -> None:
    await store_suite(api)
    url = "https://8.8.8.8/done?token=verysecret"
    response = await submit(api, models=["bright"], callback_url=url)
    assert response.status_code == 202
    async with api.desk.connection() as connection:
        stored, hint = await connection.fetchrow("SELECT callback_url, callback_hint FROM runs")
    assert b"verysecret" not in stored
    assert hint == "8.8.8.8 …cret"
    assert "verysecret" not in response.text


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433/",
        "ftp://8.8.8.8/",
        "",
    ],
)
async def test_an_address_that_leads_inside_is_refused_by_field(api: Api, url: str) -> None:
    await store_suite(api)
    assert refused_fields(await submit(api, models=["bright"], callback_url=url)) == ["callback_url"]


async def test_without_a_secret_key_a_callback_is_refused(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with open_api(make_settings(database_url, redis_url, tmp_path)) as api:
        await store_suite(api)
        response = await submit(api, models=["bright"], callback_url="https://8.8.8.8/")
        assert refused_fields(response) == ["callback_url"]
