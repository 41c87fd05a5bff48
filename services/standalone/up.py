"""`driftwarden up`: everything on one machine, from one command, until Ctrl-C."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg
import httpx

from services.standalone import postgres, valkey
from services.standalone.errors import CannotStart
from services.standalone.instance import Client, Instance, hold_folder, reserve_port
from services.standalone.supervisor import Program, Say, ready_at_once, say_on_stderr, supervise
from shared.db import audit
from shared.db.keys import Scope, create_key, use_key
from shared.db.migrate import ChangedMigration, migrate
from shared.db.pool import speak_json
from shared.redis_pool import check_redis
from shared.settings import Settings

SIMULATOR_PORT = 9100
WORKER_NICENESS = 10  # whoever asks the API while a large run keeps all cores busy is answered first
ACTOR = "up"  # who acts, and the name of the key it makes
UNREACHABLE = (
    OSError,
    asyncpg.ClientConfigurationError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What to start. Databases that the settings name are used; those they do not name are started here.

    `port` None means the settings' port or, unless that was set by hand, one of those after it; 0 means any.
    `postgres_port` opens the database on loopback, with a password. `environment` is added to the children's.
    """

    settings: Settings
    port: int | None = None
    postgres_port: int | None = None
    workers: int = 1
    simulator_config: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    say: Say = say_on_stderr


async def up(options: UpOptions) -> None:
    """Start everything, serve until SIGINT, SIGTERM or SIGHUP, and stop everything in order.

    Raises:
        CannotStart: its text says what stands in the way.
    """
    await run_until_signalled(partial(_serve, options), options.say)


async def _serve(options: UpOptions, hurry: asyncio.Event) -> None:
    folder = options.settings.data.absolute()
    options.say(f"Starting Driftwarden; everything it keeps is in {folder}.")
    async with run_instance(options, hurry) as client:
        options.say(f"Driftwarden is up: {client.url} (the key to it: {folder / 'client.json'})")
        options.say("Press Ctrl-C to stop.")
        await asyncio.Event().wait()


async def run_until_signalled(
    story: Callable[[asyncio.Event], Awaitable[None]], say: Say = say_on_stderr
) -> None:
    """Run `story` to its end or until a signal cancels it; a second signal sets the event it was given."""
    hurry = asyncio.Event()
    telling = asyncio.ensure_future(story(hurry))
    signalled = False

    def stop() -> None:
        nonlocal signalled
        if signalled:
            hurry.set()
        else:
            signalled = True
            say("Stopping. Workers finish what they have begun; Ctrl-C again stops them at once.")
            telling.cancel()

    loop = asyncio.get_running_loop()
    # Under nohup a hangup stays ignored.
    chosen = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        chosen.append(signal.SIGHUP)
    for each in chosen:
        loop.add_signal_handler(each, stop)
    try:
        await telling
    except asyncio.CancelledError:
        if not signalled:
            raise
    finally:
        for each in chosen:
            loop.remove_signal_handler(each)


@asynccontextmanager
async def run_instance(options: UpOptions, hurry: asyncio.Event) -> AsyncIterator[Client]:
    """Keep an instance running for the length of the block and yield how to reach it."""
    settings = options.settings
    wanted_port = settings.port if options.port is None else options.port
    chosen_by_hand = options.port is not None or "port" in settings.model_fields_set
    simulator_reservation = (
        reserve_port("127.0.0.1", SIMULATOR_PORT, required=False)
        if options.simulator_config
        else nullcontext(None)
    )
    with (
        hold_folder(settings.data) as instance,
        reserve_port(settings.host, wanted_port, required=chosen_by_hand and wanted_port != 0) as port,
        simulator_reservation as simulator_port,
    ):
        url = _address(settings.host, port)
        instance.publish_address(url)
        async with (
            _open_postgres(options, instance) as database_url,
            _open_valkey(options, instance) as redis_url,
            AsyncExitStack() as crew,
        ):
            await _bring_up_to_date(database_url)
            client = await _let_in(options, database_url, url, instance)
            places = {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "DRIFTWARDEN_DATA": str(instance.folder),
                "DRIFTWARDEN_HOST": settings.host,
                "DRIFTWARDEN_PORT": str(port),
                "DRIFTWARDEN_PUBLIC_URL": settings.public_url or url,
                "DRIFTWARDEN_SECRET_KEY": _choose_secret_key(settings, instance),
            }
            for stage in _plan_stages(options, places, url, simulator_port):
                await crew.enter_async_context(supervise(*stage, say=options.say, hurry=hurry))
            yield client


def _address(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # nosec B104  # compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


@asynccontextmanager
async def _open_postgres(options: UpOptions, instance: Instance) -> AsyncIterator[str]:
    if "database_url" in options.settings.model_fields_set:
        yield options.settings.database_url.get_secret_value()
    else:
        async with postgres.launch(
            instance.folder, tcp_port=options.postgres_port, say=options.say
        ) as database_url:
            yield database_url


@asynccontextmanager
async def _open_valkey(options: UpOptions, instance: Instance) -> AsyncIterator[str]:
    if "redis_url" in options.settings.model_fields_set:
        redis_url = options.settings.redis_url.get_secret_value()
        await check_redis(redis_url)
        yield redis_url
    else:
        async with valkey.launch(instance.folder, say=options.say) as redis_url:
            yield redis_url


async def _bring_up_to_date(database_url: str) -> None:
    try:
        await migrate(database_url)
    except UNREACHABLE as error:
        raise CannotStart(f"The database that DATABASE_URL names can't be opened: {error}") from error
    except ChangedMigration as error:
        raise CannotStart(str(error)) from error


async def _let_in(options: UpOptions, database_url: str, url: str, instance: Instance) -> Client:
    """Write down how commands on this machine reach the instance: with a first key, or the last if valid.

    A first key is shown to whoever starts the instance, who is its first admin.
    """
    known = instance.read_client()
    connection = await asyncpg.connect(database_url)
    try:
        if known is not None and await use_key(connection, known.api_key) is not None:
            api_key = known.api_key
        else:
            api_key = await _make_first_key(connection)
            if options.settings.auth == "on":
                options.say(f"The key of scope admin, shown only now: {api_key}")
    finally:
        await connection.close()
    client = Client(url, api_key)
    instance.write_client(client)
    return client


async def _make_first_key(connection: asyncpg.Connection) -> str:
    await speak_json(connection)
    async with connection.transaction():
        key, secret = await create_key(connection, ACTOR, Scope.ADMIN)
        facts = {"name": key.name, "begins": key.prefix, "scope": key.scope}
        await audit.record(connection, ACTOR, "key.created", str(key.id), facts)
    return secret


def _choose_secret_key(settings: Settings, instance: Instance) -> str:
    chosen = settings.secret_key
    return chosen.get_secret_value() if chosen is not None else instance.keep_secret_key()


def _plan_stages(
    options: UpOptions, places: Mapping[str, str], url: str, simulator_port: int | None
) -> Iterator[list[Program]]:
    """The services in the order in which they start. They stop in the opposite one: the workers drain first,
    while all that they need is still there.
    """
    settings = options.settings
    environment = {**os.environ, **places, **options.environment}
    if simulator_port is not None:
        simulator_url = f"http://127.0.0.1:{simulator_port}"
        # So that models.yaml can say `api_base: os.environ/DRIFTWARDEN_SIMULATOR_URL`.
        environment["DRIFTWARDEN_SIMULATOR_URL"] = f"{simulator_url}/v1"
        files = ("--config", str(options.simulator_config), "--port", str(simulator_port))
        command = ("services.simulator", *files)
        yield [_describe("simulator", command, environment, is_ready=answers_at(f"{simulator_url}/healthz"))]

    yield [_describe("api", ("services.cli", "api"), environment, is_ready=answers_at(f"{url}/readyz"))]

    def with_metrics(offset: int) -> dict[str, str]:
        port = settings.metrics_port + offset if settings.metrics_port else 0
        return {**environment, "DRIFTWARDEN_METRICS_PORT": str(port)}

    watchers = [_describe("scheduler", ("services.cli", "scheduler"), with_metrics(0))]
    workers = [
        # A worker bounds its own drain; this grace only catches one that hangs.
        _describe(
            f"worker-{number}",
            ("services.cli", "worker"),
            with_metrics(number),
            grace_seconds=settings.drain_seconds + 10,
            niceness=WORKER_NICENESS,
        )
        for number in range(1, options.workers + 1)
    ]
    yield watchers + workers


def _describe(
    name: str,
    module_and_arguments: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    is_ready: Callable[[], Awaitable[bool]] = ready_at_once,
    grace_seconds: float = 10.0,
    niceness: int = 0,
) -> Program:
    return Program(
        name,
        (sys.executable, "-m", *module_and_arguments),
        environment,
        is_ready=is_ready,
        grace_seconds=grace_seconds,
        niceness=niceness,
    )


def answers_at(url: str) -> Callable[[], Awaitable[bool]]:
    """A readiness question: does a GET of `url` succeed?"""

    async def answers() -> bool:
        # No proxy of the user's stands between two processes of one machine.
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            try:
                return (await client.get(url)).is_success
            except httpx.HTTPError:
                return False

    return answers
