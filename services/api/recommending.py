"""The recommendation for a suite: what the models came to, and which of them are drifting."""

from collections.abc import Mapping
from datetime import date

from services.api.leaderboard import Board
from services.api.schemas import recommendation as schemas
from shared.db import incidents, schedules
from shared.db.incidents import Incident
from shared.db.measurements import Measurement
from shared.db.pool import Connection
from shared.domain.drift.detections import Subject
from shared.domain.figures.recommendation import Contender, Recommendation, recommend


async def read_open_incidents(connection: Connection, suite: str) -> dict[str, Incident]:
    """The newest incident about each model that is open on a schedule of the suite."""
    found: dict[str, Incident] = {}
    for schedule in await schedules.list_schedules(connection):
        if schedule.suite == suite:
            for incident in await incidents.list_open_incidents(connection, schedule.id):
                if incident.subject is Subject.MODEL:
                    found[incident.model] = incident
    return found


def recommend_of(board: Board, open_incidents: Mapping[str, Incident], loss: float) -> Recommendation:
    contenders = [
        _enter(each, incident.changed_on if (incident := open_incidents.get(each.model)) else None)
        for each in board.measured
    ]
    return recommend(contenders, board.ranking, loss)


def describe_recommendation(board: Board, advice: Recommendation) -> schemas.Recommendation:
    measured = {each.model: each for each in board.measured}
    return schemas.Recommendation(
        suite=board.suite,
        category=board.category,
        loss=advice.loss,
        items=[
            schemas.Choice(
                need=one.need,
                model=one.model,
                reason=one.reason,
                tied_with=list(one.ties),
                accuracy=measured[one.model].accuracy if one.model else None,
                cost_usd_per_answer=cost_of_answer(measured[one.model]) if one.model else None,
                latency_p50_seconds=measured[one.model].latency_p50_seconds if one.model else None,
                against_best=schemas.Difference.model_validate(one.against_best, from_attributes=True)
                if one.against_best
                else None,
            )
            for one in advice.choices
        ],
        warnings=[
            schemas.Notice(caution=one.caution, models=list(one.models), told=one.told)
            for one in advice.warnings
        ],
    )


def cost_of_answer(each: Measurement) -> float | None:
    """In US dollars; None where no price is known, or nothing was answered."""
    return float(each.cost_usd) / each.answered if each.cost_usd is not None and each.answered else None


def _enter(each: Measurement, drifting_since: date | None) -> Contender:
    return Contender(
        model=each.model,
        accuracy=each.accuracy,
        lower=each.accuracy_lower,
        upper=each.accuracy_upper,
        coverage=each.coverage,
        cost_usd=cost_of_answer(each),
        seconds=each.latency_p50_seconds,
        measured_on=each.finished_at.date(),
        drifting_since=drifting_since,
    )
