"""A week of the fleet in words."""

from collections.abc import Iterator

from shared.domain.telling.alerts import IncidentLine, ModelWeek, ScheduleWeek, Weekly
from shared.domain.telling.message import Link, Message, Passage, points

MOST_MODELS = 40
MOST_INCIDENTS = 20
NO_NEWS = "Nothing was measured this week."


def tell_week(week: Weekly, public_url: str) -> Message:
    """What the week came to: incidents first, then every schedule with its models."""
    opened = [one for one in week.incidents if one.is_new]
    still_open = [one for one in week.incidents if one.closed_at is None]
    return Message(
        f"The week from {week.begin}",
        f"{_many(len(opened), 'new incident')}, {len(still_open)} open at its end.",
        tuple(
            passage
            for passage in (
                Passage("Incidents", tuple(_tell_incidents(week.incidents))),
                *(Passage(_name(one), tuple(_tell_schedule(one))) for one in week.schedules),
            )
            if passage.lines
        )
        or (Passage("", (NO_NEWS,)),),
        (Link("Dashboard", public_url),),
        is_good=True,
    )


def _name(one: ScheduleWeek) -> str:
    return f"{one.schedule} (suite {one.suite})"


def _tell_incidents(incidents: tuple[IncidentLine, ...]) -> Iterator[str]:
    for one in incidents[:MOST_INCIDENTS]:
        yield f"{one.status}, {one.severity}: {one.headline}"
    if len(incidents) > MOST_INCIDENTS:
        yield f"… and {len(incidents) - MOST_INCIDENTS} more."


def _tell_schedule(one: ScheduleWeek) -> Iterator[str]:
    missed = f", {one.nights_missed} missed" if one.nights_missed else ""
    yield f"{_many(one.nights_ran, 'night')}{missed}, {one.spent_usd:.2f} USD"
    for model in one.models[:MOST_MODELS]:
        yield _tell_model(model)
    if len(one.models) > MOST_MODELS:
        yield f"… and {len(one.models) - MOST_MODELS} more models."


def _tell_model(model: ModelWeek) -> str:
    state = "" if model.state == "ok" else f"; {model.state.replace('_', ' ')}"
    if model.accuracy is None or model.lower is None or model.upper is None:
        return f"{model.model}: not measured{state}"
    told = f"{model.model}: {100 * model.accuracy:.1f} % ({100 * model.lower:.1f} to {100 * model.upper:.1f})"
    if model.before is not None:
        told += f", {points(model.accuracy - model.before)} points to the week before"
    return told + state


def _many(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}" + ("" if number == 1 else "s")
