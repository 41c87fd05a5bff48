"""Opening nights: every schedule's night is opened once when it comes due, or stored as missed.

Any number of schedulers may do this at once: the schedule's lock lets one look at a time, and the night's row
lets one of them open it.
"""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import structlog
from arq.connections import ArqRedis

from shared.db import schedules
from shared.db.pool import Connection, Pool
from shared.db.runs import Run
from shared.db.schedules import Schedule
from shared.domain.calendar import DueNight, nights_due
from shared.domain.errors import InvalidInput
from shared.models import Catalogue
from shared.nights import miss_night, open_night
from shared.queue import enqueue_run_job
from shared.settings import Settings

NOBODY_THERE = "No scheduler was running."

log = structlog.get_logger()


async def open_due_nights(
    pool: Pool, redis: ArqRedis, catalogue: Catalogue, settings: Settings, now: datetime
) -> Counter[str]:
    """Look once at every active schedule; return how many nights were opened and missed."""
    done: Counter[str] = Counter()
    async with pool.acquire() as connection:
        for schedule in await schedules.list_active_schedules(connection):
            try:
                run, missed = await _open_due(connection, catalogue, settings, schedule.id, now)
            except InvalidInput as error:
                log.error("schedule.unreadable", schedule=schedule.name, error=str(error))
                continue
            done["missed"] += missed
            if run is not None:
                done["opened"] += 1
                log.info("night.opened", schedule=schedule.name, night=str(run.night), run=str(run.id))
                await enqueue_run_job(redis, "plan_run", run.id)
    return +done


async def _open_due(
    connection: Connection, catalogue: Catalogue, settings: Settings, schedule_id: int, now: datetime
) -> tuple[Run | None, int]:
    """Open the night that is due now, if any; also tell how many nights it turned out to have missed.

    Raises:
        InvalidInput: it can't be told any more when its nights come due.
    """
    async with connection.transaction():
        schedule = await schedules.lock_schedule(connection, schedule_id)
        if schedule.is_paused:
            return None, 0

        async def miss(due: DueNight, reason: str) -> None:
            await miss_night(connection, catalogue, settings, schedule, due.night, due.due_at, reason)
            log.warning("night.missed", schedule=schedule.name, night=str(due.night), reason=reason)

        late, current = _list_due(
            schedule,
            await schedules.find_last_night(connection, schedule_id),
            now,
            grace=timedelta(hours=settings.night_grace_hours),
        )
        for due in late:
            await miss(due, NOBODY_THERE)
        if current is None:
            return None, len(late)
        try:
            run = await open_night(connection, catalogue, settings, schedule, current.night, current.due_at)
        except InvalidInput as error:
            await miss(current, str(error))
            return None, len(late) + 1
        return run, len(late)


def _list_due(
    schedule: Schedule, last: date | None, now: datetime, grace: timedelta
) -> tuple[list[DueNight], DueNight | None]:
    """The nights after the last one that came due too long ago, and the one that can still be opened."""
    since = schedule.active_since
    if last is not None:
        since = max(since, datetime.combine(last, time(), UTC) - timedelta(days=1))
    due = [
        each
        for each in nights_due(schedule.cron, schedule.time_zone, since, now)
        if last is None or each.night > last
    ]
    if due and now - due[-1].due_at <= grace:
        return due[:-1], due[-1]
    return due, None
