"""Steering a running simulation: /admin reads and changes its configuration, its night and its counts."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.simulator.config import parse_config
from services.simulator.simulation import Simulation
from services.simulator.traffic import Traffic
from services.simulator.wire import Fault
from shared.domain.errors import InvalidInput

Handler = Callable[[Request, Simulation], Awaitable[Any]]


def admin_routes() -> list[Route]:
    return [
        Route("/admin/config", _steering(show_config), methods=["GET"]),
        Route("/admin/config", _steering(replace_config), methods=["PUT"]),
        Route("/admin/models/{name:path}", _steering(change_model), methods=["PATCH"]),
        Route("/admin/night", _steering(set_night), methods=["PUT"]),
        Route("/admin/stats", _steering(show_stats), methods=["GET"]),
        Route("/admin/stats/reset", _steering(reset_stats), methods=["POST"]),
    ]


async def show_config(_: Request, simulation: Simulation) -> Any:
    """The configuration as given, with the live changes since, in the form that PUT takes back."""
    return simulation.fleet.config.as_json()


async def replace_config(request: Request, simulation: Simulation) -> Any:
    """Start anew with a whole configuration (YAML or JSON): night, counts and askings begin again."""
    simulation.load(parse_config(await request.body(), "config"))
    return simulation.fleet.config.as_json()


async def change_model(request: Request, simulation: Simulation) -> Any:
    """Change the fields of one model that the body names, from tonight on."""
    name = request.path_params["name"]
    if name not in simulation.fleet.config.models:
        raise InvalidInput("model", f"{name!r} is not simulated.", "GET /v1/models lists the names.")
    simulation.fleet.change(name, await _fields(request))
    return simulation.fleet.config.models[name].model_dump(mode="json", exclude_unset=True)


async def set_night(request: Request, simulation: Simulation) -> Any:
    """Make it `{"night": 3}`; null counts from the epoch again."""
    fields = await _fields(request)
    night = fields.get("night", "absent")
    if night is not None and (isinstance(night, bool) or not isinstance(night, int) or night < 0):
        raise InvalidInput("night", f"{night!r} is not a night.", 'Send {"night": 3}, counted from 1.')
    simulation.fleet.calendar.set(night)
    return {"night": simulation.fleet.calendar.night()}


async def show_stats(_: Request, simulation: Simulation) -> Any:
    """Counts since the last reset, for all models together and for each."""
    fleet = simulation.fleet
    return {
        "night": fleet.calendar.night(),
        **_counts(fleet.overall),
        "models": {name: _counts(traffic) for name, traffic in fleet.traffic.items()},
    }


async def reset_stats(_: Request, simulation: Simulation) -> Any:
    fleet = simulation.fleet
    for traffic in (fleet.overall, *fleet.traffic.values()):
        traffic.reset()
    return {}


def _counts(traffic: Traffic) -> dict[str, int]:
    return {
        "in_flight": traffic.in_flight,
        **asdict(traffic.counts),
        "distinct_inputs": len(traffic.inputs),
    }


async def _fields(request: Request) -> dict[str, Any]:
    try:
        fields = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise InvalidInput("body", f"it is not JSON ({error}).") from None
    if not isinstance(fields, dict):
        raise InvalidInput("body", "it is not a JSON object.")
    return fields


def _steering(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Answer with JSON; a mistake of the person who steers is a 400 that names the field."""

    @wraps(handle)
    async def respond(request: Request) -> Response:
        try:
            status, body = 200, orjson.dumps(await handle(request, request.app.state.simulation))
        except InvalidInput as error:
            fault = Fault(400, "invalid_configuration", str(error), error.field)
            status, body = fault.status, fault.encode()
        return Response(body, status, media_type="application/json")

    return respond
