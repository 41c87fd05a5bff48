"""How often each caller may ask, and what happens to one who asks more often."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from shared.db.keys import Scope, create_key
from shared.settings import Settings
from tests.integration.browsing import browse
from tests.integration.serving import Api, make_settings, open_api

# So few that no token comes back while a test runs, however slow the machine.
ALLOWED, UNKNOWN_ALLOWED = 5, 2


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    few = {"requests_per_minute": ALLOWED, "unknown_keys_per_minute": UNKNOWN_ALLOWED}
    return make_settings(database_url, redis_url, tmp_path, **few)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with open_api(settings) as api:
        yield api


async def ask(api: Api, headers: dict[str, str] | None = None) -> httpx.Response:
    return await api.client.get("/api/v1/suites", headers=headers)


async def use_up(api: Api) -> httpx.Response:
    for _ in range(ALLOWED):
        assert (await ask(api)).status_code == 200
    return await ask(api)


async def fill(api: Api, seconds: float) -> None:
    """Let time go by for every bucket: what is stored is when it will be full."""
    redis = api.desk.redis
    for bucket in await redis.keys("driftwarden:limit:*"):
        await redis.set(bucket, float(await redis.get(bucket)) - 1000 * seconds)


async def test_who_asks_too_often_is_told_when_to_come_again(api: Api) -> None:
    refused = await use_up(api)

    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert refused.headers["ratelimit"].startswith('"key";r=0;t=')
    assert refused.headers["ratelimit-policy"] == '"key";q=5;w=60'
    assert "5 requests a minute" in refused.json()["detail"]


async def test_every_answer_to_a_key_tells_what_is_left(api: Api) -> None:
    left = [(await ask(api)).headers["ratelimit"] for _ in range(2)]
    missing = await api.client.get("/api/v1/runs/00000000-0000-4000-8000-000000000000")

    assert [each.split(";")[1] for each in left] == ["r=4", "r=3"]
    assert missing.status_code == 404
    assert "r=2" in missing.headers["ratelimit"]


async def test_a_bucket_fills_steadily(api: Api) -> None:
    await use_up(api)
    await fill(api, 12.5)

    assert (await ask(api)).status_code == 200
    assert (await ask(api)).status_code == 429


async def test_keys_are_counted_apart(api: Api) -> None:
    await use_up(api)

    assert (await ask(api, await api.key(Scope.READ))).status_code == 200


async def test_a_key_may_have_a_limit_of_its_own(api: Api) -> None:
    body = {"name": "ci", "scope": "read", "requests_per_minute": 2}
    made = (await api.client.post("/api/v1/keys", json=body)).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}

    assert made["requests_per_minute"] == 2
    assert [(await ask(api, headers)).status_code for _ in range(3)] == [200, 200, 429]


async def test_requests_at_the_same_moment_are_all_counted(api: Api) -> None:
    answers = await asyncio.gather(*(ask(api) for _ in range(4 * ALLOWED)))

    assert sorted(answer.status_code for answer in answers) == [200] * ALLOWED + [429] * 3 * ALLOWED


async def test_a_valid_key_is_not_kept_waiting_by_unknown_ones(api: Api) -> None:
    wrong = {"Authorization": "Bearer dw_wrong"}

    refused = [(await ask(api, wrong)).status_code for _ in range(UNKNOWN_ALLOWED + 2)]

    assert refused == [401] * UNKNOWN_ALLOWED + [429] * 2
    assert (await ask(api)).status_code == 200


async def test_wrong_keys_on_the_page_are_counted_with_the_others(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    few = {"unknown_keys_per_minute": UNKNOWN_ALLOWED}
    async with browse(database_url, redis_url, tmp_path, auth="on", **few) as browser:
        for _ in range(UNKNOWN_ALLOWED):
            await ask(browser.api, {"Authorization": "Bearer dw_wrong"})
        form = (await browser.open("/sign-in")).form("/sign-in")

        refused = await browser.send(form, key="dw_wrong")

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert "Too many keys" in refused.text


async def test_each_session_of_the_pages_is_counted_by_itself(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    few = {"requests_per_minute": ALLOWED}
    async with browse(database_url, redis_url, tmp_path, auth="on", **few) as browser:
        async with browser.api.desk.connection() as connection:
            _, secret = await create_key(connection, "Ada", Scope.READ)
        for _ in range(2):
            browser.api.client.cookies.clear()
            await browser.send((await browser.open("/sign-in")).form("/sign-in"), key=secret)
            pages = [await browser.open("/incidents") for _ in range(ALLOWED + 1)]

            assert [page.status for page in pages] == [200] * ALLOWED + [429]
        assert "Too many requests" in pages[-1].title
        assert (await ask(browser.api, {"Authorization": f"Bearer {secret}"})).status_code == 200


async def test_while_redis_is_away_everyone_is_let_in_and_the_log_tells_so_once(
    database_url: str, tmp_path: Path
) -> None:
    settings = make_settings(database_url, "redis://127.0.0.1:9", tmp_path, requests_per_minute=1)
    with capture_logs() as logs:
        async with open_api(settings) as api:
            answers = [await ask(api) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert [log["event"] for log in logs if log["event"].startswith("limits.")] == ["limits.not_counted"]
