"""Bodies, headers and names that mean no good: refused with a clear problem, never with a 500."""

import gzip
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from shared.logging import configure_logging
from shared.settings import Settings
from tests.integration.serving import Api, make_settings, open_api
from tests.integration.submitting import store_suite
from tests.integration.test_api_results import resident_bytes

SUITES, IMPORT, RUNS = "/api/v1/suites?name=evil&filename=evil", "/api/v1/results:import", "/api/v1/runs"
ROW = {"run_at": "2025-03-01T02:00:00Z", "model": "m", "suite": "s", "question_id": "q", "score": 1}
MB = 10**6

BODIES: dict[str, tuple[str, bytes]] = {
    "deep JSON": (RUNS, b"[" * 900_000),
    "deep objects": (RUNS, b'{"a":' * 150_000),
    "many members": (RUNS, b"{" + b",".join(b'"%d":0' % n for n in range(80_000)) + b"}"),
    "one member twice": (RUNS, b'{"suite":"a","suite":"b","models":["x"],"models":["y"]}'),
    "digits": (RUNS, b'{"suite":"golden","models":["bright"],"repeats":' + b"9" * 5000 + b"}"),
    "huge exponent": (RUNS, b'{"suite":"golden","models":["bright"],"max_cost_usd":1e999999999}'),
    "surrogate": (RUNS, b'{"suite":"golden","models":["\\ud800"],"labels":{"a":"\\ud800\\u0000"}}'),
    "NUL": (RUNS, b'{"suite":"golden","models":["bright"],"labels":{"a":"\\u0000"}}'),
    "not UTF-8": (RUNS, b'{"suite":"\xff\xfe"}'),
    "UTF-16": (RUNS, json.dumps({"suite": "nowhere"}).encode("utf-16")),
    "gzip": (RUNS, gzip.compress(b'{"suite":"golden","models":["bright"]}')),
    "a packed suite": (f"{SUITES}.csv", gzip.compress(b"0" * 50 * MB)),
    "packed results": (IMPORT, gzip.compress(json.dumps(ROW).encode())),
    "many models": (RUNS, b'{"suite":"golden","models":[' + b'"a/b",' * 50_000 + b'"a/c"]}'),
    "laughs": (f"{SUITES}.yaml", b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"),
    "a tag that runs": (f"{SUITES}.yaml", b"!!python/object/apply:os.system ['touch /tmp/owned']"),
    "columns": (f"{SUITES}.csv", b"," * MB * 3),
    "a field": (f"{SUITES}.csv", b'id,category,input,expected_output\na,b,"' + b"x" * MB + b'",c'),
    "lists": (f"{SUITES}.jsonl", b'{"id":[' + b"[]," * MB + b"0]}"),
    "no name of a file": ("/api/v1/suites?name=evil&filename=../../etc/passwd", b"x"),
    "many forms": ("/submit", b"&".join(b"a%d=1" % n for n in range(50_000))),
}  # fmt: skip


@pytest.fixture
async def api(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    settings = make_settings(database_url, redis_url, tmp_path, requests_per_minute=10**6)
    async with open_api(settings) as api:
        await store_suite(api)
        yield api


async def test_no_body_brings_the_server_down(api: Api) -> None:
    for kind, (path, body) in BODIES.items():
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        if not path.startswith(RUNS):
            headers = {"Content-Type": "application/octet-stream"}
        if path == "/submit":
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = await api.client.post(path, content=body, headers=headers)
        assert 400 <= response.status_code < 500 or path == "/submit", (kind, response.text[:200])
        assert response.status_code < 500, kind
        assert len(response.content) < 30_000, kind
        if path.startswith("/api"):
            problem = response.json()
            assert problem["errors"] or problem["status"] != 422, kind
            assert len(problem["detail"]) < 2_000, kind
    assert (await api.client.get("/readyz")).status_code == 200
    assert (await api.client.get(RUNS)).json()["items"] == []


async def test_a_form_in_many_parts_is_bounded(api: Api) -> None:
    files = [("file", (f"{n}.csv", b"x")) for n in range(1_500)]
    response = await api.client.post("/suites", files=files)
    assert 300 <= response.status_code < 500


async def test_a_body_that_is_sent_on_and_on_is_cut_at_its_limit(served_api: Api) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MB:
            sent += 65_536
            yield b"x" * 65_536

    before = resident_bytes()
    with suppress(httpx.TransportError):  # the server may hang up
        response = await served_api.client.post(RUNS, content=endless())
        assert response.status_code == 413
    assert resident_bytes() - before < 30 * MB


HEADERS: tuple[dict[str, str], ...] = (
    {"X-Request-ID": 'x"} {"event": "forged'},
    {"X-Request-ID": "x" * 10_000},
    {"Idempotency-Key": "x" * 10_000},
    {"Cookie": "driftwarden_session=" + "a" * 5_000},
    {"Cookie": "driftwarden_session=.; driftwarden_theme=\"><script>"},
    {"Cookie": "driftwarden_session=e30.é"},
    {"Authorization": "Bearer " + "x" * 5_000},
    {"Authorization": "Basic Zm9v"},
    {"Accept": "*/*" * 1_000},
    {"X-Provider-Key": "=" * 3_000},
    {"X-Provider-Key": "openai=short"},
    {"Last-Event-ID": "\x01"},
    {"Range": "bytes=" + ",".join("0-0" for _ in range(1_000))},
    {"Host": "evil.example\"><script>"},
    {"X-Forwarded-For": "1.2.3.4, ../../x"},
)  # fmt: skip


async def test_no_header_brings_the_server_down_or_comes_back(api: Api) -> None:
    for given in HEADERS:
        encoded = {name: value.encode("utf-8", "replace") for name, value in given.items()}
        for path in (RUNS, "/", "/sign-in", "/static/style.css"):
            response = await api.client.get(path, headers=encoded)  # type: ignore[arg-type]
            assert response.status_code < 500, (given, path)
            assert "<script>" not in response.text
            assert len(response.headers["x-request-id"]) <= 100
            assert response.headers["x-request-id"].isprintable()


FILENAMES = (
    "../../../etc/cron.d/x.csv",
    "/etc/passwd.csv",
    "..\\x.csv",
    "a\r\nSet-Cookie: x=y.csv",
    "%00.csv",
)


async def test_names_of_files_are_told_and_never_opened(api: Api) -> None:
    content = "id,category,input,expected_output\nq,c,a,b\n"
    for filename in FILENAMES:
        where = {"name": "evil", "filename": filename}
        response = await api.client.post("/api/v1/suites", params=where, content=content)
        assert response.status_code in (200, 201, 422), filename
        assert "set-cookie" not in response.headers
    for name in ("../x", "a/b", "", ".", "a\nb", "x" * 101, "ａ", "a%2f"):
        where = {"name": name, "filename": "x.csv"}
        assert (await api.client.post("/api/v1/suites", params=where, content=content)).status_code == 422


async def test_forwarded_words_count_only_from_a_proxy_on_this_machine(served_api: Api, api: Api) -> None:
    """TLS that a proxy here has ended is known by its header; without one, nobody is told to stay with it."""
    behind = await served_api.client.get("/readyz", headers={"X-Forwarded-Proto": "https"})
    plain = await served_api.client.get("/readyz", headers={"X-Forwarded-Proto": "http"})
    direct = await api.client.get(
        "/readyz", headers={"X-Forwarded-Proto": "https"}
    )  # no proxy is trusted here
    assert behind.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in plain.headers
    assert "strict-transport-security" not in direct.headers


@pytest.fixture(params=["console", "json"])
def log(api_settings: Settings, request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    kept = structlog.get_config()
    written = io.StringIO()
    with redirect_stderr(written):
        changed = {"log_level": "debug", "log_format": request.param}
        configure_logging(api_settings.model_copy(update=changed), "x")
        structlog.configure(cache_logger_on_first_use=False)
        yield written
    structlog.configure(**kept)
    logging.basicConfig(handlers=[], force=True)


FORGED = (
    'x\n2026-01-01 [info     ] forged\r\n{"event": "forged"}\x1b[2J\x1b]0;title\x07\u2028forged\x85forged'
)


@pytest.mark.parametrize("logger", ["structlog", "logging"])
def test_no_text_makes_a_line_of_its_own_in_the_log(log: io.StringIO, logger: str) -> None:
    facts: dict[str, Any] = {"name": FORGED, "nested": {"a": [FORGED]}, FORGED: 1}
    if logger == "structlog":
        structlog.get_logger().info("it.happened", **facts)
        structlog.get_logger().info(FORGED)
    else:
        logging.getLogger("elsewhere").warning("it happened: %s", FORGED)
        logging.getLogger("elsewhere").warning("it happened", extra={"name_of": FORGED})
    lines = log.getvalue().removesuffix("\n").split("\n")
    assert len(lines) == 2
    for line in lines:
        assert not line.lstrip("\x1b[0123456789m").startswith(("2026-01-01 [info", '{"event": "forged"}'))
        assert not any(mark in line for mark in ("\r", "\x1b[2J", "\x1b]0", "\x07", "\u2028", "\x85"))
