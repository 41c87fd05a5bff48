"""What befell an incident, and what can be done about it, each in a sentence."""

from dataclasses import dataclass
from datetime import date

from services.api.dashboard import numbers
from services.api.dashboard.views.streams import name_briefly
from shared.db.incidents import Incident, IncidentEvent
from shared.domain.telling.incidents import Act, EventKind

TOLD = {
    EventKind.OPENED: "Alarm. The incident was opened.",
    EventKind.JOINED: "More streams crossed their line: {streams}.",
    EventKind.REMINDED: "Still open; people were reminded.",
    EventKind.RECOVERED: "Recovered: the last three nights are as those before. Closed.",
    EventKind.OUTAGE_OVER: "The outage is over. Its nights are set aside. Closed.",
    EventKind.LEFT: "The schedule asks this model no more. Closed.",
    EventKind.ACKNOWLEDGED: "Acknowledged by {by}.",
    EventKind.RESOLVED: "Resolved by {by}.",
    EventKind.DISMISSED: "Dismissed as a false alarm by {by}.",
    EventKind.BASELINE_ACCEPTED: "Accepted as the new baseline by {by}.",
}


@dataclass(frozen=True, slots=True)
class Happening:
    at: str
    told: str
    note: str


@dataclass(frozen=True, slots=True)
class Choice:
    act: Act
    label: str
    consequence: str
    asks: bool


def offer(act: Act, incident: Incident, since: date | None) -> Choice:
    match act:
        case Act.ACKNOWLEDGE:
            return Choice(
                act, "Acknowledge", "Says you have seen it. Reminders stop; the incident stays open.", False
            )
        case Act.ACCEPT_BASELINE:
            begin = numbers.night(since) if since else "the night of the change"
            told = f"From now on {begin} and later is normal for {incident.model}. Evidence starts at zero."
            return Choice(act, "Accept as new baseline…", told, True)
        case Act.DISMISS:
            told = "You think it is a false alarm. It counts against the stated rate, with your reason."
            return Choice(act, "Dismiss…", told, True)
        case Act.RESOLVE:
            return Choice(
                act, "Resolve…", "The cause is gone. If it isn't, the next nights open it again.", True
            )


def tell_event(event: IncidentEvent) -> Happening:
    streams = ", ".join(name_briefly(stream) for stream in event.facts.get("streams", ()))
    told = TOLD[event.kind].format(by=event.by, streams=streams or "more of them")
    if event.kind is EventKind.OPENED and "headline" in event.facts:
        told = f"Alarm. {event.facts['headline']}"
    return Happening(numbers.moment(event.at), told, event.note)
