"""Detection: each completed entry of a schedule is seen once, and what follows from it is written with it.

The fold, the detections, the incidents and the mark that the entry was seen are one transaction. Who dies in
it leaves nothing behind, and the next one begins the entry anew; who comes second waits and finds it done.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from arq.connections import ArqRedis

from services.scheduler.incidents import Sight, follow_up
from services.scheduler.surroundings import check_controls, note_identities
from shared.db import detections, incidents, schedules, seen
from shared.db.anchors import are_judged
from shared.db.incidents import Incident
from shared.db.pool import Connection, Pool
from shared.db.schedules import Schedule
from shared.db.seen import Unseen
from shared.detecting import INCIDENT_REPEATS, SequenceAt, fold_up_to, keep, read_sequence, refold, rewrite
from shared.domain.drift.detections import Subject
from shared.domain.drift.sequence import Entry
from shared.domain.drift.watch import Sighting, Standing, Standings, needs_history, see
from shared.domain.runs import RunId, RunState
from shared.domain.telling.incidents import Monitor, MonitorState
from shared.models import Catalogue
from shared.nights import open_confirmation
from shared.queue import enqueue_delivery, enqueue_run_job

ANCHORS_PATIENCE = timedelta(minutes=15)  # so long a finished entry waits for its judge

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """What an entry asks for once it is seen. Lost on the way, nothing but evidence is late."""

    name: str
    run_id: RunId
    terms: Mapping[str, int] = field(default_factory=dict)


async def detect(pool: Pool, redis: ArqRedis, catalogue: Catalogue, now: datetime) -> int:
    """See every finished entry that was not seen yet, of all schedules; return how many it were.

    Raises:
        ExceptionGroup: some schedules could not be seen; it kept no other one waiting.
    """
    count, failures = 0, []
    async with pool.acquire() as connection:
        waiting = await seen.list_schedules_with_unseen(connection)
    for schedule_id in waiting:
        try:
            async with pool.acquire() as connection:
                while (next_jobs := await _see_next(connection, catalogue, schedule_id, now)) is not None:
                    count += 1
                    for job in next_jobs:
                        await enqueue_run_job(redis, job.name, job.run_id, **job.terms)
        except Exception as error:
            error.add_note(f"schedule {schedule_id}")
            failures.append(error)
    if count:
        await enqueue_delivery(redis)
    if failures:
        raise ExceptionGroup("some schedules could not be seen", failures)
    return count


async def _see_next(
    connection: Connection, catalogue: Catalogue, schedule_id: int, now: datetime
) -> list[Job] | None:
    """See a schedule's next entry; what it asks for, or None if none is ready."""
    async with connection.transaction():
        schedule = await schedules.lock_schedule(connection, schedule_id)
        entry = await seen.find_next_unseen(connection, schedule_id)
        if entry is None or not await _is_ready(connection, entry, now):
            return None
        await seen.mark_seen(connection, schedule_id, entry.run_id)
        if entry.state is not RunState.COMPLETED:
            log.warning("detect.entry_not_measured", run=str(entry.run_id), state=entry.state)
            return []
        controls = catalogue.controls()
        last = await seen.find_last_seen(connection, schedule_id)
        if last != entry.run_id:  # a night long past was asked again: evidence, but no news
            await refold(connection, await read_sequence(connection, schedule_id, controls, last=last))
            return []
        return await _see(connection, catalogue, schedule, entry, controls, now)


async def _is_ready(connection: Connection, entry: Unseen, now: datetime) -> bool:
    """Whether a run is over, and its anchors judged or given up."""
    if entry.finished_at is None:
        return False
    return now - entry.finished_at > ANCHORS_PATIENCE or await are_judged(connection, entry.run_id)


async def _see(
    connection: Connection,
    catalogue: Catalogue,
    schedule: Schedule,
    unseen: Unseen,
    controls: tuple[str, ...],
    now: datetime,
) -> list[Job]:
    sequence = await read_sequence(connection, schedule.id, controls, last=unseen.run_id)
    number = len(sequence.places)
    before = await fold_up_to(connection, sequence, number - 1)
    (entry,) = await sequence.read(connection, number, number)
    after, found = await asyncio.to_thread(before.after, entry, sequence.decisions[-1])

    open_incidents = await incidents.list_open_incidents(connection, schedule.id)
    standings = await _read_standings(connection, schedule, sequence, open_incidents, now)
    wanted = needs_history(after, standings)
    histories = {model: await sequence.history(connection, model) for model in sorted(wanted)}
    control_findings = await check_controls(connection, sequence, number)
    changed = [question for finding in control_findings.values() for question in finding.changed]
    sighting = see(
        after, entry, found, standings, histories,
        changed_controls=changed if control_findings else None,
        asks_all=not sequence.places[-1].attempt,
    )  # fmt: skip
    await _keep(connection, sequence, sighting)
    if sighting.quarantined:
        sequence = await read_sequence(connection, schedule.id, controls, last=unseen.run_id)
    await keep(connection, sequence, sighting.fold)
    renamed = await note_identities(connection, sequence, entry.models, now)
    heard = await sequence.heard_in_full(connection) if sequence.anchors else sequence
    sight = Sight(
        connection, catalogue, schedule, sequence, heard, entry, sighting, control_findings, now
    )  # fmt: skip
    await follow_up(sight, open_incidents)
    log.info(
        "detect.entry_seen", schedule=schedule.name, night=str(entry.night), run=str(unseen.run_id),
        sequence=number, moved=[f"{one.model}: {one.after}" for one in sighting.moves if one.event],
    )  # fmt: skip
    again = tuple(dict.fromkeys((*sighting.deserve_confirmation, *renamed)))
    jobs = await _confirm(connection, schedule, entry, again)
    if sequence.anchors and any(one.after is MonitorState.ALERT for one in sighting.moves):
        jobs.append(Job("judge_anchors", unseen.run_id, {"repeats": INCIDENT_REPEATS}))
    return jobs


async def _keep(connection: Connection, sequence: SequenceAt, sighting: Sighting) -> None:
    """Write the entry's detections, and anew those of models that an outage was taken out of."""
    fresh = [
        one
        for one in sighting.detections
        if one.subject is not Subject.MODEL or one.model not in sighting.redetected
    ]
    await detections.store_detections(connection, sequence.schedule_id, sequence.places, fresh)
    for model, found in sighting.redetected.items():
        await rewrite(connection, sequence, model, found)
        for place in sighting.quarantined[model]:
            await seen.quarantine(connection, sequence.schedule_id, model, sequence.places[place - 1].run_id)


async def _read_standings(
    connection: Connection,
    schedule: Schedule,
    sequence: SequenceAt,
    open_incidents: Sequence[Incident],
    now: datetime,
) -> Standings:
    states = {
        (row.subject, row.model): row.state for row in await incidents.list_monitors(connection, schedule.id)
    }
    standings = {key: Standing(Monitor(*key, state)) for key, state in states.items()}
    for incident in open_incidents:
        key = incident.subject, incident.model
        change = incident.findings.get("change_run")
        standings[key] = Standing(
            Monitor(*key, states.get(key, MonitorState.ALERT), has_open_incident=True),
            incident.findings["stream"],
            (change and sequence.place_of(RunId(UUID(change)))) or 0,
            sequence.place_of(incident.opened_run) or 0,
            needs_reminder=incident.status == "open"
            and now - incident.told_at >= timedelta(days=schedule.renotify_days),
        )
    return standings


async def _confirm(
    connection: Connection, schedule: Schedule, entry: Entry, models: Sequence[str]
) -> list[Job]:
    """Ask these models once more tonight, as often as the schedule allows."""
    attempts = await seen.count_attempts(connection, schedule.id, entry.night)
    if not models or schedule.is_paused or attempts > schedule.confirmations:
        return []
    run = await open_confirmation(connection, schedule, entry.night, models)
    if run is None:
        return []
    log.info("detect.confirming", schedule=schedule.name, night=str(entry.night), models=list(models))
    return [Job("plan_run", run.id)]
