"""What browsers, caches and other sites are told, and what the log is not."""

import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import structlog

from shared.db.keys import Scope
from shared.logging import configure_logging
from shared.settings import Settings
from tests.integration.serving import Api, make_settings, open_api

PATHS = ["/api/v1/runs", "/api/v1/nothing", "/healthz", "/openapi.json", "/docs", "/sign-in", "/metrics"]
KEY = "sk-test-0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_tells_browsers_to_take_it_as_it_is(api: Api, path: str) -> None:
    headers = (await api.client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert "strict-transport-security" not in headers
    assert "server" not in headers


async def test_a_refusal_is_guarded_as_an_answer_is(api: Api) -> None:
    refused = await api.client.get("/api/v1/runs", headers={"Authorization": ""})
    too_large = await api.client.post("/api/v1/runs", headers={"Content-Length": "999999999"})

    for response in (refused, too_large):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_behind_tls_browsers_are_told_to_stay_with_it(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = make_settings(database_url, redis_url, tmp_path, public_url="https://driftwarden.example")
    async with open_api(settings) as api:
        answer = await api.client.get("/api/v1/runs")
        page = await api.client.get("/sign-in")

    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "Secure" in page.headers["set-cookie"]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_no_other_site_may_read_an_answer(api: Api, method: str) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    response = await api.client.request(method, "/api/v1/runs", headers=asked)

    assert [name for name in response.headers if name.startswith("access-control")] == []


@pytest.fixture
def log(api_settings: Settings) -> Iterator[io.StringIO]:
    """All that is logged, at the most talkative level, as text for a terminal."""
    kept = structlog.get_config()
    written = io.StringIO()
    with redirect_stderr(written):
        configure_logging(
            api_settings.model_copy(update={"log_level": "debug", "log_format": "console"}), "x"
        )
        structlog.configure(cache_logger_on_first_use=False)
        yield written
    structlog.configure(**kept)
    logging.basicConfig(handlers=[], force=True)


async def test_neither_keys_nor_what_comes_with_them_are_logged(api: Api, log: io.StringIO) -> None:
    headers = {**await api.key(Scope.ADMIN), "X-Provider-Key": f"openai={KEY}"}
    secret = headers["Authorization"].removeprefix("Bearer ")

    for path in ("/api/v1/runs", f"/api/v1/nothing?key={KEY}"):
        await api.client.get(path, headers=headers)
        await api.client.post(path, headers=headers, json={"suite": KEY, "models": [KEY]})

    assert "http.request" in log.getvalue()
    assert secret not in log.getvalue()
    assert KEY not in log.getvalue()


@pytest.mark.parametrize("level", ["structlog", "logging"])
def test_a_traceback_shows_no_secret_however_it_came_there(log: io.StringIO, level: str) -> None:
    hidden = "plain and unsuspicious"  # such as a local variable may be
    try:
        raise RuntimeError(f"Authorization: Bearer {KEY}")
    except RuntimeError:
        if level == "structlog":
            structlog.get_logger().exception("it.failed", url=f"postgresql://ada:{KEY}@db/x")
        else:
            logging.getLogger("elsewhere").exception("it failed with %s", KEY)

    assert "RuntimeError" in log.getvalue()
    assert KEY not in log.getvalue()
    assert hidden not in log.getvalue()


def test_settings_do_not_tell_their_secrets(tmp_path: Path) -> None:
    url = f"postgresql://ada:{KEY}@db/x"
    settings = make_settings(url, url.replace("postgresql", "redis"), tmp_path, secret_key=KEY, smtp_url=url)

    assert KEY not in f"{settings!r} {settings} {settings.model_dump()}"
