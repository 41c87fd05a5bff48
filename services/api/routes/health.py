"""/healthz, /readyz, /metrics: for those who watch over the process; no key is needed."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from services.api.desk import AtDesk
from services.api.measures import MeasureBoard, open_board
from shared.health import ask_database, ask_redis

router = APIRouter(tags=["health"], lifespan=open_board)


class Health(BaseModel):
    """`ok`, or for a part that does not answer, what it said instead."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """What this process depends on: `ok`, or why it does not answer."""

    database: str = Field(examples=["ok"])
    redis: str = Field(examples=["ok"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process lives."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Readiness, "description": "A part does not answer."}})
async def readyz(desk: AtDesk, response: Response) -> Readiness:
    """The database and Redis answer."""
    async with asyncio.TaskGroup() as tasks:
        database = tasks.create_task(ask_database(desk.pool))
        redis = tasks.create_task(ask_redis(desk.redis))
    readiness = Readiness(database=database.result(), redis=redis.result())
    if not readiness.database == readiness.redis == "ok":
        response.status_code = 503
    return readiness


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics of this process, and of the whole installation as it sees it.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def metrics(desk: AtDesk, request: Request) -> Response:
    """Metrics in Prometheus' text format."""
    board: MeasureBoard = request.state.measure_board
    return Response(generate_latest() + await board.tell(desk), media_type=CONTENT_TYPE_LATEST)
