"""The audit log: who did what, and when."""

from typing import Any

import asyncpg
import httpx
import pytest

from shared.db.keys import Scope
from tests.integration.serving import Api
from tests.integration.submitting import submit

AUDIT, KEYS, SUITES = "/api/v1/audit", "/api/v1/keys", "/api/v1/suites"
SUITE = "id,category,input,expected_output,scorer\nq-1,math,What is 2 + 2?,4,numeric\n"
SCHEDULE = {"suite": "golden", "models": ["bright"]}
ADMIN = "a admin key"


async def read(api: Api, **query: Any) -> list[dict[str, Any]]:
    response = await api.client.get(AUDIT, params=query)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


async def told(api: Api, **query: Any) -> list[tuple[str, str]]:
    return [(entry["actor"], entry["act"]) for entry in await read(api, **query)]


async def bring_suite(api: Api, **headers: str) -> httpx.Response:
    where = {"name": "golden", "filename": "golden.csv"}
    return await api.client.post(SUITES, params=where, content=SUITE, headers=headers)


@pytest.fixture
async def busy(api: Api) -> Api:
    """After a day's work of two keys."""
    made = (await api.client.post(KEYS, json={"name": "ci", "scope": "submit"})).json()
    ci = {"Authorization": f"Bearer {made['secret']}"}
    await bring_suite(api, **ci)
    await bring_suite(api, **ci)  # nothing new
    run = (await submit(api, ci)).json()
    await api.client.post(f"/api/v1/runs/{run['id']}/cancel")
    await api.client.post(f"/api/v1/runs/{run['id']}/cancel")  # no second time
    await api.client.post("/api/v1/judges", json={"name": "strict", "model": "openai/gpt-4o"}, headers=ci)
    await api.client.put("/api/v1/schedules/nightly", json=SCHEDULE)
    await api.client.delete(f"{KEYS}/{made['id']}")
    return api


async def test_every_act_is_told_once_with_who_did_it_newest_first(busy: Api) -> None:
    assert await told(busy) == [
        (ADMIN, "key.revoked"),
        (ADMIN, "schedule.created"),
        ("ci", "judge.stored"),
        (ADMIN, "run.cancelled"),
        ("ci", "run.submitted"),
        ("ci", "suite.imported"),
        (ADMIN, "key.created"),
    ]


async def test_what_was_refused_is_no_act(busy: Api) -> None:
    before = await read(busy)
    await submit(busy, models=["nobody"])
    await busy.client.post(KEYS, json={"name": ADMIN, "scope": "read"})
    await bring_suite(busy, **await busy.key(Scope.READ))

    assert await read(busy) == before


async def test_facts_tell_the_rest_but_no_secret(busy: Api) -> None:
    [created] = await read(busy, act="key.created")

    assert created["facts"]["name"] == "ci"
    assert created["facts"]["scope"] == "submit"
    assert len(created["facts"]["begins"]) == 8
    assert "secret" not in str(created)


async def test_it_is_searched_by_who_what_and_when(busy: Api) -> None:
    entries = await read(busy)
    middle = entries[3]["at"]

    assert {actor for actor, _ in await told(busy, actor="ci")} == {"ci"}
    assert await told(busy, act="run.") == [(ADMIN, "run.cancelled"), ("ci", "run.submitted")]
    assert await told(busy, act="run.submitted") == [("ci", "run.submitted")]
    assert [entry["act"] for entry in await read(busy, subject="golden")] == ["suite.imported"]
    assert await read(busy, since=middle) == entries[:4]
    assert await read(busy, until=middle) == entries[4:]


async def test_pages_follow_one_another(busy: Api) -> None:
    entries, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await busy.client.get(AUDIT, params=query)).json()
        entries, cursor, pages = entries + page["items"], page["next_cursor"], pages + 1

    assert entries == await read(busy)
    assert pages == 3


async def test_an_entry_stays_as_it_is(busy: Api) -> None:
    async with busy.desk.connection() as connection:
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("UPDATE audit_log SET actor = 'nobody'")
