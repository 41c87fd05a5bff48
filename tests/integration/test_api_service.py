"""The API as a service: bodies have limits, failures are told in one form, health and /docs answer."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from structlog.testing import capture_logs

from services.api.app import create_app
from services.api.reception import BODY_BYTES, Reception
from services.standalone import postgres
from shared.db import runs
from shared.db.migrate import migrate
from shared.settings import Settings
from tests.integration.serving import Api, make_settings, open_api

FIFTY_MB = 50_000_000


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100_000):
        yield b" " * 100_000


@pytest.mark.parametrize(
    ("path", "size"),
    [("/api/v1/runs", FIFTY_MB), ("/api/v1/suites?name=a&filename=a.csv", FIFTY_MB), ("/nowhere", FIFTY_MB)],
)
async def test_a_body_that_announces_too_much_is_refused_unread(
    served_api: Api, path: str, size: int
) -> None:
    response = await served_api.client.post(
        path, content=b" " * size, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["title"]) == (413, "Body too large")


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/suites?name=a&filename=a.csv"])
async def test_a_body_that_grows_too_large_is_refused_on_the_way(api: Api, path: str) -> None:
    response = await api.client.post(
        path, content=pieces(FIFTY_MB), headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["type"]) == (413, "urn:driftwarden:problem:body-too-large")


async def test_a_body_just_within_its_limit_is_read(api: Api) -> None:
    body = b'{"suite": "unknown"}'.ljust(BODY_BYTES)
    response = await api.client.post(
        "/api/v1/runs", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.json()["errors"][0]["field"] == "suite"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("GET", "/api/v1/runs/", 404), ("PUT", "/api/v1/runs", 405)],
)
async def test_what_is_not_served_is_told_as_a_problem(api: Api, method: str, path: str, status: int) -> None:
    response = await api.client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["instance"]) == (status, path)
    assert response.headers.get("allow") == ("GET, POST" if status == 405 else None)
    assert problem["request_id"] == response.headers["x-request-id"]


async def test_an_unforeseen_failure_is_logged_and_keeps_its_reasons_to_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(runs, "list_runs", fail)
    with capture_logs() as logs:
        response = await api.client.get("/api/v1/runs", headers={"X-Request-ID": "mine-1"})
    assert (response.status_code, response.json()["request_id"]) == (500, "mine-1")
    assert "secret" not in response.text
    assert [entry["event"] for entry in logs] == ["http.failed", "http.request"]


async def test_a_database_that_went_away_is_told_with_when_to_come_back(
    redis_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as server:
        url = await server.enter_async_context(postgres.launch(tmp_path))
        await migrate(url)
        async with open_api(make_settings(url, redis_url, tmp_path)) as api:
            await server.aclose()
            response = await api.client.get("/api/v1/runs")
            assert (response.status_code, response.headers["retry-after"]) == (503, "5")
            ready = await api.client.get("/readyz")
            assert (ready.status_code, ready.json()["redis"]) == (503, "ok")
            assert ready.json()["database"] != "ok"


async def test_health_needs_no_key(api: Api) -> None:
    del api.client.headers["Authorization"]
    assert (await api.client.get("/healthz")).json() == {"status": "ok"}
    assert (await api.client.get("/readyz")).json() == {"database": "ok", "redis": "ok"}
    metrics = await api.client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "driftwarden_http_request_duration_seconds_bucket" in metrics.text


async def test_a_missing_redis_makes_the_api_unready(database_url: str, tmp_path: Path) -> None:
    async with open_api(make_settings(database_url, f"unix://{tmp_path}/nobody", tmp_path)) as api:
        ready = await api.client.get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (503, "ok")
    assert ready.json()["redis"] != "ok"


async def test_requests_are_counted_by_route_and_logged_once(api: Api) -> None:
    def counted(route: str, status: str) -> float:
        labels = {"method": "GET", "route": route, "status": status}
        return REGISTRY.get_sample_value("driftwarden_http_request_duration_seconds_count", labels) or 0.0

    route, before = "/api/v1/suites/{name}", counted("/api/v1/suites/{name}", "404")
    unmatched = counted("unmatched", "404")
    with capture_logs() as logs:
        for path in ("/api/v1/suites/a", "/api/v1/suites/b", "/nowhere"):
            await api.client.get(path)
    assert counted(route, "404") == before + 2
    assert counted("unmatched", "404") == unmatched + 1
    assert [(entry["event"], entry["path"], entry["status"], entry["key"]) for entry in logs] == [
        ("http.request", "/api/v1/suites/a", 404, "a admin key"),
        ("http.request", "/api/v1/suites/b", 404, "a admin key"),
        ("http.request", "/nowhere", 404, None),
    ]


@pytest.mark.parametrize("given", ["", "two words", "x" * 101])
async def test_a_request_id_that_could_garble_a_log_is_replaced(api: Api, given: str) -> None:
    response = await api.client.get("/healthz", headers={"X-Request-ID": given})
    assert len(response.headers["x-request-id"]) == 32


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(api: Api) -> None:
    async def break_off(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    transport = httpx.ASGITransport(Reception(break_off))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/")


async def test_docs_need_no_other_site(api: Api) -> None:
    page = await api.client.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"docs/assets/{asset}" in page.text
        assert (await api.client.get(f"/docs/assets/{asset}")).status_code == 200


def test_every_operation_documents_its_refusals_as_problems(api_settings: Settings) -> None:
    schema = create_app(api_settings).openapi()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            refusals = {status for status in operation["responses"] if status >= "400"}
            if path.startswith("/api/"):
                assert refusals >= {"401", "403", "422", "503"}, (method, path)
                for status in refusals:
                    content = operation["responses"][status]["content"]["application/problem+json"]
                    assert content["schema"]["$ref"].endswith("/ProblemDetails")
            if "{" in path:
                assert "404" in refusals, (method, path)
            if "requestBody" in operation:
                assert "413" in refusals, (method, path)
            assert operation["description"], (method, path)
