"""Commands that start processes: each reads its settings and hands over to the service."""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.failures import Refused, Unreachable
from services.cli.help import START, examples

if TYPE_CHECKING:
    from shared.settings import Settings

# Each service is imported by the command that starts it: only a worker pays for LiteLLM, --help for nothing.

commands = typer.Typer()


@commands.command(
    rich_help_panel=START, epilog=examples("up", "up --data /srv/driftwarden --port 8700 --workers 2")
)
def up(
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where everything is kept [default: DRIFTWARDEN_DATA or .driftwarden]."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="N", help="The API's port; 0 takes any free one [default: 8700]."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="How many worker processes to run.")] = 1,
) -> None:
    """Run everything on this machine, databases included.

    Nothing has to be installed or configured beforehand. Databases that DATABASE_URL and REDIS_URL name are
    used instead of own ones. Ctrl-C stops everything in order; what is in the data folder stays.
    """
    settings = read_settings("up", data=data)

    from services.standalone.up import UpOptions
    from services.standalone.up import up as run_everything

    serve_until_done(run_everything(UpOptions(settings=settings, port=port, workers=workers)))


@commands.command(rich_help_panel=START)
def demo(
    real: Annotated[bool, typer.Option("--real", help="Ask a small real model on this CPU instead.")] = False,
    stay: Annotated[bool, typer.Option("--serve/--no-serve", help="Keep the server up at the end.")] = True,
) -> None:
    """Watch models being evaluated, with nothing set up and nothing kept.

    Eleven simulated models answer 50 golden questions each and are judged. Then thirty nights go by in
    fast-forward, in which some of them change, and what was found is told. It runs in a checkout.
    """
    for database in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(database, None)  # a demo writes to no database of the user's
    settings = read_settings("demo", auth="off", log_level="error", _env_file=None)

    from services.standalone.demo import demo as play

    serve_until_done(play(settings, real=real, stay=stay))


@commands.command(rich_help_panel=START)
def api() -> None:
    """Serve the REST API. DATABASE_URL, REDIS_URL and DRIFTWARDEN_* configure it."""
    settings = read_settings("api")

    from services.api.app import serve

    serve_until_done(serve(settings))


@commands.command(rich_help_panel=START)
def worker() -> None:
    """Ask models and have the answers scored. Run as many of these as you like."""
    settings = read_settings("worker")

    from services.worker.main import run

    serve_until_done(run(settings))


@commands.command(rich_help_panel=START)
def scheduler() -> None:
    """Keep watch: bring back lost work, close what is done. Several may run."""
    settings = read_settings("scheduler")

    from services.scheduler.main import run

    serve_until_done(run(settings))


@commands.command(rich_help_panel=START)
def migrate() -> None:
    """Bring the database up to date. Safe to repeat, and safe while another does it."""
    settings = read_settings("migrate")

    import asyncpg

    from shared.db.migrate import ChangedMigration
    from shared.db.migrate import migrate as bring_up_to_date

    try:
        applied = asyncio.run(bring_up_to_date(settings.database_url.get_secret_value()))
    except ChangedMigration as error:
        raise Refused(str(error)) from error
    except (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
    ) as error:
        raise Unreachable(f"The database that DATABASE_URL names can't be opened: {error}") from error
    for name in applied:
        typer.echo(f"applied {name}")
    typer.echo("The database is up to date.")


@commands.command(rich_help_panel=START, epilog=examples("simulator --config simulator.yaml"))
def simulator(
    config: Annotated[Path, typer.Option(metavar="FILE", help="Which models to play, as YAML or JSON.")],
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 takes any free one.")
    ] = 9100,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Play models over the OpenAI protocol. They answer, judge, drift and fail on cue."""
    from services.simulator.serving import run
    from shared.domain.errors import InvalidInput

    try:
        run(config, host, port)
    except (InvalidInput, OSError) as error:
        raise Refused(str(error)) from error


def read_settings(process: str, *, data: Path | None = None, **chosen: Any) -> "Settings":
    """Read the settings, but those that are chosen here, and start logging; `data` None leaves it to them.

    Raises:
        Refused: a setting is not usable; it is named as it is written in the environment.
    """
    from pydantic import ValidationError

    from shared.logging import configure_logging
    from shared.settings import Settings

    if data is not None:
        chosen["data"] = data
    try:
        settings = Settings(**chosen)
    except ValidationError as error:
        raise Refused(
            "\n".join(_name_setting(fault["loc"], fault["msg"]) for fault in error.errors())
        ) from None
    configure_logging(settings, process)
    return settings


def _name_setting(location: tuple[int | str, ...], problem: str) -> str:
    name = str(location[0]).upper() if location else "settings"
    name = name if name in ("DATABASE_URL", "REDIS_URL") else f"DRIFTWARDEN_{name}"
    problem = problem.removeprefix("Value error, ").rstrip(".")
    return f"{name}: {problem[:1].lower()}{problem[1:]}."


def serve_until_done(service: Coroutine[Any, Any, None]) -> None:
    """Run a service until it ends: the edge of its process, where the last exception is logged."""
    import structlog

    from services.standalone.errors import CannotStart
    from shared.domain.errors import InvalidInput

    # What was imported stays: looking through it again and again would stop everything for 0.3 s each time.
    gc.collect()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=_choose_loop()) as runner:
            runner.run(service)
    except (CannotStart, InvalidInput) as error:
        raise Refused(str(error)) from error
    except Exception:
        structlog.get_logger().exception("process.crashed")
        raise typer.Exit(1) from None


def _choose_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
