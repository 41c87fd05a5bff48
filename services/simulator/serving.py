"""Serving the simulated provider: inside a test, or as a program of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from services.simulator.app import create_app
from services.simulator.config import SimulatorConfig, read_config
from shared.domain.questions.suites import Question

_MOST_SECONDS_TO_CLOSE = 5


class _Server(uvicorn.Server):
    """Uvicorn, which on its way out also lets those go whom the simulation keeps waiting."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        assert isinstance(app, Starlette)
        app.state.simulation.stop()
        await super().shutdown(sockets)


@asynccontextmanager
async def serve(
    config: SimulatorConfig,
    host: str = "127.0.0.1",
    port: int = 0,
    folder: Path = Path(),
    questions: Sequence[Question] = (),
) -> AsyncIterator[str]:
    """Serve inside the running event loop; yields the base URL, without `/v1`. Port 0: any free one.

    InvalidInput where the configuration names bad files, OSError where the port is taken.
    """
    with _bind(host, port) as listener:
        server = _server(create_app(config, folder, questions))
        serving = asyncio.create_task(server._serve([listener]))
        try:
            yield _address(listener)
        finally:
            server.should_exit = True
            await serving


def run(config_file: Path, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; prints the base URL once it listens. InvalidInput, OSError."""
    app = create_app(read_config(config_file), config_file.parent)
    with _bind(host, port) as listener:
        print(f"Simulated provider at {_address(listener)}/v1", flush=True)
        _server(app).run([listener])


def _server(app: Starlette) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            loop="auto",
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=_MOST_SECONDS_TO_CLOSE,
            timeout_keep_alive=60,
            backlog=2048,
        )
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
