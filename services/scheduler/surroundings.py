"""What else happened around a change: on the user's side, at the provider, in the harness."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.db.controls import compare_controls
from shared.db.identity import list_identity_events, read_identities, store_identity_events
from shared.db.pool import Connection
from shared.detecting import SequenceAt
from shared.domain.causes.blame import Surroundings
from shared.domain.causes.controls import ControlFinding
from shared.domain.causes.identity import follow, tell_identity
from shared.domain.causes.providers import find_provider_incidents, name_provider
from shared.domain.drift.detections import Detection, Subject
from shared.domain.telling.cases import changes_around, harness_around, span
from shared.domain.telling.incidents import EventKind, Move
from shared.models import Catalogue

CONTROLLED_ENTRIES = 14  # of those between which a change lies: so many are looked at for their controls
REMEMBERED_ENTRIES = 6  # by which a change of identity is told from a provider's several servers


async def check_controls(
    connection: Connection, sequence: SequenceAt, number: int
) -> Mapping[str, ControlFinding]:
    """Compare the controls' answers in an entry (by place) with the night's before it; empty without any."""
    tonight = sequence.places[number - 1]
    former = [
        place
        for place, epoch in zip(sequence.places[: number - 1], sequence.epochs, strict=False)
        if place.attempt == 0 and epoch == sequence.epochs[number - 1]
    ]
    if not sequence.controls or tonight.attempt or not former:
        return {}
    found = await compare_controls(connection, former[-1].run_id, tonight.run_id, sorted(sequence.controls))
    return {model: finding for model, finding in found.items() if finding.compared}


async def note_identities(
    connection: Connection, sequence: SequenceAt, models: Sequence[str], now: datetime
) -> tuple[str, ...]:
    """Store what changed of the models' identities; the models of which it changed on the last entry.

    Earlier entries are looked at again: a model's word for itself may have come in late.
    """
    places = sequence.places[-REMEMBERED_ENTRIES:]
    identities = await read_identities(connection, [place.run_id for place in places])
    changed = []
    for model in models:
        asked = [place for place in places if model in identities.get(place.run_id, {})]
        found = follow(identities[place.run_id][model] for place in asked)
        for place, changes in zip(asked, found, strict=True):
            if changes:
                await store_identity_events(
                    connection, sequence.schedule_id, model, place.run_id, changes, now
                )
                if place is sequence.places[-1]:
                    changed.append(model)
    return tuple(changed)


async def look_around(
    connection: Connection,
    catalogue: Catalogue,
    sequence: SequenceAt,
    moves: Sequence[Move],
    controls: Mapping[str, ControlFinding],
    model: str,
    alarm: Detection | None,
) -> Surroundings:
    """Everything told beside what moved."""
    number = len(sequence.places)
    earliest, latest = span(alarm, number)
    yours = changes_around(sequence.terms, (earliest, latest))
    compared = {number: controls}
    for place in range(max(earliest, latest - CONTROLLED_ENTRIES + 1), min(latest + 1, number)):
        compared[place] = await check_controls(connection, sequence, place)
    harness, moved_beside = harness_around(compared, (earliest, latest))
    moved = {one.model for one in moves if one.event is EventKind.OPENED and one.subject is Subject.MODEL}
    providers = {
        one.model: name_provider(entry.litellm_model, entry.api_base)
        for one in moves
        if (entry := catalogue.entries.get(one.model)) is not None
    }
    together = [one for one in find_provider_incidents(moved, providers) if model in one.moved]
    return Surroundings(
        your_changes=yours.causes,
        unchanged=yours.unchanged,
        beside=(*moved_beside, *yours.beside),
        identity=await _tell_identity(connection, sequence, model, earliest),
        harness=harness,
        provider=together[0].sentence if together else "",
        errors=await _tell_errors(connection, sequence, model),
    )


async def _tell_identity(
    connection: Connection, sequence: SequenceAt, model: str, earliest: int
) -> tuple[str, ...]:
    runs = {place.run_id for place in sequence.places[max(earliest - 2, 0) :]}
    events = await list_identity_events(connection, sequence.schedule_id, model=model)
    changes = [event.change for event in reversed(events) if event.run_id in runs]
    last = sequence.places[-1].run_id
    now = (await read_identities(connection, [last])).get(last, {}).get(model)
    return (tell_identity(changes, now),) if now is not None else ()


async def _tell_errors(connection: Connection, sequence: SequenceAt, model: str) -> str:
    """Why pairs of the last entry were not measured, the most frequent reason first."""
    row = await connection.fetchrow(
        "SELECT planned, errors FROM run_aggregates WHERE run_id = $1 AND model = $2 AND category = 'all'",
        sequence.places[-1].scored_by,
        model,
    )
    if row is None or not row["errors"]:
        return ""
    kinds = sorted(row["errors"].items(), key=lambda one: (-one[1], one[0]))
    told = ", ".join(f"{count} x {kind}" for kind, count in kinds)
    return f"of {row['planned']} answers, {told}"
