"""The demo: the whole system on this machine, and the commands a newcomer would type, typed for them."""

import asyncio
import csv
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.standalone.degradation import ReplaceWeights, play_degradation
from services.standalone.errors import CannotStart
from services.standalone.instance import reserve_port
from services.standalone.real_model import find_weights
from services.standalone.stage import Stage, open_stage
from services.standalone.story import play
from services.standalone.supervisor import Program, say_on_stderr, supervise
from services.standalone.up import (
    SIMULATOR_PORT,
    UpOptions,
    answers_at,
    run_instance,
    run_until_signalled,
)
from shared.settings import Settings

GOLDEN = Path("suites/golden.csv")
STAGE = Path("deploy/demo")
REAL_MODEL_PORT = 9200
# A demo waits for no model that hangs, asks for no key and keeps its machinery's log to itself.
MANNERS = {"DRIFTWARDEN_MAX_ATTEMPTS": "2", "DRIFTWARDEN_AUTH": "off", "DRIFTWARDEN_LOG_LEVEL": "error"}


async def demo(settings: Settings, *, real: bool, stay: bool) -> None:
    """Evaluate models and watch them drift: simulated ones, or a small real one; then stay up, if wanted.

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
        async with open_simulation(self.folder, self.settings, hurry) as (stage, simulator):
            await stage.type("suite", "import", str(GOLDEN))
            await stage.type("run", "--suite", GOLDEN.stem, "--sample", "50", "--wait")
            await play(stage, simulator)
            await self._stay_up(stage)

    async def play_real(self, hurry: asyncio.Event) -> None:
        checkable = self.folder / "golden-checkable.csv"
        keep_checkable(GOLDEN, checkable)
        async with open_real_model(self.folder, self.settings, hurry) as (stage, replace_weights):
            await stage.type("suite", "import", str(checkable))
            await stage.type("run", "--suite", checkable.stem, "--sample", "60", "--wait")
            await play_degradation(stage, self.folder, replace_weights)
            await self._stay_up(stage)

    async def _stay_up(self, stage: Stage) -> None:
        if self.stay:
            say_on_stderr(f"\nDriftwarden is up: {stage.client.url}, its API at {stage.client.url}/docs")
            say_on_stderr("Press Ctrl-C to stop; the demo keeps nothing.")
            await asyncio.Event().wait()


@asynccontextmanager
async def open_simulation(
    folder: Path, settings: Settings, hurry: asyncio.Event
) -> AsyncIterator[tuple[Stage, httpx.AsyncClient]]:
    """An instance with the demo's simulated provider, and a client that can change the provider."""
    with reserve_port("127.0.0.1", SIMULATOR_PORT, required=False) as port:
        address = f"http://127.0.0.1:{port}"
        files = ("--config", str(STAGE / "simulator.yaml"), "--port", str(port))
        provider = Program(
            "simulator",
            (sys.executable, "-m", "services.simulator", *files),
            is_ready=answers_at(f"{address}/healthz"),
            output=folder / "simulator.log",
        )
        environment = {
            **MANNERS,
            "DRIFTWARDEN_MODELS": str(STAGE / "models.yaml"),
            "DRIFTWARDEN_SIMULATOR_URL": f"{address}/v1",
        }
        options = UpOptions(settings, workers=2, environment=environment)
        async with (
            supervise(provider, hurry=hurry),
            run_instance(options, hurry) as client,
            open_stage(client) as stage,
            httpx.AsyncClient(base_url=address, timeout=30, trust_env=False) as simulator,
        ):
            yield stage, simulator


@asynccontextmanager
async def open_real_model(
    folder: Path, settings: Settings, hurry: asyncio.Event
) -> AsyncIterator[tuple[Stage, ReplaceWeights]]:
    """An instance with the small real model, and a way to serve other weights under its name."""
    with reserve_port("127.0.0.1", REAL_MODEL_PORT, required=False) as port:
        address = f"http://127.0.0.1:{port}"
        environment = {
            **MANNERS,
            "DRIFTWARDEN_MODELS": str(STAGE / "real-models.yaml"),
            "DRIFTWARDEN_REAL_MODEL_URL": f"{address}/v1",
        }
        async with (
            AsyncExitStack() as serving,
            run_instance(UpOptions(settings, environment=environment), hurry) as client,
            open_stage(client) as stage,
        ):

            async def replace_weights(weights: Path) -> None:
                await serving.aclose()
                model = Program(
                    "the real model",
                    (
                        *(sys.executable, "-m", "services.standalone.real_model"),
                        *("--port", str(port), "--weights", str(weights)),
                    ),
                    is_ready=answers_at(f"{address}/health"),
                    output=folder / "model.log",
                )
                await serving.enter_async_context(supervise(model, hurry=hurry))

            await replace_weights(find_weights())
            yield stage, replace_weights


def keep_checkable(source: Path, target: Path) -> None:
    """Copy the questions that a deterministic scorer decides."""
    with source.open(newline="") as original, target.open("w", newline="") as copy:
        rows = csv.DictReader(original)
        writer = csv.DictWriter(copy, rows.fieldnames or ())
        writer.writeheader()
        writer.writerows(row for row in rows if row["scorer"] and "llm-rubric" not in " ".join(row.values()))
