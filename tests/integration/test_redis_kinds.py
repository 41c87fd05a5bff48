"""Redis in its kinds: a cluster is refused in words, sentinels are followed, TLS is what it promises."""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError

from services.standalone.instance import reserve_port
from shared.domain.runs import RunId
from shared.queue import enqueue_pairs, open_redis
from tests.integration.fleet import (
    ROOT,
    Floor,
    Valkey,
    pairs_of,
    serve_valkey,
    until,
    until_nothing_is_left,
    worker_for,
    working,
)
from tests.integration.test_health import probe

PRIMARY = "nights"  # what the sentinels call it
DOWN_AFTER_MS = 500
REMEDY = "Lead REDIS_URL to a server with `cluster-enabled no`, or to Sentinels."


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Valkey]:
    async with serve_valkey("--cluster-enabled", "yes") as valkey:
        yield valkey


@pytest.mark.parametrize("process", ["api", "worker", "scheduler", "up"])
async def test_no_process_starts_on_a_cluster(
    process: str, cluster: Valkey, database_url: str, tmp_path: Path
) -> None:
    status, said = await run_process(process, tmp_path, database_url, cluster.url)
    assert status == 2
    assert said.endswith(
        "driftwarden: REDIS_URL: this is a Redis Cluster, and the scripts of the queue touch keys of several "
        f"slots. {REMEDY}\n"
    )
    assert "Traceback" not in said


async def test_a_redis_that_becomes_a_cluster_is_told_by_readiness(
    database_url: str, cluster: Valkey
) -> None:
    async with probe(database_url, cluster.url) as process:
        status, told = await process.ask("/readyz")
    assert status == 503
    assert REMEDY in told["detail"]


async def test_who_may_not_ask_is_not_refused() -> None:
    async with serve_valkey() as valkey, Redis.from_url(valkey.url) as operator:
        rights = {"commands": ["+@all", "-info"], "keys": ["*"]}
        await operator.acl_setuser("meek", enabled=True, nopass=True, **rights)
        async with open_redis(valkey.url.replace("unix://", "unix://meek:any@")) as redis:
            assert await redis.set("key", 1)


async def test_a_primary_that_became_a_replica_is_left() -> None:
    async with (
        serve_valkey() as valkey,
        Redis.from_url(valkey.url) as operator,
        open_redis(valkey.url) as redis,
    ):
        before = await redis.client_id()
        await operator.replicaof("127.0.0.1", "9")
        with pytest.raises(ConnectionError, match="read only replica"):
            await redis.set("key", 1)
        await operator.replicaof("NO", "ONE")
        assert await redis.client_id() > before
        assert await redis.set("key", 1)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_work_goes_on_without_the_primary(blow: signal.Signals, tmp_path: Path) -> None:
    async with serve_watched(tmp_path) as (primary, url), open_redis(url) as redis:
        floor, run = Floor(), RunId(uuid4())
        async with working(worker_for(redis, floor.evaluate_pair, limit=2, lease_seconds=6.0)):
            await enqueue_pairs(redis, run, pairs_of(run, "slow", range(10)))
            await floor.until_begun(2)
            await asyncio.gather(*(redis.ping() for _ in range(10)))  # many connections that are idle then
            await redis.wait(1, 5_000)  # what the replica has not heard of would be the rescuer's to put back
            primary.send(blow)
            await until(lambda: enqueues(redis, run, range(10, 20)))
            async with asyncio.timeout(2):
                await asyncio.gather(*(redis.ping() for _ in range(10)))
            floor.gate.set()
            await until_nothing_is_left(redis)
    assert {question for _, question in floor.ended} == set(range(20))


async def test_sentinels_that_know_no_such_primary_are_told(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        sentinel = await stack.enter_async_context(serve_sentinel(tmp_path, primary_port=9))
        redis = await stack.enter_async_context(
            open_redis(f"redis+sentinel://127.0.0.1:{sentinel.port}/days")
        )
        with pytest.raises(ConnectionError, match="No master found for 'days'"):
            await redis.ping()


async def test_sentinels_and_servers_have_passwords_of_their_own(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        port = stack.enter_context(reserve_port("127.0.0.1", 0, required=True))
        primary = await stack.enter_async_context(serve_valkey(port=port))
        sentinel = await stack.enter_async_context(serve_sentinel(tmp_path, port, down_after_ms=600_000))
        for server, password in ((primary, "open"), (sentinel, "sesame")):
            async with Redis.from_url(server.url) as operator:
                await operator.acl_setuser("default", enabled=True, passwords=f"+{password}")
        url = f"redis+sentinel://:open@127.0.0.1:{sentinel.port}/{PRIMARY}/3?sentinel_password=sesame"
        redis = await stack.enter_async_context(open_redis(url))
        assert (await redis.client_info())["db"] == 3


async def test_tls_is_spoken_with_whom_its_authority_vouches_for(
    redis_url: str, authority: Path, server_tls: ssl.SSLContext
) -> None:
    async with end_tls(redis_url, server_tls) as port:
        async with open_redis(f"rediss://localhost:{port}/0?ssl_ca_certs={authority}") as redis:
            assert await redis.set("key", 1)
        async with open_redis(f"rediss://localhost:{port}/0") as redis:
            with pytest.raises(ConnectionError, match="certificate verify failed"):
                await redis.ping()
        strict = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority}&ssl_check_hostname=true"
        async with open_redis(strict) as redis:
            with pytest.raises(ConnectionError, match=r"not valid for '127\.0\.0\.1'"):
                await redis.ping()


async def test_tls_leads_to_sentinels_and_on_to_the_primary(
    redis_url: str, authority: Path, server_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        primary = await stack.enter_async_context(end_tls(redis_url, server_tls))
        # It can't speak TLS itself and finds nobody; it may tell where the primary is until it calls it down.
        sentinel = await stack.enter_async_context(serve_sentinel(tmp_path, primary, down_after_ms=600_000))
        asked = await stack.enter_async_context(end_tls(sentinel.url, server_tls))
        trusted = quote(authority.read_text(), safe="")
        url = f"rediss+sentinel://localhost:{asked}/{PRIMARY}?ssl_ca_data={trusted}"
        redis = await stack.enter_async_context(open_redis(url))
        assert await redis.set("key", 1)


async def run_process(name: str, folder: Path, database_url: str, redis_url: str) -> tuple[int | None, str]:
    """Run a process to its end: its exit code, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", name,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database_url, "REDIS_URL": redis_url,
             "DRIFTWARDEN_PORT": "0", "DRIFTWARDEN_METRICS_PORT": "0"},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode()


async def enqueues(redis: ArqRedis, run: RunId, questions: range) -> bool:
    try:
        await enqueue_pairs(redis, run, pairs_of(run, "slow", questions))
    except RedisError:
        return False
    return True


@asynccontextmanager
async def serve_watched(folder: Path) -> AsyncIterator[tuple[Valkey, str]]:
    """A primary and its replica, watched by one sentinel: the primary, and the URL that leads to either."""
    async with AsyncExitStack() as stack:
        ports = [stack.enter_context(reserve_port("127.0.0.1", 0, required=True)) for _ in range(2)]
        at_once = ("--repl-diskless-sync-delay", "0")
        primary = await stack.enter_async_context(serve_valkey(*at_once, port=ports[0]))
        replicating = ("--replicaof", f"127.0.0.1 {ports[0]}")
        await stack.enter_async_context(serve_valkey(*replicating, port=ports[1]))
        async with Redis.from_url(primary.url) as redis:
            await until(lambda: is_replicated(redis))
        sentinel = await stack.enter_async_context(serve_sentinel(folder, ports[0]))
        async with Redis.from_url(sentinel.url) as redis:
            await until(lambda: knows_a_replica(redis))
        yield primary, f"redis+sentinel://127.0.0.1:{sentinel.port}/{PRIMARY}/0"


@asynccontextmanager
async def serve_sentinel(
    folder: Path, primary_port: int, *, down_after_ms: int = DOWN_AFTER_MS
) -> AsyncIterator[Valkey]:
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"sentinel monitor {PRIMARY} 127.0.0.1 {primary_port} 1\n"
        f"sentinel down-after-milliseconds {PRIMARY} {down_after_ms}\n"
    )
    with reserve_port("127.0.0.1", 0, required=True) as port:
        async with serve_valkey(str(settings), "--sentinel", port=port) as sentinel:
            yield sentinel


async def is_replicated(primary: Redis) -> bool:
    replica = (await primary.info("replication")).get("slave0", {})
    return bool(replica.get("state") == "online")


async def knows_a_replica(sentinel: Redis) -> bool:
    return any(
        replica["flags"] == "slave" and replica["master-link-status"] == "ok"
        for replica in await sentinel.sentinel_slaves(PRIMARY)  # type: ignore[no-untyped-call]
    )


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def authority(key: ec.EllipticCurvePrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority of our own, which vouches for itself as a server."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority nobody knows")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def server_tls(key: ec.EllipticCurvePrivateKey, authority: Path) -> ssl.SSLContext:
    path = authority.with_name("key.pem")
    pkcs8 = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority, path)
    return context


@asynccontextmanager
async def end_tls(valkey_url: str, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """Take TLS off in front of a server, for Valkey's wheel is built without: the port to speak it to."""

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(urlsplit(valkey_url).path)
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

    async with await asyncio.start_server(join, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()
