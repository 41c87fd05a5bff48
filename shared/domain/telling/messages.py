"""What a notice says in words, for any channel: what moved, who did it, how sure that is, where, and links.

Everything here is plain text; each channel's writer escapes and cuts it as its form demands.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import assert_never

from shared.domain.drift.detections import Subject
from shared.domain.telling.alerts import Alert, FinishedRun, Flip, Gathering, Notice, Trial, Weekly
from shared.domain.telling.digest_message import tell_week
from shared.domain.telling.incidents import EventKind
from shared.domain.telling.message import Link, Message, Passage, Quote, points, spread
from shared.domain.telling.wording import CAUSES, NOTHING_CHANGED, name_stream, tell_certainty

MOST_REASONS = 4
MOST_CATEGORIES = 6
PERHAPS_AGAIN = "This may reach you twice: whether it came through before is not known."
_EVENTS = {
    EventKind.JOINED: "More moved",
    EventKind.REMINDED: "Still open",
    EventKind.RECOVERED: "Recovered",
    EventKind.OUTAGE_OVER: "Outage over",
    EventKind.LEFT: "Asked no more",
    EventKind.ACKNOWLEDGED: "Acknowledged",
    EventKind.RESOLVED: "Resolved",
    EventKind.DISMISSED: "Dismissed as a false alarm",
    EventKind.BASELINE_ACCEPTED: "New baseline accepted",
}
_GATHERED = {
    EventKind.OPENED: "moved",
    EventKind.JOINED: "moved further",
    EventKind.REMINDED: "are still open",
    EventKind.RECOVERED: "recovered",
    EventKind.OUTAGE_OVER: "can be measured again",
    EventKind.LEFT: "are asked no more",
}
_WHOLE_STORY = frozenset({EventKind.OPENED, EventKind.JOINED, EventKind.REMINDED})


def tell(notice: Notice, public_url: str) -> Message:
    """A notice in words; `public_url` is where the dashboard is."""
    match notice:
        case Alert():
            return _tell_alert(notice, public_url)
        case Gathering():
            return _tell_gathering(notice, public_url)
        case Weekly():
            return tell_week(notice, public_url)
        case Trial():
            told = f"{notice.by} tried the channel {notice.channel!r}. Alerts will come here."
            return Message("Driftwarden can reach you", told, links=(Link("Dashboard", public_url),))
        case FinishedRun():
            run = notice.run
            link = Link("The run", f"{public_url}/runs/{run['id']}")
            return Message(f"Run {run['state']}: {run['suite']}", f"Run {run['id']} is over.", links=(link,))
        case _:
            assert_never(notice)


def name_alert(alert: Alert) -> str:
    """An alert's title: what happened to what, without numbers."""
    if alert.event is EventKind.OPENED:
        return f"{_name_opening(alert)}: {alert.model}"
    return f"{_EVENTS[alert.event]}: {alert.model}"


def _name_opening(alert: Alert) -> str:
    if alert.is_unmeasured:
        return "Not measured"
    match alert.subject:
        case Subject.MODEL:
            return f"Drift, {alert.severity}"
        case Subject.JUDGE:
            return f"The judge moved, {alert.severity}"
        case Subject.HARNESS:
            return "The harness moved"
        case _:
            assert_never(alert.subject)


def _tell_alert(alert: Alert, public_url: str) -> Message:
    link = Link("The incident", f"{public_url}/incidents/{alert.incident}")
    summary = alert.headline
    if alert.event not in _WHOLE_STORY:
        passages = (Passage("What happened?", tuple(_tell_end(alert))),)
        return Message(name_alert(alert), summary, passages, (link,), is_good=_is_good(alert))
    return Message(
        name_alert(alert),
        summary,
        tuple(
            passage
            for passage in (
                Passage("", tuple(_tell_so_far(alert))),
                Passage("Who did it?", tuple(_tell_who(alert))),
                Passage("How sure is that?", tuple(_tell_certainty(alert))),
                Passage("Where?", tuple(_tell_where(alert)), tuple(map(_quote, alert.flips))),
            )
            if passage.lines or passage.quotes
        ),
        tuple(_links(alert, link, public_url)),
    )


def _links(alert: Alert, incident: Link, public_url: str) -> Iterator[Link]:
    yield incident
    if alert.run is not None:
        yield Link("The night's run", f"{public_url}/runs/{alert.run}")


def _is_good(alert: Alert) -> bool:
    return alert.event in (EventKind.RECOVERED, EventKind.OUTAGE_OVER)


def _tell_so_far(alert: Alert) -> Iterator[str]:
    """What this event adds to the headline."""
    if alert.joined:
        yield f"Now moved as well: {', '.join(map(name_stream, alert.joined))}."
    if alert.event is EventKind.REMINDED:
        yield f"{_open_for(alert)} An acknowledged incident is not reminded of."
    if alert.is_unmeasured:
        yield "Missing answers are no score of 0, and they are no drift."


def _tell_end(alert: Alert) -> Iterator[str]:
    match alert.event:
        case EventKind.RECOVERED:
            yield f"Its scores are back where they were before. {_open_for(alert)}"
        case EventKind.OUTAGE_OVER:
            yield f"It can be measured again, and answers as before. {_open_for(alert)}"
        case EventKind.LEFT:
            yield f"The schedule asks it no more, so nothing is known of it from now on. {_open_for(alert)}"
        case EventKind.ACKNOWLEDGED:
            yield f"{alert.by} looks after it; the incident stays open."
        case EventKind.RESOLVED:
            yield f"{alert.by} closed it: its cause is gone. {_open_for(alert)}"
        case EventKind.DISMISSED:
            yield f"{alert.by} closed it as a false alarm. {_open_for(alert)}"
        case EventKind.BASELINE_ACCEPTED:
            yield f"{alert.by} closed it: the model as it is now is its new normal. {_open_for(alert)}"
    if alert.note:
        yield f"Note: {alert.note}"


def _open_for(alert: Alert) -> str:
    days = (alert.at.date() - alert.opened_at.date()).days
    since = f"It was opened on {_day(alert.opened_at)}"
    return f"{since}, {days} {'day' if days == 1 else 'days'} ago." if days > 0 else f"{since}."


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def _tell_who(alert: Alert) -> Iterator[str]:
    yield CAUSES[alert.cause]
    reasons = [one for one in alert.because if one != NOTHING_CHANGED]
    yield from reasons[:MOST_REASONS]
    if not alert.your_side:
        yield "Nothing that we know of changed on your side at that time."
    yield from (one for one in alert.your_side if one not in reasons[:MOST_REASONS])


def _tell_certainty(alert: Alert) -> Iterator[str]:
    return tell_certainty(
        alert.stream,
        alert.evidence_ratio,
        alert.nights_per_false_alarm,
        alert.watched_models,
        alert.overdispersion,
        is_noisy=alert.is_noisy,
    )


def _tell_where(alert: Alert) -> Iterator[str]:
    worse = sorted((one for one in alert.categories if one.is_worse), key=lambda one: one.value)
    for one in worse[:MOST_CATEGORIES]:
        yield f"{one.category}: {points(one.value)} points ({spread(one.lower, one.upper)})"
    if alert.categories and not worse:
        yield "No category stands out."
    if alert.flips:
        yield f"{len(alert.flips)} of {alert.flipped} questions that flipped:"


def _quote(flip: Flip) -> Quote:
    before = f"{flip.passed_before} of {flip.scored_before} answers before"
    return Quote(
        f"{flip.question} ({flip.category}): right in {before}, in {flip.passed_after} of"
        f" {flip.scored_after} since",
        tuple(
            (name, text)
            for name, text in (
                ("asked", flip.input),
                ("right is", flip.target),
                (f"before, {flip.before_night}", flip.before),
                (f"since, {flip.after_night}", flip.after),
            )
            if text is not None
        ),
    )


def _tell_gathering(several: Gathering, public_url: str) -> Message:
    alerts = several.alerts
    what = _GATHERED.get(several.event, "changed")
    title = f"{len(alerts)} at once {what}: {several.suite}"
    causes = _count_causes(alerts)
    return Message(
        title,
        f"In the night of {several.night}, {len(alerts)} of schedule {several.schedule} {what}."
        " When many move together, look first at what they share.",
        (
            Passage("Who did it?", tuple(f"{number} × {CAUSES[cause]}" for cause, number in causes)),
            Passage("Which?", tuple(alert.headline for alert in alerts)),
        ),
        (Link("The incidents", f"{public_url}/incidents"),),
        is_good=_is_good(alerts[0]),
    )


def _count_causes(alerts: Sequence[Alert]) -> list[tuple[str, int]]:
    causes = [alert.cause for alert in alerts]
    return sorted(((cause, causes.count(cause)) for cause in set(causes)), key=lambda one: (-one[1], one[0]))
