"""Marked secrets wherever one can be put: in no log, answer, metric, error or `repr` does one come back."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
import yaml
from pydantic import SecretStr

from services.scheduler.channels.post import open_post
from shared.db.keys import Scope, create_key
from shared.models import Catalogue
from shared.settings import Settings
from tests.e2e.prometheus import find_free_ports
from tests.e2e.test_provider_keys import Services
from tests.integration.fleet import ROOT, until
from tests.integration.hostile_provider import HostileProvider, open_hostile_provider, refuse

# None of them looks like a key: what is known to be secret is kept back whatever it looks like.
DATABASE, REDIS, SECRET, SLACK, MAIL, PROVIDER, OWN, HOOK, CALLBACK = (
    f"marked-{place}-7f3a9c2e" for place in
    ("database", "redis", "secret", "slack", "mail", "provider", "own", "hook", "callback")
)  # fmt: skip
MARKED = (DATABASE, REDIS, SECRET, SLACK, MAIL, PROVIDER, OWN, HOOK, CALLBACK)
SUITE = (
    "id,category,input,expected_output,scorer\nq1,math,What is 6 x 7?,42,numeric\nq2,math,1+1?,2,numeric\n"
)
READ = ("/runs", "/runs/{run}", "/runs/{run}/results", "/runs/{run}/export", "/audit", "/keys", "/channels",
        "/deliveries", "/models", "/schedules")  # fmt: skip
PAGES = ("/", "/runs", "/runs/{run}", "/submit", "/sign-in")


def marked(url: str, password: str) -> str:
    parts = urlsplit(url)
    user = parts.username or "postgres"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))


@pytest.fixture
async def provider() -> AsyncIterator[HostileProvider]:
    """Refuses every key, and quotes it."""
    async with open_hostile_provider() as provider:

        async def quote(writer: asyncio.StreamWriter) -> None:
            (key,) = re.findall("Bearer (.*)\r\n", provider.asked[-1])
            writer.write(refuse(f"Incorrect API key {key}, in the header Bearer {key}", "401 Unauthorized"))

        provider.reply = quote
        yield provider


@pytest.fixture
def services(provider: HostileProvider, database_url: str, redis_url: str, tmp_path: Path) -> Services:
    parameters = {"model": "openai/m", "api_base": provider.url, "api_key": "os.environ/MARKED_KEY"}
    entries = [{"model_name": "m", "litellm_params": parameters}]
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"model_list": entries}))
    environment = {
        "PYTHONPATH": str(ROOT), "DATABASE_URL": marked(database_url, DATABASE), "REDIS_URL": redis_url,
        "DRIFTWARDEN_PORT": str(find_free_ports(1)), "DRIFTWARDEN_SECRET_KEY": SECRET,
        "DRIFTWARDEN_SLACK_WEBHOOK_URL": f"http://127.0.0.1:9/services/{SLACK}",
        "DRIFTWARDEN_SMTP_URL": f"smtps://ada:{MAIL}@127.0.0.1:9", "MARKED_KEY": PROVIDER,
        "DRIFTWARDEN_ALLOWED_NETWORKS": "127.0.0.0/8", "DRIFTWARDEN_MAX_ATTEMPTS": "2",
        "DRIFTWARDEN_LOG_LEVEL": "debug", "DRIFTWARDEN_LOG_FORMAT": "console",
    }  # fmt: skip
    return Services(tmp_path, environment)


def leaks(told: dict[str, str], secrets: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(place, secret) for place, text in told.items() for secret in secrets if secret in text]


async def test_no_secret_of_a_running_installation_is_told_anywhere(
    services: Services, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    _, bearer = await create_key(connection, "test", Scope.ADMIN)
    await connection.close()
    url = f"http://127.0.0.1:{services.environment['DRIFTWARDEN_PORT']}"
    told: dict[str, str] = {}
    client = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {bearer}"}, timeout=30)
    async with services.running("api"), services.running("worker"), services.running("scheduler"), client:

        async def answers() -> bool:
            try:
                return (await client.get("/readyz")).is_success
            except httpx.TransportError:
                return False

        await until(answers, within_seconds=90)

        async def send(method: str, path: str, **options: object) -> httpx.Response:
            reply = await client.request(method, f"/api/v1{path}", **options)  # type: ignore[arg-type]
            told[f"{method} {path} {len(told)}"] = reply.text + repr(reply.headers)
            return reply

        await send("POST", "/suites", params={"name": "sums", "filename": "s.csv"}, content=SUITE)
        body = {"suite": "sums", "models": ["m"], "callback_url": f"http://127.0.0.1:9/{CALLBACK}"}
        run = (await send("POST", "/runs", json=body)).json()["id"]
        own = (await send("POST", "/runs", json=body, headers={"X-Provider-Key": f"openai={OWN}"})).json()[
            "id"
        ]
        hook = {"name": "hook", "kind": "webhook", "url": f"http://127.0.0.1:9/{HOOK}"}
        await send("POST", "/channels", json=hook)
        await send("POST", "/runs", json={"suite": "sums", "models": [7]}, headers={"X-Provider-Key": OWN})
        await send("POST", "/models:check", json={"models": ["m"]})

        async def are_closed() -> bool:
            found = [(await client.get(f"/api/v1/runs/{one}")).json() for one in (run, own)]
            return all(one["finished_at"] for one in found)

        await until(are_closed, within_seconds=90)
        for path in READ:
            await send("GET", path.format(run=run))
        for path in PAGES:
            told[path] = (await client.get(path.format(run=own))).text
        told["metrics"] = (await client.get("/metrics")).text
    told |= {log.name: log.read_text() for log in services.logs}
    quoted = [text for name, text in told.items() if name.startswith(f"GET /runs/{run}/results")]
    assert "Incorrect API key [redacted]" in quoted[0], "the provider's words come through, without the key"
    assert leaks(told, (*MARKED, bearer)) == []


@pytest.mark.parametrize("form", ["json", "console"])
async def test_what_can_not_start_does_not_tell_where_it_wanted_to_go(tmp_path: Path, form: str) -> None:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT),
        "DRIFTWARDEN_LOG_LEVEL": "debug", "DRIFTWARDEN_LOG_FORMAT": form,
        "DATABASE_URL": f"postgresql://ada:{DATABASE}@127.0.0.1:9/x", "DRIFTWARDEN_SECRET_KEY": SECRET,
        "REDIS_URL": f"redis://:{REDIS}@127.0.0.1:9/0", "DRIFTWARDEN_SMTP_URL": f"nonsense://ada:{MAIL}@x",
        "DRIFTWARDEN_PORT": "0",
    }  # fmt: skip

    async def start(name: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", name), env=environment, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        asyncio.get_running_loop().call_later(8, lambda: process.returncode is None and process.kill())
        said, _ = await process.communicate()
        return said.decode()

    names = ("api", "worker", "scheduler", "migrate")
    told = dict(zip(names, await asyncio.gather(*map(start, names)), strict=True))
    assert leaks(told, (DATABASE, REDIS, SECRET, MAIL)) == []
    assert any(told.values())


async def test_objects_do_not_show_the_secrets_that_they_hold(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(
        "model_list: [{model_name: m, litellm_params: {model: a/b, api_key: os.environ/K, x: os.environ/K}}]"
    )
    settings = Settings(
        database_url=f"postgresql://ada:{DATABASE}@db/x", redis_url=f"redis://:{REDIS}@r/0",
        secret_key=SECRET,
        slack_webhook_url=f"https://hooks.slack.com/services/{SLACK}", smtp_url=f"smtps://ada:{MAIL}@mail",
        models=tmp_path / "models.yaml", _env_file=None,
    )  # type: ignore[call-arg]  # fmt: skip
    catalogue = Catalogue.load(settings.models_file, {"K": PROVIDER})
    async with open_post(settings) as post:
        shown = {"settings": f"{settings!r}{settings}{settings.model_dump()}{settings.model_dump_json()}",
                 "post": repr(post), "vault": repr(post.vault), "catalogue": repr(catalogue),
                 "key": repr({"openai": SecretStr(OWN)})}  # fmt: skip
    assert leaks(shown, MARKED) == []
    assert json.loads(settings.model_dump_json())["secret_key"]
