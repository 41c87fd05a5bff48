"""Who answered and who judged, night by night: every part that could have changed the score."""

from collections.abc import Mapping, Sequence
from datetime import date

from services.api.chronicle import Chronicle
from services.api.dashboard.charts.bars import Track
from shared.db import identity
from shared.db.identity import IdentityEvent
from shared.db.pool import Connection
from shared.domain.causes.identity import Identity, IdentityKind
from shared.domain.runs import RunId

HASH_DIGITS = 8
NOT_SAID = "not said"
_NAMES = {
    IdentityKind.SERVED_MODEL: "Served model",
    IdentityKind.SYSTEM_FINGERPRINT: "Fingerprint",
    IdentityKind.SAYS_IT_IS: "Says it is",
}


async def read_tracks(
    connection: Connection, chronicle: Chronicle, schedule_id: int, model: str, since: date
) -> tuple[Track, ...]:
    """What is known of each part since a night."""
    places = [chronicle.places[number] for number in chronicle.numbers]
    last = places[-1]
    now = (await identity.read_identities(connection, [last.run_id]))[last.run_id].get(model)
    nights = {place.run_id: place.night for place in places}
    events = [
        event
        for event in reversed(
            await identity.list_identity_events(connection, schedule_id, model=model, limit=500)
        )
        if event.run_id in nights
    ]
    reported = tuple(
        Track(name, _follow(events, kind, nights, _current(now, kind), places[0].night))
        for kind, name in _NAMES.items()
    )
    own = tuple(_own_tracks(chronicle))
    tracks = (_since(track, since) for track in (*reported, *own))
    return tuple(track for track in tracks if any(value is not None for _, value in track.values))


def _current(now: Identity | None, kind: IdentityKind) -> str | None:
    if now is None:
        return None
    match kind:
        case IdentityKind.SERVED_MODEL:
            return now.served_model
        case IdentityKind.SYSTEM_FINGERPRINT:
            return now.fingerprint
        case IdentityKind.SAYS_IT_IS:
            return now.says_it_is


def _follow(
    events: Sequence[IdentityEvent],
    kind: IdentityKind,
    nights: Mapping[RunId, date],
    current: str | None,
    first: date,
) -> tuple[tuple[date, str | None], ...]:
    """A part's values from what changed; without a change it is what it is now."""
    changes = [event for event in events if event.change.kind is kind]
    if not changes:
        return ((first, current),)
    values: list[tuple[date, str | None]] = [(first, changes[0].change.before or NOT_SAID)]
    values += [(nights[event.run_id], event.change.after or NOT_SAID) for event in changes]
    return tuple(values)


def _own_tracks(chronicle: Chronicle) -> list[Track]:
    """The parts on the user's side: the terms of each entry, and its epoch."""
    told: dict[str, list[tuple[date, str | None]]] = {"Prompt, parameters": [], "Judge": [], "Suite": []}
    for number in chronicle.numbers:
        terms, night = chronicle.terms[number], chronicle.places[number].night
        judge = terms.judge_in_use
        values = {
            "Prompt, parameters": f"epoch {chronicle.epochs[number][:HASH_DIGITS]}",
            "Judge": f"{judge.name} v{judge.version}"
            if judge
            else "none"
            if not terms.asks_judge
            else "not known",
            "Suite": f"{terms.suite} v{terms.suite_version}",
        }
        for name, value in values.items():
            if not told[name] or told[name][-1][1] != value:
                told[name].append((night, value))
    return [Track(name, tuple(values)) for name, values in told.items()]


def _since(track: Track, since: date) -> Track:
    """The same from a night on; what held then begins there."""
    before = [entry for entry in track.values if entry[0] <= since][-1:]
    later = [entry for entry in track.values if entry[0] > since]
    return Track(track.name, tuple([(max(night, since), value) for night, value in before] + later))
