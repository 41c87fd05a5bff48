"""/compare: two runs, question by question."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.api.auth import needs
from services.api.comparison import compare_runs, match_models
from services.api.comparison_report import describe
from services.api.desk import AtDesk
from services.api.lookup import find_run
from services.api.openapi import CONFLICTING, KEYED, MISSING
from services.api.schemas.comparison import RunComparison
from services.api.schemas.fields import ModelName
from shared.db.keys import Scope
from shared.domain.figures.comparison import DEFAULT_MARGIN

router = APIRouter(prefix="/api/v1", tags=["comparison"], responses={**KEYED, **MISSING, **CONFLICTING})


@router.get("/compare", response_model=RunComparison, dependencies=[needs(Scope.READ)])
async def compare(
    desk: AtDesk,
    baseline: Annotated[UUID, Query(description="The run to compare with.")],
    candidate: Annotated[UUID, Query(description="The run in question.")],
    model: Annotated[ModelName | None, Query(description="Only this one. Absent: all in both runs.")] = None,
    baseline_model: Annotated[
        ModelName | None, Query(description="Compare this model of the baseline …")
    ] = None,
    candidate_model: Annotated[
        ModelName | None, Query(description="… with this one of the candidate.")
    ] = None,
    margin: Annotated[
        float, Query(gt=0, le=1, allow_inf_nan=False, description="The loss that does not matter.")
    ] = DEFAULT_MARGIN,
) -> Any:
    """Compare two finished runs on the questions that both have scored.

    What can't be compared is not subtracted: where another judge graded other answers, or no question is
    shared, the answer is a problem that says so. A run and its rejudged copy are two judges of the same
    answers: `same_answers` says that no model is better or worse.
    """
    async with desk.connection() as connection:
        before, after = await find_run(connection, baseline), await find_run(connection, candidate)
    pairing = match_models(before, after, model, baseline_model, candidate_model)
    findings, flips = await compare_runs(desk, before, after, pairing.matches, margin)
    return describe(before, after, pairing, findings, flips)
