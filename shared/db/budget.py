"""How easily the watch may alarm from the next night on: what a person chose last, else the setting."""

from dataclasses import dataclass
from datetime import datetime

from shared.db.pool import Connection
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class AlarmBudget:
    """At most one false alarm in so many nights. `set_by` and `set_at` are None where nobody chose."""

    nights_per_false_alarm: float
    set_by: str | None
    set_at: datetime | None


async def read_alarm_budget(connection: Connection, settings: Settings) -> AlarmBudget:
    row = await connection.fetchrow(
        "SELECT nights_per_false_alarm, set_by, set_at FROM alarm_budgets ORDER BY id DESC LIMIT 1"
    )
    return AlarmBudget(**row) if row else AlarmBudget(settings.nights_per_false_alarm, None, None)


async def set_alarm_budget(connection: Connection, nights_per_false_alarm: float, by: str) -> None:
    """Settle the budget of the nights to come; what past nights stored stays."""
    await connection.execute(
        "INSERT INTO alarm_budgets (nights_per_false_alarm, set_by) VALUES ($1, $2)",
        nights_per_false_alarm,
        by,
    )
