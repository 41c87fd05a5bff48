"""Who may do what, and how keys and judges are kept."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.api.app import create_app
from shared.db.keys import Scope, list_valid_keys
from shared.domain.errors import InvalidInput
from shared.settings import Settings
from tests.integration.serving import Api, make_settings, open_api

KEYS, JUDGES = "/api/v1/keys", "/api/v1/judges"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer dw_unknown", "Bearer ä"])
async def test_what_is_no_key_is_refused_with_the_challenge(api: Api, header: str) -> None:
    response = await api.client.get("/api/v1/runs", headers={b"Authorization": header.encode("latin-1")})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer ")


async def test_a_key_is_shown_once_and_opens_until_it_is_revoked(api: Api) -> None:
    made = (await api.client.post(KEYS, json={"name": "ci", "scope": "submit"})).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert (await api.client.get("/api/v1/runs", headers=headers)).status_code == 200
    listed = (await api.client.get(KEYS)).json()["items"]
    assert [key["name"] for key in listed] == ["a admin key", "ci"]
    assert made["secret"] not in str(listed)
    assert listed[1]["last_used_at"] is not None
    assert (await api.client.delete(f"{KEYS}/{made['id']}")).status_code == 204
    assert (await api.client.get("/api/v1/runs", headers=headers)).status_code == 401
    assert (await api.client.delete(f"{KEYS}/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"scope": "root"}, "scope"),
        ({"name": ""}, "name"),
        ({"name": "a\u0000"}, "name"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"expires_at": 1893456000}, "expires_at"),
    ],
)
async def test_a_bad_key_request_is_refused(api: Api, changed: dict[str, Any], field: str) -> None:
    response = await api.client.post(KEYS, json={"name": "ci", "scope": "read", **changed})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


async def test_an_expired_key_opens_nothing(api: Api) -> None:
    body = {"name": "ci", "scope": "read", "expires_at": "2199-01-01T00:00:00+02:00"}
    made = (await api.client.post(KEYS, json=body)).json()
    assert made["expires_at"] == "2198-12-31T22:00:00Z"
    async with api.desk.connection() as connection:
        await connection.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'ci'")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert (await api.client.get("/api/v1/runs", headers=headers)).status_code == 401


async def test_a_judge_is_versioned_by_its_content(api: Api) -> None:
    made = [
        (await api.client.post(JUDGES, json={"name": "strict", "model": "openai/gpt-4o", **more})).json()
        for more in ({}, {"prompt": "Be strict."}, {}, {"parameters": {"temperature": 0.5, "stop": ["x"]}})
    ]
    assert [judge["version"] for judge in made] == [1, 2, 1, 3]
    assert made[0]["prompt"]
    assert made[3]["parameters"] == {"temperature": 0.5, "stop": ["x"]}
    first = (await api.client.get(JUDGES, params={"limit": 2})).json()
    rest = (await api.client.get(JUDGES, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [judge["version"] for judge in first["items"] + rest["items"]] == [3, 2, 1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"name": "s", "model": "nobody"}', "model"),
        ('{"name": "a b", "model": "bright"}', "name"),
        ('{"name": "s", "model": "bright", "prompt": ""}', "prompt"),
        ('{"name": "s", "model": "bright", "parameters": {"a": "\\u0000"}}', "parameters"),
        ('{"name": "s", "model": "bright", "parameters": {"a": ["\\ud800"]}}', "parameters"),
        ('{"name": "s", "model": "bright", "parameters": {"a": NaN}}', "parameters"),
        ('{"name": "s", "model": "bright", "parameters": {"a": 1' + "0" * 30 + "}}", "parameters"),
        ('{"name": "s", "model": "bright", "parameters": {"a": ' + "[" * 30 + "]" * 30 + "}}", "parameters"),
    ],
)
async def test_a_bad_judge_is_refused(api: Api, body: str, field: str) -> None:
    response = await api.client.post(JUDGES, content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


@pytest.fixture
def keyless(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, redis_url, tmp_path, auth="off")


async def test_without_keys_this_machine_may_do_everything(keyless: Settings) -> None:
    async with open_api(keyless) as api:
        del api.client.headers["Authorization"]
        assert (await api.client.get("/api/v1/keys")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "[::1"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
)
async def test_without_keys_a_foreign_page_may_do_nothing(keyless: Settings, headers: dict[str, str]) -> None:
    async with open_api(keyless) as api:
        assert (await api.client.get("/api/v1/keys", headers=headers)).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "driftwarden.example"])
async def test_without_keys_the_network_is_not_served(keyless: Settings, host: str) -> None:
    with pytest.raises(InvalidInput, match="DRIFTWARDEN_AUTH"):
        create_app(keyless.model_copy(update={"host": host}))


async def test_no_two_valid_keys_have_the_same_name(api: Api) -> None:
    body = {"name": "ci", "scope": "read"}
    made = (await api.client.post(KEYS, json=body)).json()

    taken = await api.client.post(KEYS, json=body)
    await api.client.delete(f"{KEYS}/{made['id']}")
    renewed = await api.client.post(KEYS, json=body)

    assert (taken.status_code, taken.json()["title"]) == (409, "Name taken")
    assert renewed.status_code == 201


async def list_ids(api: Api) -> dict[str, str]:
    return {key["name"]: key["id"] for key in (await api.client.get(KEYS)).json()["items"]}


async def test_the_last_admin_key_can_not_be_revoked(api: Api) -> None:
    ids = await list_ids(api)
    past = (await api.client.post(KEYS, json={"name": "past", "scope": "admin"})).json()
    async with api.desk.connection() as connection:
        await connection.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'past'")

    refused = await api.client.delete(f"{KEYS}/{ids['a admin key']}")
    await api.client.post(KEYS, json={"name": "next", "scope": "admin"})
    done = await api.client.delete(f"{KEYS}/{ids['a admin key']}")

    assert (refused.status_code, refused.json()["title"]) == (409, "Last admin key")
    assert "keys create NAME --scope admin" in refused.json()["detail"]
    assert past["scope"] == "admin"
    assert done.status_code == 204


async def test_two_admins_who_revoke_each_other_leave_one(api: Api) -> None:
    ids = await list_ids(api)
    made = (await api.client.post(KEYS, json={"name": "other", "scope": "admin"})).json()
    other = {"Authorization": f"Bearer {made['secret']}"}

    answers = await asyncio.gather(
        api.client.delete(f"{KEYS}/{made['id']}"),
        api.client.delete(f"{KEYS}/{ids['a admin key']}", headers=other),
    )

    assert sorted(answer.status_code for answer in answers) in ([204, 401], [204, 409])
    async with api.desk.connection() as connection:
        assert len(await list_valid_keys(connection, scope=Scope.ADMIN)) == 1
