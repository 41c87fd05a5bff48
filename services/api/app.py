"""The API: what it opens, the routes it serves, and how it runs."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TypedDict

import structlog
import uvicorn
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from services.api import problems
from services.api.auth import check_auth_settings
from services.api.dashboard.pages import PAGES
from services.api.dashboard.site import Site, make_site, serve_files
from services.api.dashboard.visit import tell_person_or_program
from services.api.desk import Desk, open_desk
from services.api.headers import is_behind_tls
from services.api.openapi import SCHEMA, DocumentedApi, refuse_unknown_parameters, serve_docs
from services.api.reception import BodyLimit, Reception
from services.api.routes import (
    alarm_budget,
    anchors,
    audit,
    backtests,
    baselines,
    callbacks,
    channels,
    comparison,
    deliveries,
    drift,
    estimates,
    health,
    imports,
    incidents,
    judges,
    keys,
    models,
    prompts,
    rejudging,
    results,
    runs,
    schedules,
    stats,
    suites,
)
from shared.metrics import tell_build
from shared.models import Catalogue
from shared.redis_pool import check_redis
from shared.settings import Settings

ROUTERS = (
    runs.router,
    schedules.router,
    alarm_budget.router,
    drift.router,
    incidents.router,
    baselines.router,
    results.router,
    models.router,
    comparison.router,
    stats.router,
    estimates.router,
    backtests.router,
    imports.router,
    suites.router,
    judges.router,
    prompts.router,
    anchors.router,
    rejudging.router,
    keys.router,
    channels.router,
    deliveries.router,
    callbacks.router,
    audit.router,
    health.router,
)
DRAIN_SECONDS = 10

log = structlog.get_logger()


class State(TypedDict):
    """What each request finds in `request.state`."""

    desk: Desk
    site: Site


def create_app(settings: Settings) -> DocumentedApi:
    """The API as an ASGI application, which opens what it needs when it starts.

    Raises:
        InvalidInput: the settings would serve the network without keys, or models.yaml is wrong.
    """
    check_auth_settings(settings)
    catalogue = Catalogue.load(settings.models_file, os.environ)

    @asynccontextmanager
    async def lifespan(_: DocumentedApi) -> AsyncIterator[State]:
        async with open_desk(settings, catalogue) as desk:
            api.openapi()  # made now, so that no request waits for it
            log.info("api.started", host=settings.host, port=settings.port, auth=settings.auth)
            yield {"desk": desk, "site": make_site(settings)}

    api = DocumentedApi(
        title="Driftwarden",
        version=version("driftwarden"),
        summary="Catch model drift before it kills your product.",
        lifespan=lifespan,
        middleware=[Middleware(Reception, behind_tls=is_behind_tls(settings)), Middleware(BodyLimit)],
        exception_handlers={**problems.HANDLERS, HTTPException: tell_person_or_program},
        openapi_url=SCHEMA,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in ROUTERS:
        api.include_router(router, dependencies=[Depends(refuse_unknown_parameters)])
    for pages in PAGES:
        api.include_router(pages)
    serve_files(api)
    serve_docs(api)
    return api


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; exits with status 1 when it can't start."""
    # A thread that reads a large file must not keep a request waiting for 5 ms at every step.
    sys.setswitchinterval(0.0005)
    await check_redis(settings.redis_url.get_secret_value())
    tell_build()
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    await server.serve()
    if not server.started:
        sys.exit(1)
