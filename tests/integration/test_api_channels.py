"""Channels and deliveries over REST: what is stored, what is shown, and who may."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.db.keys import Scope
from shared.settings import Settings
from tests.integration.receiving import Clock, Outgoing, Receiver, is_signed, open_receiver, with_receivers
from tests.integration.serving import Api, make_settings, open_api
from tests.integration.submitting import refused_fields
from tests.integration.test_deliver import lose_sight
from tests.integration.watched_api import audited, begin_watch, only_incident

V1 = "/api/v1"
HOOK = "https://hooks.slack.com/services/T000/B000/abcdefghWXYZ"


@pytest.fixture
def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return with_receivers(make_settings(database_url, redis_url, tmp_path))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


def outgoing(api: Api) -> Outgoing:
    from datetime import UTC, datetime, timedelta

    return Outgoing(api.desk.pool, api.desk.settings, Clock(datetime.now(UTC) + timedelta(minutes=1)))


async def add(api: Api, name: str, kind: str, target: str, **more: Any) -> Any:
    body = {"name": name, "kind": kind, "target": target, **more}
    response = await api.client.post(f"{V1}/channels", json=body)
    assert response.status_code == 201, response.text
    return response.json()


async def test_a_channel_shows_no_more_of_its_target_than_host_and_end(api: Api) -> None:
    made = await add(api, "team", "slack", HOOK, min_severity="major", weekly_digest=True)
    listed = (await api.client.get(f"{V1}/channels")).json()["items"]

    assert made["target"] == "hooks.slack.com …WXYZ"
    assert made["secret"] is None
    assert listed == [{key: value for key, value in made.items() if key != "secret"}]
    async with api.desk.connection() as connection:
        stored = await connection.fetchval("SELECT target FROM channels")
        log = await connection.fetchval("SELECT string_agg(facts::text, ' ') FROM audit_log")
    assert b"abcdefgh" not in stored
    assert "abcdefgh" not in log
    assert await audited(api) == [("a admin key", "channel.created", "team")]


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("slack", "http://hooks.slack.com/services/T/B/X"),
        ("slack", "https://hooks.slack.com.evil.example/services/T/B/X"),
        ("slack", "https://example.org/services/T/B/X"),
        ("webhook", "ftp://example.org/"),
        ("webhook", "https://user@example.org/"),
        ("webhook", "http://169.254.169.254/latest/meta-data"),
        ("webhook", "http://10.0.0.1/"),
        ("email", "nobody"),
        ("email", "a@example.org, b"),
        ("email", "a@example.org\r\nBcc: b@example.org"),
        ("apprise", "nothing"),
    ],
)
async def test_what_is_no_target_is_refused_by_field(api: Api, kind: str, target: str) -> None:
    body = {"name": "team", "kind": kind, "target": target}
    assert refused_fields(await api.client.post(f"{V1}/channels", json=body)) == ["target"]


async def test_without_a_secret_key_no_channel_can_be_added(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with open_api(make_settings(database_url, redis_url, tmp_path)) as api:
        response = await api.client.post(
            f"{V1}/channels", json={"name": "team", "kind": "slack", "target": HOOK}
        )
    assert response.status_code == 409
    assert "DRIFTWARDEN_SECRET_KEY" in response.json()["detail"]


async def test_a_webhook_is_tried_rotated_and_removed(api: Api, receiver: Receiver) -> None:
    made = await add(api, "pipeline", "webhook", receiver.url)
    tried = await api.client.post(f"{V1}/channels/pipeline/test")
    assert (tried.status_code, tried.json()["event"]) == (202, "channel.test")
    await outgoing(api).send()
    rotated = (await api.client.post(f"{V1}/channels/pipeline/rotate-secret")).json()
    await api.client.post(f"{V1}/channels/pipeline/test")
    await outgoing(api).send()

    first, second = receiver.accepted
    assert is_signed(first, made["secret"])
    assert is_signed(second, made["secret"])
    assert is_signed(second, rotated["secret"])
    delivery = (await api.client.get(f"{V1}/deliveries/{tried.json()['id']}")).json()
    assert (delivery["state"], [one["outcome"] for one in delivery["log"]]) == ("delivered", ["delivered"])
    assert first.id == f"msg_{delivery['id'].replace('-', '')}"

    assert (await api.client.delete(f"{V1}/channels/pipeline")).status_code == 204
    assert (await api.client.get(f"{V1}/channels/pipeline")).status_code == 404
    async with api.desk.connection() as connection:
        left = await connection.fetchrow("SELECT target, secret, former_secret FROM channels")
    assert tuple(left) == (None, None, None)
    await add(api, "pipeline", "slack", HOOK)  # its name is free again
    acts = [act for _, act, _ in await audited(api)]
    assert acts == [
        "channel.created", "channel.tested", "channel.secret_rotated", "channel.tested", "channel.removed",
        "channel.created",
    ]  # fmt: skip


async def test_a_test_that_fails_is_not_tried_again(api: Api, receiver: Receiver) -> None:
    receiver.answers = [500]
    await add(api, "pipeline", "webhook", receiver.url)
    await api.client.post(f"{V1}/channels/pipeline/test")
    assert await outgoing(api).send() == {"dead": 1}


async def test_a_dead_letter_is_replayed_under_its_id(api: Api, receiver: Receiver) -> None:
    receiver.answers = [404]
    await add(api, "pipeline", "webhook", receiver.url)
    past = await begin_watch(api, questions=20)
    await lose_sight(past)
    sender = outgoing(api)
    await sender.send()
    incident = await only_incident(api)

    query = {"state": "dead", "channel": "pipeline", "incident": incident["id"]}
    (dead,) = (await api.client.get(f"{V1}/deliveries", params=query)).json()["items"]
    assert "404" in dead["last_error"]
    replayed = await api.client.post(f"{V1}/deliveries/{dead['id']}/replay")
    assert replayed.json()["state"] == "pending"
    again = await api.client.post(f"{V1}/deliveries/{dead['id']}/replay")
    assert again.status_code == 409
    await sender.send()

    (message,) = receiver.accepted
    assert {one.id for one in receiver.received} == {message.id}


async def test_what_people_were_told_by_slack_is_not_sent_twice(api: Api, receiver: Receiver) -> None:
    await add(api, "team", "slack", receiver.url)
    tried = (await api.client.post(f"{V1}/channels/team/test")).json()
    await outgoing(api).send()
    assert (await api.client.post(f"{V1}/deliveries/{tried['id']}/replay")).status_code == 409


async def test_a_person_that_acts_is_told_of(api: Api, receiver: Receiver) -> None:
    await add(api, "pipeline", "webhook", receiver.url)
    await lose_sight(await begin_watch(api, questions=20))
    incident = await only_incident(api)
    for act in ("acknowledge", "acknowledge", "resolve"):
        response = await api.client.post(f"{V1}/incidents/{incident['id']}/{act}", json={"note": "Seen."})
        assert response.status_code == 200
    await outgoing(api).send()
    assert [one.json["type"] for one in receiver.accepted] == [
        "incident.opened", "incident.acknowledged", "incident.resolved",
    ]  # fmt: skip
    assert receiver.accepted[-1].json["data"]["note"] == "Seen."


async def test_a_channel_can_be_changed_disabled_and_enabled(api: Api) -> None:
    await add(api, "team", "slack", HOOK)

    async def change(**fields: Any) -> Any:
        return (await api.client.patch(f"{V1}/channels/team", json=fields)).json()

    assert (await change(models=["bright"], min_severity="critical"))["models"] == ["bright"]
    off = await change(is_enabled=False)
    assert (off["state"], off["models"], off["min_severity"]) == ("disabled", ["bright"], "critical")
    assert (await api.client.post(f"{V1}/channels/team/test")).status_code == 409
    on = await change(is_enabled=True, models=None, target=HOOK.replace("WXYZ", "4321"))
    assert (on["state"], on["models"], on["target"]) == ("active", None, "hooks.slack.com …4321")


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SUBMIT])
async def test_only_admins_change_channels(api: Api, scope: Scope) -> None:
    await add(api, "team", "slack", HOOK)
    headers = await api.key(scope)
    for method, path in [
        ("POST", "channels"),
        ("PATCH", "channels/team"),
        ("DELETE", "channels/team"),
        ("POST", "channels/team/test"),
        ("POST", "channels/team/rotate-secret"),
        ("GET", "callback-secret"),
    ]:
        response = await api.client.request(method, f"{V1}/{path}", headers=headers)
        assert response.status_code == 403, path
    assert (await api.client.get(f"{V1}/channels", headers=headers)).status_code == 200
    assert (await api.client.get(f"{V1}/deliveries", headers=headers)).status_code == 200
