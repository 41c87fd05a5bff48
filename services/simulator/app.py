"""The simulated provider as an ASGI application."""

import time
from collections.abc import Sequence
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.simulator.admin import admin_routes
from services.simulator.completions import ChatCompletions
from services.simulator.config import SimulatorConfig
from services.simulator.nights import Clock
from services.simulator.simulation import Simulation
from shared.domain.questions.suites import Question


def create_app(
    config: SimulatorConfig,
    folder: Path = Path(),
    questions: Sequence[Question] = (),
    clock: Clock = time.time,
) -> Starlette:
    """Build the provider; `app.state.simulation` is what it serves. InvalidInput where a file is wrong.

    Paths in the configuration are relative to `folder`; `questions` are known besides those of its suites.
    """
    simulation = Simulation(config, folder, questions, clock)
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", ChatCompletions(simulation)),
            Route("/v1/models", list_models),
            Route("/healthz", report_health),
            *(admin_routes() if config.admin else ()),
        ]
    )
    app.state.simulation = simulation
    return app


async def list_models(request: Request) -> Response:
    """The models in OpenAI's form."""
    simulation: Simulation = request.app.state.simulation
    models = [
        {"id": name, "object": "model", "created": 0, "owned_by": "simulator"}
        for name in simulation.fleet.config.models
    ]
    return Response(orjson.dumps({"object": "list", "data": models}), media_type="application/json")


async def report_health(_: Request) -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")
