"""Keys, judges, and what a command says when the server can't be spoken to."""

import asyncio
import json
from pathlib import Path

import pytest

from shared.db.keys import Scope
from tests.integration.commands import ROOT, Terminal, open_terminal
from tests.integration.serving import Api, finished_run


@pytest.fixture
def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    return open_terminal(served_api, tmp_path / "work")


async def test_a_key_is_printed_once_works_and_can_be_revoked(terminal: Terminal) -> None:
    created = await terminal("keys", "create", "ci", "--scope", "read")
    secret = created.out.strip()
    allowed = await terminal("runs", DRIFTWARDEN_API_KEY=secret)
    too_much = await terminal("keys", "list", DRIFTWARDEN_API_KEY=secret)
    listed = await terminal("keys", "list", "--json")
    [key] = [key for key in listed.json["items"] if key["name"] == "ci"]
    revoked = await terminal("keys", "revoke", key["id"])
    refused = await terminal("runs", DRIFTWARDEN_API_KEY=secret)

    assert (allowed.code, too_much.code, revoked.code, refused.code) == (0, 2, 0, 2)
    assert "scope admin" in too_much.err
    assert secret not in listed.out
    assert "unknown, revoked or expired" in refused.err
    assert "the environment" in refused.err


async def test_an_expiry_in_the_past_is_refused_by_field(terminal: Terminal) -> None:
    done = await terminal("keys", "create", "ci", "--scope", "read", "--expires-at", "2020-01-01T00:00:00Z")
    assert done.code == 2
    assert done.err.startswith("driftwarden: expires_at: ")


async def test_a_judge_gets_a_new_version_when_its_prompt_changes(terminal: Terminal) -> None:
    terminal.write("strict.txt", "Be strict.")
    create = ("judges", "create", "strict", "--model", "sim-judge", "--prompt", "strict.txt")
    first = await terminal(*create, "--parameters", '{"temperature": 0.5}', "--json")
    terminal.write("strict.txt", "Be stricter.")
    second = await terminal(*create, "--json")
    listed = await terminal("judges", "list")
    assert (first.json["version"], second.json["version"]) == (1, 2)
    assert first.json["parameters"] == {"temperature": 0.5}
    assert [row[:2] for row in listed.rows] == [["strict", "2"], ["strict", "1"]]


@pytest.mark.parametrize("parameters", ["{", "[]", "7"])
async def test_parameters_that_are_no_object_are_refused(terminal: Terminal, parameters: str) -> None:
    done = await terminal("judges", "create", "strict", "--model", "sim-judge", "--parameters", parameters)
    assert done.code == 2
    assert "--parameters" in done.err


async def test_a_server_that_is_away_gives_code_3(terminal: Terminal) -> None:
    done = await terminal("runs", DRIFTWARDEN_URL="http://127.0.0.1:9")
    assert (done.code, done.out) == (3, "")
    assert "http://127.0.0.1:9" in done.err


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
async def test_another_kind_of_server_is_recognised(tmp_path: Path, status: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".encode())
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        done = await Terminal(tmp_path, {"PYTHONPATH": str(ROOT)})("runs", DRIFTWARDEN_URL=url)
    assert done.code == 2
    assert "not as Driftwarden does" in done.err


async def test_what_up_wrote_is_found_and_a_proxy_is_not_asked(served_api: Api, terminal: Terminal) -> None:
    headers = await served_api.key(Scope.READ)
    known = {
        "url": terminal.environment["DRIFTWARDEN_URL"],
        "api_key": headers["Authorization"].removeprefix("Bearer "),
    }
    terminal.write("data/client.json", json.dumps(known))
    done = await terminal(
        "runs",
        DRIFTWARDEN_URL="",
        DRIFTWARDEN_API_KEY="",
        DRIFTWARDEN_DATA="data",
        HTTP_PROXY="http://127.0.0.1:9",
        ALL_PROXY="http://127.0.0.1:9",
    )
    assert done.code == 0, done.err


async def test_output_without_unicode_keeps_the_signs(served_api: Api, terminal: Terminal) -> None:
    run_id = str(await finished_run(served_api))
    done = await terminal("show", run_id, PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert "66.7 %" in done.out
    assert "1 x timeout" in done.out


async def test_a_bad_setting_is_named_as_it_is_written(terminal: Terminal) -> None:
    done = await terminal("worker", DRIFTWARDEN_WORKER_SLOTS="none", DRIFTWARDEN_PORT="99999")
    assert done.code == 2
    assert "DRIFTWARDEN_WORKER_SLOTS: " in done.err
    assert "DRIFTWARDEN_PORT: " in done.err


async def test_migrate_says_when_the_database_is_away(terminal: Terminal) -> None:
    done = await terminal("migrate", DATABASE_URL="postgresql://127.0.0.1:9/driftwarden")
    assert done.code == 3
    assert "DATABASE_URL" in done.err


async def test_the_audit_log_is_read_from_the_terminal(terminal: Terminal) -> None:
    await terminal("keys", "create", "ci", "--scope", "read", "--requests-per-minute", "30")
    listed = await terminal("audit", "--act", "key.")
    as_json = await terminal("audit", "--actor", "nobody", "--json")
    refused = await terminal("audit", "--since", "yesterday")

    assert "key.created" in listed.out
    assert "requests_per_minute: 30" in listed.out
    assert as_json.json["items"] == []
    assert refused.code == 2
    assert refused.err.startswith("driftwarden: since: ")


async def test_a_command_comes_again_when_the_server_says_so(terminal: Terminal, served_api: Api) -> None:
    body = {"name": "slow", "scope": "read", "requests_per_minute": 30}
    made = (await served_api.client.post("/api/v1/keys", json=body)).json()
    redis, bucket = served_api.desk.redis, f"driftwarden:limit:key:{made['id']}"
    seconds, microseconds = await redis.time()
    await redis.set(bucket, 1000 * seconds + microseconds / 1000 + 60_000)  # nothing is left

    done = await terminal("runs", DRIFTWARDEN_API_KEY=made["secret"])

    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("option", "key"), [("openai", "x" * 20), ("openai=MY_KEY", ""), ("openai=sk-not-a-name", "x" * 20)]
)
async def test_a_provider_key_is_named_by_its_variable_and_never_quoted(
    terminal: Terminal, option: str, key: str
) -> None:
    done = await terminal("run", "--suite", "golden", "--provider-key", option, MY_KEY=key)

    assert done.code == 2
    assert "PROVIDER=NAME" in done.err
    assert "sk-not-a-name" not in done.err


async def test_a_provider_key_reaches_the_server(terminal: Terminal) -> None:
    """This one has nothing to encrypt it with, and says so."""
    done = await terminal(
        "run", "--suite", "golden", "--provider-key", "openai=MY_KEY", MY_KEY="a-key-of-mine"
    )
    terminal.write("golden.csv", "id,category,input,expected_output,scorer", "q,math,What is 1?,1,numeric")
    refused = await terminal(
        "run", "--suite", "golden.csv", "--model", "bright",
        "--provider-key", "openai=MY_KEY", MY_KEY="a-key-of-mine",
    )  # fmt: skip

    assert done.code == 2
    assert "X-Provider-Key: can't be kept" in refused.err
    assert "a-key-of-mine" not in refused.err
