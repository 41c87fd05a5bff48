"""/runs:estimate: what a run would take."""

from fastapi import APIRouter

from services.api.auth import needs
from services.api.desk import AtDesk
from services.api.estimate import estimate_run
from services.api.openapi import KEYED, WITH_BODY
from services.api.schemas.estimates import RunEstimate
from services.api.schemas.runs import RunRequest
from shared.db.keys import Scope

router = APIRouter(prefix="/api/v1", tags=["runs"], responses={**KEYED, **WITH_BODY})


@router.post("/runs:estimate", dependencies=[needs(Scope.SUBMIT)])
async def estimate(desk: AtDesk, request: RunRequest) -> RunEstimate:
    """Estimate tokens and costs of a run. It takes and refuses what submitting takes and refuses."""
    return await estimate_run(desk, request)
