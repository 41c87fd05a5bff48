"""Announcing what befell an incident: the event and every message about it, in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db import channels, deliveries, incidents
from shared.db.incidents import Incident
from shared.db.pool import Connection
from shared.domain.runs import RunId
from shared.domain.telling.alerts import GATHERED_ABOVE, Alert, Gathering, write_alert
from shared.domain.telling.incidents import EventKind
from shared.domain.telling.routing import is_meant


async def announce(
    connection: Connection,
    incident_id: UUID,
    kind: EventKind,
    run_id: RunId | None,
    now: datetime,
    by: str,
    note: str = "",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Note what befell an incident and write down whom to tell; a second time it changes nothing."""
    event_id = await incidents.record_event(connection, incident_id, kind, run_id, now, by, note, facts)
    if event_id is None:
        return
    incident = await incidents.find_incident(connection, incident_id)
    assert incident is not None, "something befell it"
    alert = _describe(incident, kind, run_id, now, by, note, facts or {})
    told = await deliveries.list_told_channels(connection, incident_id)
    for channel in await channels.list_active_channels(connection):
        if is_meant(channel.routing, alert, was_told=channel.id in told):
            await deliveries.store_delivery(
                connection, "incident", alert, now,
                channel_id=channel.id, incident_id=incident_id, incident_event_id=event_id,
            )  # fmt: skip


async def gather_alerts(connection: Connection, run_id: RunId, now: datetime) -> None:
    """Of what is to be told of one entry, make one message for each channel where there would be many.

    It belongs into the transaction that announces the entry's events, before anyone can see them.
    """
    for (_, kind), pending in (await deliveries.list_pending_of_entry(connection, run_id)).items():
        if len(pending) <= GATHERED_ABOVE:
            continue
        alerts = tuple(notice for _, notice in pending if isinstance(notice, Alert))
        first, *others = (delivery_id for delivery_id, _ in pending)
        several = Gathering(kind, alerts[0].schedule, alerts[0].suite, alerts[0].night, alerts)
        await deliveries.gather(connection, first, others, several, now)


def _describe(
    incident: Incident,
    kind: EventKind,
    run_id: RunId | None,
    now: datetime,
    by: str,
    note: str,
    facts: Mapping[str, Any],
) -> Alert:
    return write_alert(
        event=kind,
        at=now,
        by=by,
        note=note,
        facts=facts,
        run=run_id,
        incident=incident.id,
        schedule=incident.schedule,
        suite=incident.suite,
        subject=incident.subject,
        model=incident.model,
        severity=incident.severity,
        cause=incident.cause,
        headline=incident.headline,
        opened_at=incident.opened_at,
        findings=incident.findings,
    )
