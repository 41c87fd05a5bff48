"""How easily the watch may alarm: told with what it would mean for a suite, and settled by people."""

from services.api.desk import Desk
from services.api.lookup import find_suite
from services.api.schemas import alarm_budget as schemas
from shared.db import audit, schedules, suites
from shared.db.budget import read_alarm_budget, set_alarm_budget
from shared.db.pool import Connection
from shared.db.suites import SuiteVersion
from shared.domain.drift.budget import Budget
from shared.domain.figures.power import BUDGETS, false_alarms_a_year, power_of
from shared.nights import count_watched


async def tell_alarm_budget(connection: Connection, desk: Desk, suite: str | None) -> schemas.AlarmBudget:
    """The budget as it holds now, for this suite, else for that of a schedule, else for any.

    Raises:
        NotFound: there is no such suite.
    """
    budget = await read_alarm_budget(connection, desk.settings)
    watched = await count_watched(connection, desk.catalogue)
    chosen = await _choose_suite(connection, suite)
    questions = await _count_asked(connection, chosen) if chosen else None
    rates = sorted({*map(float, BUDGETS), budget.nights_per_false_alarm})
    return schemas.AlarmBudget(
        nights_per_false_alarm=budget.nights_per_false_alarm,
        set_by=budget.set_by,
        set_at=budget.set_at,
        watched_models=watched,
        suite=chosen.name if chosen else None,
        questions=questions,
        choices=[describe_sensitivity(questions, Budget(max(1, watched), rate)) for rate in rates],
    )


def describe_sensitivity(questions: int | None, budget: Budget) -> schemas.Sensitivity:
    power = power_of(questions, budget) if questions else None
    return schemas.Sensitivity(
        nights_per_false_alarm=budget.nights_per_false_alarm,
        false_alarms_a_year=false_alarms_a_year(budget.nights_per_false_alarm),
        drop_within_week=power.drop if power else None,
        nights_to_ten_points=power.nights if power else None,
    )


async def settle_alarm_budget(connection: Connection, nights_per_false_alarm: float, actor: str) -> None:
    """Settle the budget of the nights to come. Call it inside a transaction."""
    await set_alarm_budget(connection, nights_per_false_alarm, actor)
    facts = {"nights_per_false_alarm": nights_per_false_alarm}
    await audit.record(connection, actor, "alarm_budget.set", "installation", facts)


async def _choose_suite(connection: Connection, name: str | None) -> SuiteVersion | None:
    if name is not None:
        return await find_suite(connection, name, None)
    settled = await schedules.list_schedules(connection, limit=1)
    if settled:
        return await find_suite(connection, settled[0].suite, None)
    stored = await suites.list_suites(connection, limit=1)
    return stored[0] if stored else None


async def _count_asked(connection: Connection, suite: SuiteVersion) -> int:
    """How many of its questions the schedule asks that asks most of them; without any schedule, all."""
    asking = [one for one in await schedules.list_schedules(connection) if one.suite == suite.name]
    return max(
        (min(one.sample or suite.questions, suite.questions) for one in asking), default=suite.questions
    )
