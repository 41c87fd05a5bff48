"""A gate without a server: everything is started for it, and stopped when it is over."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from services.cli.failures import NotMeasured, Refused
from services.cli.gate.outcome import EXIT_CODES
from services.cli.processes import read_settings, serve_until_done
from services.cli.render import tell
from services.standalone.instance import Client
from services.standalone.stage import access_of
from services.standalone.supervisor import leashed
from services.standalone.up import UpOptions, run_instance, run_until_signalled

OURS = ("standalone", "data", "models_file")
MODELS = Path("models.yaml")


def gate_on_own_server(context: typer.Context, *, data: Path | None, models_file: Path | None) -> int:
    """Hold the same gate on a server of its own; its exit code.

    Raises:
        Refused: the models or the folder can't be used.
        NotMeasured: interrupted, or something that was started broke down.
    """
    for database in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(database, None)  # in a CI job they name what the user's own tests use
    catalogue = _find_models(models_file)
    environment = {"DRIFTWARDEN_MODELS": str(catalogue), "DRIFTWARDEN_LOG_LEVEL": "error"}
    codes: list[int] = []
    with _choose_folder(data) as folder:
        settings = read_settings("gate", data=folder, log_level="error", _env_file=None)

        async def hold(hurry: asyncio.Event) -> None:
            async with run_instance(UpOptions(settings, port=0, environment=environment), hurry) as client:
                codes.append(await _type(_retype(context), client))

        tell("starting a server for this gate")
        try:
            serve_until_done(run_until_signalled(hold))
        except typer.Exit:
            raise NotMeasured("What the gate had started broke down; its own messages are above.") from None
    if not codes or codes[0] not in (*EXIT_CODES.values(), Refused.exit_code):
        raise NotMeasured("Interrupted before there was a result. Start the gate again.")
    return codes[0]


def _find_models(chosen: Path | None) -> Path:
    named = os.environ.get("DRIFTWARDEN_MODELS")
    path = (chosen or (Path(named) if named else MODELS)).absolute()
    if not path.is_file():
        raise Refused(f"--models-file: there is no {path}. Name the file that lists your models.")
    return path


@contextmanager
def _choose_folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="driftwarden-gate-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "data"


async def _type(arguments: list[str], client: Client) -> int:
    """Run one command of ours against this server; its exit code."""
    command = (sys.executable, "-m", "services.cli", *arguments)
    process = await asyncio.create_subprocess_exec(
        *leashed(command, signal.SIGTERM, "same"),
        env={**os.environ, **access_of(client)},
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _retype(context: typer.Context) -> list[str]:
    """The command line of this very command, without what makes it start a server."""
    arguments = [str(context.info_name)]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if option.name in OURS or value is None or value is False:
            continue
        values = [None] if value is True else value if isinstance(value, list | tuple) else [value]
        for each in values:
            arguments += [option.opts[0]] if each is None else [option.opts[0], str(each)]
    return arguments
