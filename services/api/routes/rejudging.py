"""/runs/{id}/rejudge and /schedules/{name}/rejudge: the same answers, scored by another judge."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.provider_keys import ProviderKeys
from services.api.rejudging import rejudge_nights, rejudge_run
from services.api.routes.runs import ACCEPTED, IdempotencyKey
from services.api.routes.runs import router as runs_router
from services.api.schemas import rejudging as schemas
from services.api.schemas.fields import SuiteName
from services.api.schemas.runs import Run
from shared.db.keys import Scope

router = APIRouter(prefix="/api/v1", tags=["rejudging"], responses={**KEYED, **MISSING, **WITH_BODY})


@router.post(
    "/runs/{run_id}/rejudge",
    status_code=202,
    response_model=Run,
    dependencies=[needs(Scope.SUBMIT)],
    responses={202: ACCEPTED, **CONFLICTING},
)
async def rejudge(
    desk: AtDesk,
    actor: Actor,
    run_id: UUID,
    provider_keys: ProviderKeys,
    request: schemas.RejudgeRequest,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Score a completed run's answers again with another judge, in a run of its own.

    No model is asked: answers, deterministic scores and failures are copied, and the run spends what its
    judge costs. /compare sets the two side by side.
    """
    run = await rejudge_run(desk, actor, run_id, request, idempotency_key, provider_keys)
    response.headers["Location"] = f"{runs_router.prefix}/{run.id}"
    return run


@router.post(
    "/schedules/{name}/rejudge",
    status_code=202,
    response_model=schemas.RejudgedNights,
    dependencies=[needs(Scope.SUBMIT)],
)
async def rejudge_schedule(
    desk: AtDesk,
    actor: Actor,
    name: Annotated[SuiteName, Path(description="The schedule's name.", examples=["nightly"])],
    request: schemas.RejudgeNightsRequest,
) -> Any:
    """Score a schedule's last nights again with another judge, so that its trend can go on under that judge.

    As each of these runs completes, the night counts as scored by it; the original stays stored.
    """
    return {"runs": await rejudge_nights(desk, actor, name, request)}
