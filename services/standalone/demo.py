"""The demo: the whole system on this machine, and the commands a newcomer would type, typed for them."""

import asyncio
import csv
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from services.standalone.errors import CannotStart
from services.standalone.instance import Client, reserve_port
from services.standalone.supervisor import Program, supervise
from services.standalone.up import UpOptions, answers_at, run_instance, run_until_signalled
from shared.settings import Settings

GOLDEN = Path("suites/golden.csv")
STAGE = Path("deploy/demo")
REAL_MODEL_PORT = 9200
# A demo waits for no model that hangs, asks for no key and keeps its machinery's log to itself.
MANNERS = {"DRIFTWARDEN_MAX_ATTEMPTS": "2", "DRIFTWARDEN_AUTH": "off", "DRIFTWARDEN_LOG_LEVEL": "error"}


async def demo(settings: Settings, *, real: bool, stay: bool) -> None:
    """Evaluate eleven simulated models, or one small real one; then, if wanted, stay up until Ctrl-C.

    Everything lives in a temporary folder and goes with it.

    Raises:
        CannotStart: this is no checkout, a server did not come up, or one of the commands failed.
    """
    if not GOLDEN.exists():
        raise CannotStart(f"{GOLDEN} is not here. Run `make demo` in a checkout of Driftwarden.")
    with tempfile.TemporaryDirectory(prefix="driftwarden-demo-") as folder:
        theatre = Theatre(Path(folder), settings.model_copy(update={"data": Path(folder) / "data"}), stay)
        await run_until_signalled(theatre.play_real if real else theatre.play_simulated)


@dataclass(frozen=True, slots=True)
class Theatre:
    folder: Path
    settings: Settings
    stay: bool

    async def play_simulated(self, hurry: asyncio.Event) -> None:
        options = UpOptions(
            self.settings,
            workers=2,
            simulator_config=STAGE / "simulator.yaml",
            environment={**MANNERS, "DRIFTWARDEN_MODELS": str(STAGE / "models.yaml")},
        )
        await self._play(options, hurry, GOLDEN, sample=50)

    async def play_real(self, hurry: asyncio.Event) -> None:
        checkable = self.folder / "golden-checkable.csv"
        keep_checkable(GOLDEN, checkable)
        with reserve_port("127.0.0.1", REAL_MODEL_PORT, required=False) as port:
            address = f"http://127.0.0.1:{port}"
            model = Program(
                "the real model",
                (sys.executable, "-m", "services.standalone.real_model", "--port", str(port)),
                is_ready=answers_at(f"{address}/health"),
                output=self.folder / "model.log",
            )
            environment = {
                **MANNERS,
                "DRIFTWARDEN_MODELS": str(STAGE / "real-models.yaml"),
                "DRIFTWARDEN_REAL_MODEL_URL": f"{address}/v1",
            }
            async with supervise(model, hurry=hurry):
                await self._play(
                    UpOptions(self.settings, environment=environment), hurry, checkable, sample=60
                )

    async def _play(self, options: UpOptions, hurry: asyncio.Event, suite: Path, *, sample: int) -> None:
        async with run_instance(options, hurry) as client:
            type_command = partial(run_command, client)
            await type_command("suite", "import", str(suite))
            await type_command("run", "--suite", suite.stem, "--sample", str(sample), "--wait")
            if self.stay:
                options.say(f"\nDriftwarden is up: {client.url}, its API at {client.url}/docs")
                options.say("Press Ctrl-C to stop; the demo keeps nothing.")
                await asyncio.Event().wait()


async def run_command(client: Client, *arguments: str) -> None:
    """Show a command as one would type it, and run it against this server."""
    print(f"\n$ driftwarden {shlex.join(arguments)}", flush=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *arguments),
        env={**os.environ, **access_of(client)},
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    try:
        if await process.wait() != 0:
            raise CannotStart("The demo ends here: this command failed.")
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def access_of(client: Client) -> Mapping[str, str]:
    return {"DRIFTWARDEN_URL": client.url, "DRIFTWARDEN_API_KEY": client.api_key}


def keep_checkable(source: Path, target: Path) -> None:
    """Copy the questions that a deterministic scorer decides."""
    with source.open(newline="") as original, target.open("w", newline="") as copy:
        rows = csv.DictReader(original)
        writer = csv.DictWriter(copy, rows.fieldnames or ())
        writer.writeheader()
        writer.writerows(row for row in rows if row["scorer"] and "llm-rubric" not in " ".join(row.values()))
